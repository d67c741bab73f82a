"""Read: the rows of a dataset, feature view or training set that is built, as one frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.errors import UnknownNameError
from featurestore.storage.datasets import scan_dataset
from featurestore.storage.files import require_parquet
from featurestore.storage.made_by import require_made_by
from featurestore.storage.parquet import read_files

if TYPE_CHECKING:
    import polars as pl

    from featurestore.workspace import Workspace


def read(workspace: Workspace, name: str) -> pl.DataFrame:
    """Read all rows of a source, dataset, feature view or training set.

    Raises
    ------
    UnknownNameError
        If none of them has the name.
    MissingDataError
        If it is not built yet.
    SkewError
        If another definition of it made the rows.
    """
    catalog, layout = workspace.catalog, workspace.layout
    if name in catalog.nodes:
        return scan_dataset(catalog.nodes[name], layout).collect()
    if name not in catalog.training_sets:
        raise UnknownNameError(
            "source, dataset, feature view or training set", name, (*catalog.nodes, *catalog.training_sets)
        )
    path = require_parquet(layout.training(name), made_by=f"featurestore training-set {name}")
    return read_files(require_made_by(catalog.training_sets[name], path))
