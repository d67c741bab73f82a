"""Awaiting: training sets whose labels are of answers, while no answer is logged: no stage can build them yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.storage.layout import has_version
from featurestore.storage.served_log import served_files

if TYPE_CHECKING:
    from featurestore.definitions.feature_service import TrainingSet
    from featurestore.workspace import Workspace


def awaiting_answers(workspace: Workspace) -> tuple[str, ...]:
    """List the training sets without a stage: their answers are not logged yet, or the log of answers has no version.

    A log that has a version and is not pulled yet counts as logged.
    """
    return tuple(
        name for name, training in workspace.catalog.training_sets.items() if _awaits(workspace, training)
    )


def sets_with_stage(workspace: Workspace) -> tuple[TrainingSet, ...]:
    """List the training sets with a stage: all but those of `awaiting_answers`."""
    awaiting = awaiting_answers(workspace)
    sets = workspace.catalog.training_sets
    return tuple(training for name, training in sets.items() if name not in awaiting)


def _awaits(workspace: Workspace, training: TrainingSet) -> bool:
    log = workspace.layout.all_served
    if not training.served:
        return False
    if not has_version(log):
        return True
    return log.exists() and not served_files(training.service.name, workspace.layout)
