"""What a check may know beside the rows of its dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.quality.change.history import Run
from featurestore.quality.rules.expectations import ValidationContext
from featurestore.storage.datasets import scan_dataset
from featurestore.storage.files import read_records

if TYPE_CHECKING:
    import polars as pl

    from featurestore.workspace import Workspace

RUNS = 10


def validation_context(workspace: Workspace, name: str) -> ValidationContext:
    """Collect the current time, the other datasets, and the row counts of the last accepted runs of a dataset."""
    runs = read_records(workspace.layout.history(name), Run)
    volumes = tuple(run.rows for run in runs if run.decision != "refused")

    def dataset(reference: str) -> pl.LazyFrame:
        return scan_dataset(workspace.catalog.node(reference), workspace.layout, any_definition=True)

    return ValidationContext(workspace.now(), dataset, volumes[-RUNS:])
