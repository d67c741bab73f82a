"""Adopt: write a project from a Feast repository."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from featurestore.cli.options import Json  # noqa: TC001 - Typer reads annotations at run time
from featurestore.cli.output import Output, table
from featurestore.errors import ConfigError, SkewError
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from featurestore.project import Adopted, AdoptedNote, FeastComparison

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
HEADS = {"trap": "traps", "changed": "not the same as in Feast", "left_out": "left out"}
REASONS = {
    "known_later": "Feast shows a row before it was known: the future",
    "expired": "Feast keeps an expired value online",
    "json_form": "Feast writes the same JSON in another form",
    "rounded": "the value is rounded to the declared Float32",
    "quarantined": "Feast answers with a row that is in quarantine here",
    "older_version": "Feast answers with an older version of the same event",
    "unexplained": "no reason is known",
}


def adopt(
    feast_repo: Annotated[
        Path, typer.Argument(help="Folder of a feature_store.yaml of Feast.", show_default=False)
    ],
    *,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            help="Folder of the new project; default FEAST_REPO_adopted, beside it.",
            show_default=False,
        ),
    ] = None,
    write: Annotated[
        bool,
        typer.Option("--write", help="Write the project, build it, and compare its answers with Feast's."),
    ] = False,
    backfill: Annotated[
        list[str] | None,
        typer.Option(
            "--backfill",
            help="VIEW or VIEW=DELAY: created timestamps of the view are the time of a backfill; its rows are known DELAY "
            "(such as 1h; default 0s) after their event. Repeatable.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Read a Feast repository, and write the same definitions as a project of featurestore.

    Without --write, prints what would be written, what is left out with the reason, and where values would differ. The
    Feast repository stays as it is. Exits with 5 if a compared cell differs for an unknown reason.

    Example: `featurestore adopt feature_repo`

    Example: `featurestore adopt feature_repo --write --backfill driver_hourly_stats=1h`
    """
    from featurestore.project import adopt as adopt_repository  # noqa: PLC0415 - `--help` answers at once

    adopted = adopt_repository(feast_repo, to, backfills=backfills_of(backfill or []), write=write)
    Output(json).result(adopted, "\n".join(adopted_text(adopted)))
    if adopted.unexplained:
        raise SkewError(
            f"Feast and the adopted project differ for an unknown reason in {counted(adopted.unexplained, 'cell')}",
            hint="compare these rows: featurestore explain shows the row that answers here",
        )


def backfills_of(words: Sequence[str]) -> dict[str, timedelta]:
    """Read ``VIEW`` and ``VIEW=DELAY`` words.

    Raises
    ------
    ConfigError
        If a delay is not a number with a unit.
    """
    delays = {}
    for word in words:
        name, _, text = word.partition("=")
        match = re.fullmatch(r"(\d+)([smhd])", text or "0s", re.ASCII)
        if match is None or not name:
            raise ConfigError(
                f"--backfill is {word!r}; expected VIEW or VIEW=DELAY, with a delay such as 90s, 5m, 1h or 2d",
                hint="example: --backfill driver_hourly_stats=1h",
            )
        delays[name] = timedelta(**{UNITS[match[2]]: int(match[1])})
    return delays


def adopted_text(adopted: Adopted) -> Iterator[str]:
    """Show what is adopted, the notes, the comparison and the next steps."""
    source = "modules" if adopted.read_from == "python" else "registry"
    counts = [
        f"{written:,} of {total:,} {name}"
        for name, (total, written) in (
            ("feature views", adopted.views),
            ("on-demand views", adopted.on_demand),
            ("feature services", adopted.services),
        )
        if total
    ]
    plan = "" if adopted.written else "a plan: "
    yield f"{plan}{adopted.project}: {', '.join(counts) or 'nothing to adopt'} (read from Feast's {source})"
    for kind, head in HEADS.items():
        notes = [note for note in adopted.notes if note.kind == kind]
        if notes:
            yield f"\n{head}:"
            for note in notes:
                yield from _note_lines(note)
    if not adopted.written:
        yield f"\nnothing is written yet; to write {adopted.target}, add --write to the command"
        return
    yield f"\n{counted(len(adopted.written), 'file')} written in {adopted.target}"
    yield from _comparison_lines(adopted.comparisons)
    yield f"\nnext:\n  cd {adopted.target}\n  featurestore check\n  featurestore pipeline --write"


def _note_lines(note: AdoptedNote) -> Iterator[str]:
    yield f"  {note.name}: {note.reason}"
    if note.remedy:
        yield f"    {note.remedy}"


def _comparison_lines(comparisons: Sequence[FeastComparison]) -> Iterator[str]:
    if not comparisons:
        return
    rows = [("view", "read", "rows", "cells", "same", "explained", "unexplained")]
    rows += [
        (
            c.view,
            c.side,
            f"{c.rows:,}",
            f"{c.cells:,}",
            f"{c.same:,}",
            f"{c.cells - c.same - c.unexplained:,}",
            f"{c.unexplained:,}",
        )
        for c in comparisons
    ]
    yield f"\nthe same rows through Feast and here:\n{table(rows)}"
    for comparison in comparisons:
        if comparison.failure:
            yield f"  {comparison.view}, {comparison.side}: not compared: {comparison.failure}"
    for comparison in comparisons:
        yield from _difference_lines(comparison)


def _difference_lines(comparison: FeastComparison) -> Iterator[str]:
    """Show the differences of a view by their reason, with the first cell of each as an example."""
    for reason, meaning in REASONS.items():
        differences = [d for d in comparison.differences if d.reason == reason]
        if not differences:
            continue
        first = differences[0]
        row = "" if first.event is None else f"; its row is of {_time(first.event)}"
        row += "" if first.known_at is None else f", known at {_time(first.known_at)}"
        yield (
            f"  {comparison.view}, {comparison.side}, {', '.join(d.feature for d in differences)}: "
            f"{counted(sum(d.cells for d in differences), 'cell')}: {meaning}"
        )
        yield (
            f"    such as {first.feature} of {first.key} at {_time(first.timestamp)}: Feast {first.feast}, "
            f"here {first.ours}{row}"
        )


def _time(timestamp: object) -> str:
    return str(timestamp).removesuffix("+00:00")
