"""Profile: read what the gate measured of the values of a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.quality.profile.profile import Profile
from featurestore.storage.datasets import build_command
from featurestore.storage.files import read_record

if TYPE_CHECKING:
    from featurestore.workspace import Workspace


def profile(workspace: Workspace, name: str) -> Profile:
    """Read the profile of a dataset or training set.

    Raises
    ------
    UnknownNameError
        If it is not defined.
    MissingDataError
        If it is not built yet.
    """
    layout = workspace.layout
    if name in workspace.catalog.training_sets:
        path = layout.training_profile(name)
        return read_record(path, Profile, made_by=f"featurestore training-set {name}")
    command = build_command(workspace.catalog.node(name))
    return read_record(layout.profile(name), Profile, made_by=command)
