"""Dataset: scan the rows of a dataset that is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.storage.datasets import scan_dataset

if TYPE_CHECKING:
    import polars as pl

    from featurestore.workspace import Workspace


def dataset(workspace: Workspace, name: str) -> pl.LazyFrame:
    """Scan the rows of a source, dataset or feature view.

    Raises
    ------
    UnknownNameError
        If the dataset is not defined.
    MissingDataError
        If the dataset is not built yet.
    """
    return scan_dataset(workspace.catalog.node(name), workspace.layout, any_definition=True)
