"""Write rows to a file of a user, a batch at a time: Parquet, CSV or JSON lines, in one step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
from polars.io.plugins import register_io_source

from featurestore.errors import ContractError
from featurestore.storage.files import atomic_write, sink_parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PARQUET: Final = ".parquet"
CSV: Final = ".csv"
JSON_LINES: Final = (".jsonl", ".ndjson")
SUFFIXES: Final = (PARQUET, CSV, *JSON_LINES)
_NOT_IN_TEXT: Final = (pl.Binary, pl.Duration, pl.Object)
_FRACTION: Final = {"ms": "%.3f", "us": "%.6f", "ns": "%.9f"}


def require_row_file(path: Path) -> None:
    """Refuse a file of an unknown format before any row is computed.

    Raises
    ------
    ContractError
        If the suffix is none of `SUFFIXES`.
    """
    if path.suffix not in SUFFIXES:
        raise ContractError(
            f"{path}: the format {path.suffix!r} is unknown", hint="name the file .parquet, .csv or .jsonl"
        )


def write_batches(batches: Callable[[], Iterator[pl.DataFrame]], schema: pl.Schema, path: Path) -> None:
    """Write batches of rows to a file, in one step. Equal rows give equal bytes, for all sizes of batches.

    Text has timestamps with a time zone in UTC, as ISO 8601.

    Parameters
    ----------
    batches
        Makes the batches; each has the columns of `schema`. An error that it raises leaves the old file in place.

    Raises
    ------
    ContractError
        If the format is unknown, or cannot hold a column.
    StoreError
        As `featurestore.storage.files.translated_write_errors`.
    """
    require_row_file(path)
    if path.suffix == PARQUET:
        sink_parquet(_lazy(batches, schema), path)
        return
    _require_text(schema, path)
    texts = {name: text for name, dtype in schema.items() if (text := _as_text(name, dtype)) is not None}
    text_schema = pl.Schema({name: pl.String() if name in texts else dtype for name, dtype in schema.items()})
    rows = _lazy(lambda: (batch.with_columns(texts.values()) for batch in batches()), text_schema)
    with atomic_write(path) as partial:
        if path.suffix == CSV:
            rows.sink_csv(partial)
        else:
            rows.sink_ndjson(partial)


def _lazy(batches: Callable[[], Iterator[pl.DataFrame]], schema: pl.Schema) -> pl.LazyFrame:
    # The writers read all columns and all rows: the arguments would ask for fewer.
    return register_io_source(lambda *_: batches(), schema=schema)


def _require_text(schema: pl.Schema, path: Path) -> None:
    for name, dtype in schema.items():
        if isinstance(dtype, _NOT_IN_TEXT) or (path.suffix == CSV and dtype.is_nested()):
            raise ContractError(
                f"{path}: {name!r} is {dtype}, which {path.suffix} cannot hold",
                hint="name the file .parquet, or leave out the column",
            )


def _as_text(name: str, dtype: pl.DataType) -> pl.Expr | None:
    """Write a timestamp as ISO 8601; None for other dtypes."""
    if not isinstance(dtype, pl.Datetime):
        return None
    pattern = f"%Y-%m-%dT%H:%M:%S{_FRACTION[dtype.time_unit]}"
    if dtype.time_zone is None:
        return pl.col(name).dt.strftime(pattern)
    return pl.col(name).dt.convert_time_zone("UTC").dt.strftime(f"{pattern}Z")
