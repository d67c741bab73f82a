"""History: read what each run of a dataset measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from featurestore.quality.change.history import Run
from featurestore.quality.gate.personal import shown_metrics
from featurestore.storage.files import read_records

if TYPE_CHECKING:
    from featurestore.workspace import Workspace


def history(workspace: Workspace, name: str) -> list[Run]:
    """Read what each run of a dataset measured, the oldest run first.

    If a column became personal after a run, its earlier metrics are left out too.

    Raises
    ------
    UnknownNameError
        If the dataset is not defined.
    """
    node = workspace.catalog.node(name)
    runs = read_records(workspace.layout.history(node.name), Run)
    return [structs.replace(run, metrics=shown_metrics(run.metrics, node.contract)) for run in runs]
