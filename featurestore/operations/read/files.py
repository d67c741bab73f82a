"""Files to compare: one file, the files of a pattern, or those of a folder, with the dtypes that their values have."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from featurestore.definitions.source import FORMATS
from featurestore.operations.read.input import files_of, scan_input
from featurestore.quality.gate.partition import SOURCE_FILE, SOURCE_ROW
from featurestore.quality.profile.profile import Profile, profile, profile_file
from featurestore.storage.csv_files import read_complete_csv, require_complete_csv
from featurestore.storage.files import translated_read_errors
from featurestore.storage.parquet import scan_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from featurestore.operations.read.input import Input
    from featurestore.workspace import Workspace


def is_path(workspace: Workspace, reference: str) -> bool:
    """Return whether a reference names a file, the files of a pattern or a folder. A dataset goes before a folder."""
    if reference.endswith(FORMATS):
        return True
    catalog = workspace.catalog
    is_dataset = reference.partition("@")[0] in (*catalog.nodes, *catalog.training_sets)
    return not is_dataset and ((workspace.root / reference).is_dir() or Path(reference).is_dir())


def rows_of_files(
    workspace: Workspace, reference: str
) -> tuple[pl.LazyFrame, pl.LazyFrame, Callable[[], Profile]]:
    """Return the rows of files as they are, the rows with the dtypes that their text has, and what profiles them.

    Raises
    ------
    MissingDataError
        If no file exists.
    ContractError
        If a file cannot be read, or several files differ in columns or dtypes.
    """
    data = files_of(workspace, reference)
    file = data.files[0]
    with translated_read_errors(reference, file):
        raw = _raw(workspace, data)
        if data.typed:
            raw.collect_schema()
            rows = raw
        else:
            text = raw.collect(engine="streaming")
            raw, rows = text.lazy(), text.select(map(_guessed, text)).lazy()

    def read_profile() -> Profile:
        with translated_read_errors(reference, file):
            if data.typed and data.pattern is None:
                return profile_file(file, dataset=data.name)
            return profile(rows, dataset=data.name)

    return raw, rows, read_profile


def _raw(workspace: Workspace, data: Input) -> pl.LazyFrame:
    file = data.files[0]
    if data.pattern is None:
        return scan_files(file) if data.typed else read_complete_csv(file, file.name).lazy()
    if not data.typed:
        for path in data.files:
            require_complete_csv(path, path.name)
    return scan_input(workspace, data).drop(SOURCE_FILE, SOURCE_ROW)


def _guessed(text: pl.Series) -> pl.Series:
    """Cast a column of text to the first dtype that all its values can be read as; an empty column stays text."""
    booleans = {"true": True, "false": False}
    readings: tuple[Callable[[], pl.Series], ...] = (
        lambda: text.cast(pl.Int64, strict=False),
        lambda: text.cast(pl.Float64, strict=False),
        lambda: text.str.to_lowercase().replace_strict(booleans, default=None, return_dtype=pl.Boolean),
        lambda: text.str.to_date("%Y-%m-%d", strict=False),
        lambda: text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_zone="UTC", strict=False),
        lambda: text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False),
        lambda: text.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False),
    )
    for read in readings:
        values = read()
        if values.null_count() == text.null_count() < text.len():
            return values
    return text
