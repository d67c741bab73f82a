"""The stored rows of feature views: what the last build made, and what was pushed and deleted since, as a log of small files.

The log is one for a project and its releases, whose stores each replay it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import ContractError
from featurestore.ports import ViewRows
from featurestore.storage.files import parquet_schema, required, write_parquet
from featurestore.storage.fingerprint import fingerprint
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.table import UTC_MICROSECONDS

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from featurestore.definitions.feature_view import FeatureView, Selection
    from featurestore.storage.layout import Layout


def files_of(view: FeatureView, layout: Layout) -> tuple[Path, ...]:
    """List the files that hold a view's rows, each in the order of key and version: the built one, then those pushed.

    Rows pushed under another schema of the view are none of its rows, until that schema is back.

    Raises
    ------
    MissingDataError
        If the view is not built yet.
    StoreError
        If a file is damaged.
    """
    built = required(layout.features(view.name), made_by=f"featurestore build {view.name}")
    schema = pl.Schema(pl.read_parquet_schema(built))
    pushed = sorted(layout.pushed(view.name).glob("*.parquet"))
    return (built, *(path for path in pushed if _schema_of(path) == schema))


def rows_of(selection: Selection, layout: Layout) -> ViewRows:
    """Locate the rows of a view; raises as `files_of` does."""
    return ViewRows(selection, files_of(selection.view, layout))


def scan_view(view: FeatureView, layout: Layout) -> pl.LazyFrame:
    """Scan the rows of a view; raises as `files_of` does."""
    return pl.scan_parquet(list(files_of(view, layout)))


def log_rows(view: FeatureView, rows: pl.DataFrame, layout: Layout) -> Path:
    """Append rows to a view, named by their content: the same rows twice are one file."""
    return _log(rows, layout.pushed(view.name))


def log_deleted(view: FeatureView, keys: pl.DataFrame, at: datetime, layout: Layout) -> Path:
    """Append keys to those deleted from a view, and when, as ``event_timestamp``."""
    moment = pl.lit(at, dtype=UTC_MICROSECONDS).alias(EVENT_TIMESTAMP)
    return _log(keys.select(*view.keys, moment), layout.deleted(view.name))


def deleted_keys(view: FeatureView, layout: Layout) -> pl.DataFrame:
    """Read the keys that were ever deleted from a view, each with the moment of it as ``event_timestamp``.

    Raises
    ------
    ContractError
        If some were deleted by other keys than those that the view has now.
    StoreError
        If a file is damaged.
    """
    schema = pl.Schema({**view.key_schema, EVENT_TIMESTAMP: UTC_MICROSECONDS})
    paths = sorted(layout.deleted(view.name).glob("*.parquet"))
    for path in paths:
        if _schema_of(path) != schema:
            raise ContractError(
                f"{path}: holds deleted keys of other columns than feature view {view.name!r} has now",
                hint="write the file anew with its keys of now, or remove it if they may come back",
            )
    return pl.read_parquet(paths) if paths else pl.DataFrame(schema=schema)


def _log(rows: pl.DataFrame, folder: Path) -> Path:
    path = folder / f"{fingerprint(rows).removeprefix('sha256:')}.parquet"
    write_parquet(rows, path)
    return path


# A file of the log is never written to again.
@lru_cache(maxsize=100_000)
def _schema_of(path: Path) -> pl.Schema:
    return parquet_schema(path, hint="restore the file, or remove it and push its rows again")
