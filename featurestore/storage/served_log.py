"""Reads the served log: Parquet files of what a service answered, each of one release and one definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.definitions.fingerprint import fingerprint
from featurestore.errors import MissingDataError
from featurestore.storage import served_columns as columns
from featurestore.storage.parquet import scan_files

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.storage.layout import Layout


def served_files(service: str, layout: Layout) -> list[Path]:
    """List the files of the served log of a service."""
    return sorted(layout.served(service).rglob("*.parquet"))


def files_by_definition(files: Iterable[Path]) -> dict[tuple[str, str], list[Path]]:
    """List the files by the release and the definition that served their vectors: each file has one of them."""
    files_of: dict[tuple[str, str], list[Path]] = {}
    for path in files:
        first = scan_files(path).select(columns.RELEASE, columns.DEFINITION).head(1).collect()
        for release, definition in first.rows():
            files_of.setdefault((release, definition), []).append(path)
    return files_of


def served_rows(service: FeatureService, layout: Layout) -> pl.LazyFrame:
    """Scan the served log of a service: the vectors of its current definition.

    Raises
    ------
    MissingDataError
        If no vector of this definition was logged.
    """
    files = served_files(service.name, layout)
    if not files:
        raise nothing_logged(service.name, layout, "yet")
    digest = fingerprint(service).digest
    matches = [
        path
        for (_, definition), paths in files_by_definition(files).items()
        if definition == digest
        for path in paths
    ]
    if not matches:
        raise nothing_logged(service.name, layout, "of this definition")
    scans = [scan_files(path) for path in dict.fromkeys(matches)]
    return pl.concat(scans, how="diagonal")


def nothing_logged(service: str, layout: Layout, which: str) -> MissingDataError:
    """Return the error that says what the served log of a service lacks."""
    return MissingDataError(
        f"{layout.served(service)}: nothing was logged {which}",
        hint="run: featurestore serve --log-features 1",
    )
