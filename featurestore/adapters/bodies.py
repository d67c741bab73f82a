"""Datasets in the body of a request: CSV, JSON lines, Parquet, Arrow."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.definitions.source import Source
from featurestore.errors import ContractError, FeatureStoreError, StoreError
from featurestore.storage.csv_files import scan_csv
from featurestore.values.json_lines import marked, other_kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from featurestore.definitions.catalog import Node

CSV: Final = "text/csv"
JSON_LINES: Final = "application/x-ndjson"
PARQUET: Final = "application/vnd.apache.parquet"
ARROW_STREAM: Final = "application/vnd.apache.arrow.stream"
ARROW_FILE: Final = "application/vnd.apache.arrow.file"
ARROW_READERS: dict[str, Callable[[Path, Node], pl.LazyFrame]] = {}
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
# Readers raise these for a damaged body. Polars panics at some bodies.
UNREADABLE: Final[tuple[type[BaseException], ...]] = (
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
    UnicodeDecodeError,
    OSError,
    RecursionError,  # nesting is too deep
    *ARROW_ERRORS,
)


def scan_body(path: Path, media: str, node: Node) -> pl.LazyFrame:
    """Scan a body in one of `FORMATS`. Text stays text: the gate parses it.

    Raises
    ------
    ContractError
        If the body is empty, incomplete, or in another format, or a JSON object names a key twice.
    """
    if path.stat().st_size == 0:
        raise ContractError(f"{node.name}: the body is empty", hint=f"send rows as {media}")
    with legible(node, media):
        rows = FORMATS[media](path, node)
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
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise StoreError(
                f"{node.name}: {error}", hint="free disk space, then try again", retry=True
            ) from error
        personal = any(column.personal for column in node.contract.columns)
        reason = "" if personal else ": " + str(error).partition("\n")[0]
        raise ContractError(
            f"{node.name}: the body cannot be read as {media}{reason}",
            hint="send a complete body in that format",
        ) from error


def _csv(path: Path, node: Node) -> pl.LazyFrame:
    missing = list(node.null_values) if isinstance(node, Source) else None
    return scan_csv(path, f"{node.name}: the body", missing)


def _json_lines(path: Path, node: Node) -> pl.LazyFrame:
    # Values are read as text where the contract has another type, so that the gate reports those that cannot be cast.
    schema = {column.name: column.dtype for column in node.contract.columns}
    with path.open("rb") as lines:
        rows_by_column = other_kinds(lines, schema, f"{node.name}: the body")
    inferred = pl.scan_ndjson(path, infer_schema_length=None).collect_schema()
    as_text = {
        column.name: pl.String()
        for column in node.contract.columns
        if column.name in inferred and not column.dtype.is_nested()
    }
    as_text = {name: text for name, text in as_text.items() if node.contract[name].dtype != text}
    rows = pl.scan_ndjson(path, infer_schema_length=None, schema_overrides=as_text)
    return marked(rows, rows_by_column)


FORMATS: Final[dict[str, Callable[[Path, Node], pl.LazyFrame]]] = {
    CSV: _csv,
    JSON_LINES: _json_lines,
    **ARROW_READERS,
}
