"""Assess: answer five questions about a dataset from its records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.operations.records import history, profile, profile_before, verdict
from featurestore.quality.change.change_summary import moved
from featurestore.quality.profile import assess as assessment

if TYPE_CHECKING:
    from featurestore.quality.profile.assess import Assessment
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
        notes=moved(node.contract, runs, profile_before(workspace, name), current),
    )
