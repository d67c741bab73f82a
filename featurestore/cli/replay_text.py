"""What a replay found, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.cli.output import table
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from featurestore.project import ReplayRecord


def replay_text(record: ReplayRecord) -> str:
    """Show counts of vectors, cells and mismatches; then causes, stale answers, writes in flight and vectors left out."""
    lines = [
        f"{counted(record.vectors, 'vector')}, {counted(record.cells, 'cell')} replayed, {counted(record.mismatches, 'mismatch')}",
    ]
    if record.causes:
        rows = [("cause", "cells"), *((cause.value, f"{count:,}") for cause, count in record.causes.items())]
        lines.append(table(rows))
    if record.stale:
        lines.append(
            f"{counted(record.stale, 'vector')} {_were(record.stale)} marked as stale; cells of them that differ do not count as mismatches"
        )
    if record.in_flight:
        lines.append(
            f"{counted(record.in_flight, 'vector')} {_were(record.in_flight)} asked for while a push or a deletion was written, and show the state "
            "before it"
        )
    lines += [
        f"{counted(part.vectors, 'vector')} left out: {part.cause.value}: {'the project' if part.is_of_project else f'release {part.release}'} served them by definition "
        f"{part.definition}, which neither the project nor a release has now"
        for part in record.left_out
    ]
    return "\n".join(lines)


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
