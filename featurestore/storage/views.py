"""The stored rows of feature views: the built file, and a log of later pushes and deletions.

A project and its releases share one log. The store of each replays it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import ContractError
from featurestore.ports import ViewRows
from featurestore.storage.files import require_parquet
from featurestore.storage.log import append, compact, footer, log_files
from featurestore.storage.made_by import require_made_by
from featurestore.storage.parquet import read_files, scan_files, schema_of_file
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.known_at import created_or_event
from featurestore.timing.version import in_version_order
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
    schema = schema_of_file(built)
    pushed = log_files(layout.pushed(view.name))
    return (built, *(file.path for file in pushed if footer(file.path).schema == schema))


def rows_of(selection: Selection, layout: Layout) -> ViewRows:
    """Locate the rows of a view. Raises as `files_of` does."""
    view = selection.view
    return ViewRows(selection, files_of(view, layout), deleted_files(view, layout))


def scan_view(view: FeatureView, layout: Layout, *, any_definition: bool = False) -> pl.LazyFrame:
    """Scan the rows of a view. Parameters and errors as of `files_of`."""
    return scan_files(list(files_of(view, layout, any_definition=any_definition)))


def log_rows(view: FeatureView, rows: pl.DataFrame, layout: Layout) -> Path:
    """Append rows to the log of a view, under the day on which the first was created. The caller holds the lock of the log."""
    created: datetime = rows.select(created_or_event(view.timing).min()).item()
    return append(rows, layout.pushed(view.name), created.date())


def log_deleted(view: FeatureView, keys: pl.DataFrame, at: datetime, layout: Layout) -> Path:
    """Append deleted keys to the log of a view, with the time of deletion."""
    deleted_at = pl.lit(at, dtype=UTC_MICROSECONDS).alias(EVENT_TIMESTAMP)
    deleted = keys.with_columns(deleted_at).select(*view.keys, EVENT_TIMESTAMP)
    return append(deleted, layout.deleted(view.name), at.date())


def compact_log(
    view: FeatureView, layout: Layout, *, complete: bool = False, kept_seconds: float | None = None
) -> None:
    """Merge files of the log of a view (`featurestore.storage.log.compact`). The caller holds its lock."""
    compact(
        layout.pushed(view.name),
        lambda rows: in_version_order(rows, view.keys, view.timing),
        complete=complete,
        kept_seconds=kept_seconds,
    )
    compact(
        layout.deleted(view.name),
        lambda keys: keys.sort(*view.keys, EVENT_TIMESTAMP),
        complete=complete,
        kept_seconds=kept_seconds,
    )


def deleted_keys(view: FeatureView, layout: Layout, *, since: int = 0) -> pl.DataFrame:
    """Read the deleted keys of a view, with the time of deletion as ``event_timestamp``.

    Raises as `deleted_files` does.

    Parameters
    ----------
    since
        Leave out files of deletions with smaller numbers alone.
    """
    paths = deleted_files(view, layout, since=since)
    return read_files(paths) if paths else pl.DataFrame(schema=_deleted_schema(view))


def deleted_files(view: FeatureView, layout: Layout, *, since: int = 0) -> tuple[Path, ...]:
    """List the files that hold the deleted keys of a view. Parameters as of `deleted_keys`.

    Raises
    ------
    ContractError
        If a file of deleted keys has other key columns than the view has now.
    StoreError
        If a file is damaged.
    """
    schema = _deleted_schema(view)
    files = log_files(layout.deleted(view.name))
    for file in files:
        if footer(file.path).schema != schema:
            raise ContractError(
                f"{file.path}: its key columns are not those of feature view {view.name!r}",
                hint="rewrite the file with the current key columns, or remove it if the keys may come back",
            )
    return tuple(file.path for file in files if file.day is None or file.last >= since)


def _deleted_schema(view: FeatureView) -> pl.Schema:
    return pl.Schema({**view.key_schema, EVENT_TIMESTAMP: UTC_MICROSECONDS})
