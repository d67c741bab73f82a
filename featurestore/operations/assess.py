"""Assess: answer five questions about a dataset from its records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.operations.history import history
from featurestore.operations.profile import profile
from featurestore.operations.verdict.verdict import verdict
from featurestore.quality import assess as assessment
from featurestore.quality.change.change_summary import change_summary
from featurestore.quality.change.drift import drift
from featurestore.quality.profile.profile import Profile
from featurestore.storage.datasets import build_command
from featurestore.storage.files import read_record

if TYPE_CHECKING:
    from featurestore.definitions.catalog import Node
    from featurestore.quality.assess import Assessment
    from featurestore.workspace import Workspace


def assess(workspace: Workspace, name: str) -> Assessment:
    """Answer whether a dataset is accessible, sizeable, usable, understandable and reliable.

    Raises
    ------
    MissingDataError
        If the dataset never passed the gate.
    """
    node = workspace.catalog.node(name)
    runs = history(workspace, name)
    current = profile(workspace, name)
    before = _profile_before(workspace, node)
    changed = None if before is None else drift(before, current, node.contract.columns)
    labels = (training.label for training in workspace.catalog.training_sets.values())
    return assessment.assess(
        name,
        node.contract,
        owner=node.owner,
        verdict=verdict(workspace, name),
        profile=current,
        runs=runs,
        now=workspace.now(),
        label=next((label for label in labels if label in node.contract), None),
        notes=change_summary(node.contract, runs, changed),
    )


def _profile_before(workspace: Workspace, node: Node) -> Profile | None:
    """Read the profile of the rows that the rows in place replaced; None: these are the first rows."""
    path = workspace.layout.profile_before(node.name)
    return read_record(path, Profile, made_by=build_command(node)) if path.exists() else None
