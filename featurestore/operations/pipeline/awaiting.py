"""Awaiting: training sets of labels of answers that no answer was logged for yet, so that no stage can build them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.storage.layout import version_record
from featurestore.storage.served_log import served_files

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.definitions.feature_service import TrainingSet
    from featurestore.workspace import Workspace


def awaiting_answers(workspace: Workspace) -> tuple[str, ...]:
    """List the training sets whose answers are not logged yet, or whose log has no version: they have no stage.

    A log that has a version and is not pulled yet counts as logged.
    """
    return tuple(
        name for name, training in workspace.catalog.training_sets.items() if _awaits(workspace, training)
    )


def piped_sets(workspace: Workspace) -> tuple[TrainingSet, ...]:
    """List the other training sets: each has a stage."""
    awaiting = awaiting_answers(workspace)
    sets = workspace.catalog.training_sets
    return tuple(training for name, training in sets.items() if name not in awaiting)


def has_version(folder: Path) -> bool:
    """Return whether DVC has a version of the folder of a log: without one, a clone would have no such folder."""
    return version_record(folder).exists()


def _awaits(workspace: Workspace, training: TrainingSet) -> bool:
    log = workspace.layout.all_served
    if not training.served:
        return False
    if not has_version(log):
        return True
    return log.exists() and not served_files(training.service.name, workspace.layout)
