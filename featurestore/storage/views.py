"""The stored rows of feature views: the built file, and a log of later pushes and deletions.

A project and its releases share one log. The store of each replays it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import ContractError
from featurestore.ports import ViewRows
from featurestore.storage.files import parquet_schema, require_parquet, write_parquet
from featurestore.storage.fingerprint import fingerprint
from featurestore.storage.made_by import require_made_by
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.table import UTC_MICROSECONDS

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from featurestore.definitions.feature_view import FeatureView, Selection
    from featurestore.storage.layout import Layout


def files_of(view: FeatureView, layout: Layout, *, any_definition: bool = False) -> tuple[Path, ...]:
    """List the files that hold the rows of a view: the built file, then the pushed ones.

    The rows of each file are in the order of key and version. Files that were pushed under another
    schema of the view are left out while that schema is not the current one.

    Parameters
    ----------
    any_definition
        True: also list a file that another definition of the view made.

    Raises
    ------
    MissingDataError
        If the view is not built yet.
    SkewError
        If another definition of the view made the built file.
    StoreError
        If a file is damaged.
    """
    built = require_parquet(layout.features(view.name), made_by=f"featurestore build {view.name}")
    if not any_definition:
        require_made_by(view, built)
    schema = pl.Schema(pl.read_parquet_schema(built))
    pushed = sorted(layout.pushed(view.name).glob("*.parquet"))
    return (built, *(path for path in pushed if _schema_of(path) == schema))


def rows_of(selection: Selection, layout: Layout) -> ViewRows:
    """Locate the rows of a view. Raises as `files_of` does."""
    view = selection.view
    return ViewRows(selection, files_of(view, layout), deleted_files(view, layout))


def scan_view(view: FeatureView, layout: Layout, *, any_definition: bool = False) -> pl.LazyFrame:
    """Scan the rows of a view. Parameters and errors as of `files_of`."""
    return pl.scan_parquet(list(files_of(view, layout, any_definition=any_definition)))


def log_rows(view: FeatureView, rows: pl.DataFrame, layout: Layout) -> Path:
    """Append rows to the log of a view.

    The digest of the rows names the file, so that equal rows are one file.
    """
    return _log(rows, layout.pushed(view.name))


def log_deleted(view: FeatureView, keys: pl.DataFrame, at: datetime, layout: Layout) -> Path:
    """Append deleted keys to the log of a view, with the time of deletion."""
    deleted_at = pl.lit(at, dtype=UTC_MICROSECONDS).alias(EVENT_TIMESTAMP)
    return _log(keys.with_columns(deleted_at).select(*view.keys, EVENT_TIMESTAMP), layout.deleted(view.name))


def deleted_keys(view: FeatureView, layout: Layout) -> pl.DataFrame:
    """Read the deleted keys of a view, with the time of deletion as ``event_timestamp``.

    Raises as `deleted_files` does.
    """
    paths = deleted_files(view, layout)
    return pl.read_parquet(list(paths)) if paths else pl.DataFrame(schema=_deleted_schema(view))


def deleted_files(view: FeatureView, layout: Layout) -> tuple[Path, ...]:
    """List the files that hold the deleted keys of a view.

    Raises
    ------
    ContractError
        If a file of deleted keys has other key columns than the view has now.
    StoreError
        If a file is damaged.
    """
    schema = _deleted_schema(view)
    paths = tuple(sorted(layout.deleted(view.name).glob("*.parquet")))
    for path in paths:
        if _schema_of(path) != schema:
            raise ContractError(
                f"{path}: its key columns are not those of feature view {view.name!r}",
                hint="rewrite the file with the current key columns, or remove it if the keys may come back",
            )
    return paths


def _deleted_schema(view: FeatureView) -> pl.Schema:
    return pl.Schema({**view.key_schema, EVENT_TIMESTAMP: UTC_MICROSECONDS})


def _log(rows: pl.DataFrame, folder: Path) -> Path:
    path = folder / f"{fingerprint(rows).removeprefix('sha256:')}.parquet"
    write_parquet(rows, path)
    return path


def _schema_of(path: Path) -> pl.Schema:
    return _schema_of_version(path, path.stat().st_mtime_ns)


# The files of the log do not change, unless their owner rewrites one.
@lru_cache(maxsize=100_000)
def _schema_of_version(path: Path, _: int) -> pl.Schema:
    return parquet_schema(path, hint="restore the file, or remove it and push its rows again")
