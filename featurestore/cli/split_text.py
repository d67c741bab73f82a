"""Text of the splits of a training set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.values.escapes import one_line
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from featurestore.project import TrainingManifest

MAX_CLASSES = 10


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
            f"  sample: {counted(sampled.rows, 'row')} of {sampled.rows_before:,} in train, {sampled.repeated:,} repeated"
            f"{before}"
        )
    for reason, count in manifest.left_out.items():
        yield f"  {counted(count, 'row')} left out: {LEFT_OUT[reason]}"
    for warning in manifest.warnings:
        yield f"  warning: {warning}"
