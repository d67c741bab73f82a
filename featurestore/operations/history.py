"""History: read what each run of a dataset measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.quality.change.history import Run
from featurestore.storage.files import read_records

if TYPE_CHECKING:
    from featurestore.workspace import Workspace


def history(workspace: Workspace, name: str) -> list[Run]:
    """Read what each run of a dataset measured, the oldest run first.

    Raises
    ------
    UnknownNameError
        If the dataset is not defined.
    """
    return read_records(workspace.layout.history(workspace.catalog.node(name).name), Run)
