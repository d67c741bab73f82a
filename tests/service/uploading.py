"""Uploads of the shop's orders, in every format."""

import io
from pathlib import Path

import polars as pl
import requests
from shop import ORDERS

from featurestore.adapters.bodies import ARROW_FILE, ARROW_STREAM, CSV, JSON_LINES, PARQUET

# The last row breaks the contract.
GOOD = ORDERS.rsplit("7,0,", 1)[0]
HEAD, ROW, *_ = ORDERS.splitlines(keepends=True)
TYPED = pl.read_csv(ORDERS.encode(), try_parse_dates=True)


def written(write, frame=TYPED):
    """Return the bytes that a frame's writer writes."""
    out = io.BytesIO()
    getattr(frame, write)(out)
    return out.getvalue()


BODIES = {
    CSV: ORDERS.encode(),
    JSON_LINES: written("write_ndjson"),
    PARQUET: written("write_parquet"),
    ARROW_STREAM: written("write_ipc_stream"),
    ARROW_FILE: written("write_ipc"),
}


def send(client, body, media=CSV, dataset="orders", query="", **headers):
    """Upload rows for validation."""
    url = f"{client.url}/v1/datasets/{dataset}/validate{query}"
    sent = {"content-type": media, **headers, **client.headers}
    return requests.post(url, data=body, headers={k: v for k, v in sent.items() if v}, timeout=60)


def head(length, dataset="orders"):
    """Return the head of an upload as bytes."""
    return (
        f"POST /v1/datasets/{dataset}/validate HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: text/csv\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def uploads(root):
    """Return the names of all files and folders of uploads, hidden ones too."""
    return sorted(path.name for path in (Path(root) / "data/uploads").glob("*/*"))


def in_place(root):
    """Return the bytes of every file of the project's data but uploads."""
    paths = (path for path in (Path(root) / "data").rglob("*") if path.is_file())
    return {
        path: path.read_bytes() for path in paths if "uploads" not in path.parts and path.suffix != ".lock"
    }
