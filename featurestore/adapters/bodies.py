"""Datasets in the body of a request: CSV, JSON lines, Parquet, Arrow."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from glob import escape
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.definitions.source import Source
from featurestore.errors import ContractError, FeatureStoreError, StoreError
from featurestore.quality.gate.partition import SOURCE_ROW
from featurestore.storage.body_limits import BodyLimits
from featurestore.storage.csv_files import scan_csv
from featurestore.values.json_lines import read_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from featurestore.definitions.catalog import Node

CSV: Final = "text/csv"
JSON_LINES: Final = "application/x-ndjson"
PARQUET: Final = "application/vnd.apache.parquet"
ARROW_STREAM: Final = "application/vnd.apache.arrow.stream"
ARROW_FILE: Final = "application/vnd.apache.arrow.file"
ARROW_READERS: dict[str, Callable[[Path, Node, BodyLimits], pl.LazyFrame]] = {}
ARROW_SCHEMAS: dict[str, Callable[[Path], Any]] = {}
ARROW_ERRORS: tuple[type[BaseException], ...] = ()
# A serving machine may have no pyarrow. It does not offer these formats.
if find_spec("pyarrow") is not None:
    from featurestore.adapters import arrow_bodies

    ARROW_ERRORS = arrow_bodies.ERRORS
    ARROW_READERS = {
        PARQUET: arrow_bodies.parquet,
        ARROW_STREAM: arrow_bodies.arrow_stream,
        ARROW_FILE: arrow_bodies.arrow_file,
    }
    ARROW_SCHEMAS = {
        PARQUET: arrow_bodies.parquet_schema,
        ARROW_STREAM: arrow_bodies.arrow_stream_schema,
        ARROW_FILE: arrow_bodies.arrow_file_schema,
    }
LIMITS: Final = BodyLimits()
# Readers raise these for a damaged body. Polars panics at some bodies.
UNREADABLE: Final[tuple[type[BaseException], ...]] = (
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
    UnicodeDecodeError,
    OSError,
    RecursionError,  # nesting is too deep
    *ARROW_ERRORS,
)


def body_columns(path: Path, media: str, node: Node, limits: BodyLimits = LIMITS) -> pl.DataFrame | None:
    """Read the columns of a body as a frame without rows, so that the gate refuses them before rows are unpacked.

    Returns
    -------
    polars.DataFrame or None
        None: the format is text, which has no schema.

    Raises
    ------
    ContractError
        If the body is empty, or in another format, or has too many columns.
    """
    _require_content(path, media, node)
    if media not in ARROW_SCHEMAS:
        return None
    with legible(node, media):
        return arrow_bodies.empty_frame(ARROW_SCHEMAS[media](path), limits)


def scan_body(path: Path, media: str, node: Node, limits: BodyLimits = LIMITS) -> pl.LazyFrame:
    """Scan a body in one of `FORMATS`. Text stays text: the gate parses it.

    Other columns of Parquet and Arrow than those of the contract are left out.

    Raises
    ------
    ContractError
        If the body is empty, incomplete, in another format or beyond a limit, or a JSON object names a key twice.
    """
    _require_content(path, media, node)
    with legible(node, media):
        rows = FORMATS[media](path, node, limits)
        rows.collect_schema()
    return rows


@contextmanager
def legible(node: Node, media: str) -> Iterator[None]:
    """Translate the errors of a block that reads a body.

    The message shows no content of a dataset with personal columns.

    Raises
    ------
    ContractError
        If the body cannot be read.
    StoreError
        If the disk is full.
    """
    try:
        yield
    except FeatureStoreError:
        raise
    except UNREADABLE as error:
        if isinstance(error, MemoryError):
            raise
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise StoreError(
                f"{node.name}: {error}", hint="free disk space, then try again", retry=True
            ) from error
        reason = "" if node.contract.personal else ": " + str(error).partition("\n")[0]
        raise ContractError(
            f"{node.name}: the body cannot be read as {media}{reason}",
            hint="send a complete body in that format",
        ) from error


def _require_content(path: Path, media: str, node: Node) -> None:
    if path.stat().st_size == 0:
        raise ContractError(f"{node.name}: the body is empty", hint=f"send rows as {media}")


def _csv(path: Path, node: Node, limits: BodyLimits) -> pl.LazyFrame:
    missing = list(node.null_values) if isinstance(node, Source) else None
    return scan_csv(path, f"{node.name}: the body", missing, limits)


def _json_lines(path: Path, node: Node, limits: BodyLimits) -> pl.LazyFrame:
    # Values are read as text where the contract has another type, so that the gate reports those that cannot be cast.
    schema = {column.name: column.dtype for column in node.contract.columns}
    nested = [name for name, dtype in schema.items() if dtype.is_nested()]
    with path.open("rb") as file:
        lines = read_lines(
            file,
            schema,
            f"{node.name}: the body",
            inferred=[*nested, *({SOURCE_ROW} - schema.keys())],
            max_keys=limits.columns,
            max_bytes=limits.line,
        )
    return lines.marked(pl.scan_ndjson(escape(str(path)), schema=lines.schema))


FORMATS: Final[dict[str, Callable[[Path, Node, BodyLimits], pl.LazyFrame]]] = {
    CSV: _csv,
    JSON_LINES: _json_lines,
    **ARROW_READERS,
}
