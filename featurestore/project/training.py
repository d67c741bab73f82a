"""Training sets, as methods of the project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.operations.card.card import CardFiles, card
from featurestore.operations.rebuild.rebuild import Rebuilt, rebuild
from featurestore.operations.training_set.data import TrainingData, read_training_set
from featurestore.operations.training_set.model_record import ModelRecord, require_model, write_model_record
from featurestore.operations.training_set.split_drift import split_drift
from featurestore.operations.training_set.training_set import (
    require_same_service,
    training_manifest,
    training_set,
)
from featurestore.project.retrieval import Retrieval
from featurestore.values.checked_calls import checked_methods

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from featurestore.operations.training_set.frozen_splits import SplitChange
    from featurestore.operations.training_set.manifest import TrainingManifest
    from featurestore.quality.change.drift import Drift


@checked_methods
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

    def read_training_set(self, name: str, *, features: Sequence[str] | None = None) -> TrainingData:
        """Open a training set, to read it as Polars, Arrow, pandas, NumPy arrays or batches."""
        return read_training_set(self._workspace, name, features=features)

    def rebuild(self, manifest: Path | str, *, progress: Callable[[str], None] = lambda _: None) -> Rebuilt:
        """Build a training set again from the revision and data of its record, and compare values and bytes."""
        return rebuild(self._workspace, manifest, progress=progress)

    def split_drift(self, name: str) -> dict[str, Drift]:
        """Compare validation and test with the vectors that were served in the last days; empty if none were."""
        return split_drift(self._workspace, name)

    def card(self, name: str) -> CardFiles:
        """Write the data card of a training set, as HTML, Markdown and Croissant; returns the paths."""
        return card(self._workspace, name)

    def training_manifest(self, name: str) -> TrainingManifest | None:
        """Read the manifest of a training set; None: the training set is not built yet."""
        return training_manifest(self._workspace, name)

    def require_same_service(self, name: str) -> None:
        """Raise `SkewError` if another definition of its service made the training set on disk."""
        require_same_service(self._workspace, name)

    def write_model_record(self, model: Path | str, training_set: str) -> ModelRecord:
        """Write a record beside the file of a model: the training set, and the features as they are served."""
        return write_model_record(self._workspace, model, training_set)

    def require_model(self, model: Path | str) -> ModelRecord:
        """Raise `SkewError` if a model was trained on other features than are served now; returns its record."""
        return require_model(self._workspace, model)
