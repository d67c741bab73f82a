"""Text of the splits of a training set, and of their drift."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.values.escapes import one_line
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from featurestore.project import TrainingManifest
    from featurestore.quality.change.drift import Drift

MAX_CLASSES = 10
MAX_COLUMNS = 3


def split_lines(manifest: TrainingManifest) -> Iterator[str]:
    """Show the rows and classes of each split, the rows that are in none, and where splits overlap."""
    from featurestore.splits.assign import LEFT_OUT  # noqa: PLC0415 - `--help` answers at once

    for name, part in manifest.splits.items():
        share = part.rows / manifest.rows
        classes = [f"{one_line(value)} {count / part.rows:.1%}" for value, count in part.labels.items()]
        more = [f"{len(classes) - MAX_CLASSES:,} more"] if len(classes) > MAX_CLASSES else []
        balance = f"; {manifest.label}: {', '.join([*classes[:MAX_CLASSES], *more])}" if classes else ""
        yield f"  {name}: {counted(part.rows, 'row')} ({share:.1%}){balance}"
    if manifest.sampled is not None:
        sampled = manifest.sampled
        prior = [f"{one_line(value)} {share:.1%}" for value, share in sampled.prior.items()][:MAX_CLASSES]
        before = f"; {manifest.label} before: {', '.join(prior)}" if prior else ""
        yield (
            f"  sample: train has {counted(sampled.rows, 'row')}, was {sampled.rows_before:,}; {sampled.repeated:,} repeated"
            f"{before}"
        )
    for reason, count in manifest.left_out.items():
        yield f"  {counted(count, 'row')} left out: {LEFT_OUT[reason]}"
    for warning in manifest.warnings:
        yield f"  warning: {warning}"


def drift_lines(manifest: TrainingManifest, drifts: Mapping[str, Drift]) -> Iterator[str]:
    """Show how far each split is from what was served in the last days, with the columns of the highest severity."""
    for split, drift in drifts.items():
        columns = [column for column in drift.columns if column.severity == drift.severity != "none"]
        shown = [f"{column.column} ({'; '.join(column.reasons)})" for column in columns[:MAX_COLUMNS]]
        more = [f"{len(columns) - MAX_COLUMNS:,} more"] if len(columns) > MAX_COLUMNS else []
        why = f": {', '.join([*shown, *more])}" if shown else ""
        yield (
            f"{manifest.name}: drift from {split} to the {counted(drift.rows[1], 'vector')} served in the last days is "
            f"{drift.severity}{why}"
        )
