"""Validation and test are frozen by digest: a set that is built again says which of them changed, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from featurestore.errors import SkewError
from featurestore.splits.declare import TRAIN
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from featurestore.operations.training_set.manifest import TrainingManifest

LOG = "log of pushed and deleted rows"


@dataclass(frozen=True)
class SplitChange:
    """A validation or test split that differs from the former build of its training set.

    Attributes
    ----------
    split
        Its name.
    rows_before, rows, digest_before, digest
        What it held, and holds now.
    causes
        What differs between the builds: the definition, the timestamp, or data by name. Empty: only rows that were
        pushed or deleted can differ.
    """

    split: str
    rows_before: int
    rows: int
    digest_before: str
    digest: str
    causes: tuple[str, ...]

    def __str__(self) -> str:
        sizes = f"{counted(self.rows_before, 'row')} before, {counted(self.rows, 'row')} now"
        return f"{self.split} changed since the last build ({sizes}), by another {', '.join(self.causes or [LOG])}"


def split_changes(
    before: TrainingManifest, now: TrainingManifest, *, at_given_time: bool = False
) -> tuple[SplitChange, ...]:
    """List the validation and test splits that differ between two builds of a training set.

    Parameters
    ----------
    at_given_time
        Whether `as_of` of the new build was given. Otherwise it is the clock's: it is a cause only if labels matured.
    """
    causes = _causes(before, now, at_given_time=at_given_time)
    return tuple(
        SplitChange(
            split=name,
            rows_before=before.splits[name].rows,
            rows=part.rows,
            digest_before=before.splits[name].digest,
            digest=part.digest,
            causes=causes,
        )
        for name, part in now.splits.items()
        if name != TRAIN and name in before.splits and before.splits[name].digest != part.digest
    )


def require_frozen(changes: Iterable[SplitChange], name: str) -> None:
    """Refuse changes of a training set that reads no pushed or deleted rows, if nothing else explains them.

    Raises
    ------
    SkewError
        If validation or test changed, but neither the definition nor the data.
    """
    for change in changes:
        if not change.causes:
            raise SkewError(
                f"training set {name!r}: {change.split} changed from {change.digest_before} to {change.digest}, but its "
                "definition and its data did not",
                hint=f"run: featurestore check --reproducible {name}",
                definition=name,
            )


def _causes(before: TrainingManifest, now: TrainingManifest, *, at_given_time: bool) -> tuple[str, ...]:
    causes = []
    if (
        before.fingerprint is None
        or now.fingerprint is None
        or before.fingerprint.digest != now.fingerprint.digest
    ):
        causes.append("definition")
    if before.as_of != now.as_of and (at_given_time or before.immature != now.immature):
        causes.append("as_of")
    if before.split != now.split:
        causes.append("split")
    files = {**now.inputs, **now.features}
    files_before = {**before.inputs, **before.features}
    changed = [name for name, digest in files.items() if files_before.get(name) != digest]
    if changed:
        causes.append(f"version of {', '.join(changed)}")
    return tuple(causes)
