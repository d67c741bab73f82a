"""Output of commands: text for people, JSON for programs, progress only on a terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

import msgspec

from featurestore.values.escapes import escaped, escaped_json, one_line
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from rich.progress import Progress, Task, TaskID


@dataclass
class Output:
    """Prints the result of a command.

    Attributes
    ----------
    json
        True: print one JSON document on standard output, and nothing else.
    """

    json: bool = False

    def result(self, record: object, text: str) -> None:
        """Print a command's result: the record as JSON, or the text."""
        shown = escaped_json(msgspec.json.encode(record).decode()) if self.json else escaped(text)
        sys.stdout.write(f"{shown}\n")

    def warn(self, findings: Iterable[object]) -> None:
        """Print findings on standard error. JSON output has them in its record."""
        if not self.json:
            for finding in findings:
                complain(f"{finding}")

    @contextmanager
    def progress(self, total: int, doing: str) -> Iterator[Callable[[str], None]]:
        """Show progress over `total` steps on standard error, if it is a terminal. Call the result as each step starts.

        Shows the steps that are done, the time since the start, and the time to go. Before the first step is done, the bar
        moves without a share, because nothing is known of the time to go.
        """
        if not shows_progress():
            yield lambda _: None
            return
        with _bars("step") as bar:
            task = bar.add_task(doing, total=None, of=total)
            started = 0

            def step(name: str) -> None:
                nonlocal started
                known = total if started else None
                bar.update(task, completed=started, total=known, description=f"{doing} {name}")
                started += 1

            yield step

    @contextmanager
    def rows(self, doing: str) -> Iterator[Callable[[str, int, int], None]]:
        """Show progress over rows, a bar for each name. Call the result with the name, the rows done, and the total."""
        if not shows_progress():
            yield lambda *_: None
            return
        with _bars("row") as bar:
            tasks: dict[str, TaskID] = {}

            def step(name: str, done: int, total: int) -> None:
                if name not in tasks:
                    tasks[name] = bar.add_task(f"{doing} {name}", of=total)
                bar.update(tasks[name], completed=done, total=total, of=total)

            yield step


def _bars(unit: str) -> Progress:
    """Make bars with what is done, in a unit, the time since the start and the time to go."""
    from rich.console import Console  # noqa: PLC0415 - only terminals need Rich
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text  # noqa: PLC0415

    class Done(ProgressColumn):
        """What is done, of how much."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.completed:,.0f} of {counted(task.fields['of'], unit)}")

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        Done(),
        TimeElapsedColumn(),
        TextColumn("to go"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def shows_progress() -> bool:
    """Return whether to show progress: standard error is a terminal, and Rich is installed."""
    return sys.stderr.isatty() and find_spec("rich") is not None


def complain(text: str) -> None:
    """Print a message on standard error."""
    sys.stderr.write(f"{escaped(text)}\n")


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Align rows in columns; the first row is the head. Columns of numbers are right-aligned, all others left-aligned."""
    columns = []
    for head, *cells in ([one_line(cell) for cell in column] for column in zip(*rows, strict=True)):
        width = max(map(len, (head, *cells)))
        align = str.rjust if all(cell.replace(",", "").isdigit() for cell in cells) else str.ljust
        columns.append([align(cell, width) for cell in (head, *cells)])
    return "\n".join("  ".join(row).rstrip() for row in zip(*columns, strict=True))
