"""Training sets, as methods of the project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.operations.training_set import (
    TrainingManifest,
    require_same_service,
    training_manifest,
    training_set,
)
from featurestore.project.retrieval import Retrieval

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from featurestore.operations.frozen_splits import SplitChange


class Training(Retrieval):
    """The base of `featurestore.Project` that builds and reads training sets."""

    def training_set(
        self,
        name: str,
        *,
        as_of: datetime | str | None = None,
        on_split_change: Callable[[SplitChange], None] = lambda _: None,
    ) -> TrainingManifest:
        """Build a training set, of the rows whose label is known now, or was known `as_of` a timestamp."""
        return training_set(self._workspace, name, as_of=as_of, on_split_change=on_split_change)

    def training_manifest(self, name: str) -> TrainingManifest | None:
        """Read the manifest of a training set; None: the training set is not built yet."""
        return training_manifest(self._workspace, name)

    def require_same_service(self, name: str) -> None:
        """Raise `SkewError` if another definition of its service made the training set on disk."""
        require_same_service(self._workspace, name)
