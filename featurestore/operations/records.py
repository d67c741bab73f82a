"""Records of a dataset: its last verdict, its profile, and what each run measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.quality.change.history import Run
from featurestore.quality.gate.verdict import Verdict
from featurestore.quality.profile.profile import Profile
from featurestore.storage.datasets import build_command
from featurestore.storage.files import read_lines, read_record

if TYPE_CHECKING:
    from featurestore.workspace import Workspace


def verdict(workspace: Workspace, name: str) -> Verdict:
    """Read the verdict of the gate on the rows in place.

    Raises
    ------
    MissingDataError
        If the dataset never passed the gate.
    """
    command = build_command(workspace.catalog.node(name))
    return read_record(workspace.layout.verdict(name), Verdict, made_by=command)


def profile(workspace: Workspace, name: str) -> Profile:
    """Read the profile of a dataset or training set.

    Raises
    ------
    MissingDataError
        If it is not built yet.
    """
    layout = workspace.layout
    if name in workspace.catalog.training_sets:
        return read_record(
            layout.training_profile(name), Profile, made_by=f"featurestore training-set {name}"
        )
    return read_record(layout.profile(name), Profile, made_by=build_command(workspace.catalog.node(name)))


def profile_before(workspace: Workspace, name: str) -> Profile | None:
    """Read the profile of the rows that the rows in place replaced; None: the dataset changed never yet."""
    path = workspace.layout.profile_before(name)
    command = build_command(workspace.catalog.node(name))
    return read_record(path, Profile, made_by=command) if path.exists() else None


def history(workspace: Workspace, name: str) -> list[Run]:
    """Read what each run of a dataset measured, the oldest run first.

    Raises
    ------
    UnknownNameError
        If the dataset is not defined.
    """
    return read_lines(workspace.layout.history(workspace.catalog.node(name).name), Run)
