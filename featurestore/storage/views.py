"""The stored rows of feature views: what the last build made, and what was pushed since, as a log of small files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.ports import ViewRows
from featurestore.storage.files import required, write_parquet
from featurestore.storage.fingerprint import fingerprint

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.definitions.feature_view import FeatureView, Selection
    from featurestore.storage.layout import Layout


def files_of(view: FeatureView, layout: Layout) -> tuple[Path, ...]:
    """List the files that hold a view's rows, each in the order of key and version.

    Raises
    ------
    MissingDataError
        If the view is not built yet.
    """
    built = required(layout.features(view.name), made_by=f"featurestore build {view.name}")
    return (built, *sorted(layout.pushed(view.name).glob("*.parquet")))


def rows_of(selection: Selection, layout: Layout) -> ViewRows:
    """Locate the rows of a view; raises as `files_of` does."""
    return ViewRows(selection, files_of(selection.view, layout))


def scan_view(view: FeatureView, layout: Layout) -> pl.LazyFrame:
    """Scan the rows of a view; raises as `files_of` does."""
    return pl.scan_parquet(list(files_of(view, layout)))


def log_rows(view: FeatureView, rows: pl.DataFrame, layout: Layout) -> Path:
    """Append rows to a view, named by their content: the same rows twice are one file."""
    path = layout.pushed(view.name) / f"{fingerprint(rows).removeprefix('sha256:')}.parquet"
    write_parquet(rows, path)
    return path
