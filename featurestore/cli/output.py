"""Output of commands: text for people, JSON for programs, progress only on a terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


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
        sys.stdout.write((msgspec.json.encode(record).decode() if self.json else text) + "\n")

    def warn(self, findings: Iterable[object]) -> None:
        """Print findings on standard error. JSON output has them in its record."""
        if not self.json:
            sys.stderr.write("".join(f"{finding}\n" for finding in findings))

    @contextmanager
    def progress(self, total: int, doing: str) -> Iterator[Callable[[str], None]]:
        """Show progress over `total` steps on standard error, if it is a terminal. Call the result as each step starts."""
        if not sys.stderr.isatty():
            yield lambda _: None
            return
        from rich.console import Console  # noqa: PLC0415 - only terminals need Rich
        from rich.progress import Progress  # noqa: PLC0415

        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(doing, total=total)
            started = 0

            def step(name: str) -> None:
                nonlocal started
                bar.update(task, completed=started, description=f"{doing} {name}")
                started += 1

            yield step

    @contextmanager
    def rows(self, doing: str) -> Iterator[Callable[[str, int, int], None]]:
        """Show progress over rows, a bar for each name. Call the result with the name, the rows done, and the total."""
        if not sys.stderr.isatty():
            yield lambda *_: None
            return
        from rich.console import Console  # noqa: PLC0415 - only terminals need Rich
        from rich.progress import Progress, TaskID  # noqa: PLC0415

        with Progress(console=Console(stderr=True), transient=True) as bar:
            tasks: dict[str, TaskID] = {}

            def step(name: str, done: int, total: int) -> None:
                if name not in tasks:
                    tasks[name] = bar.add_task(f"{doing} {name}")
                bar.update(tasks[name], completed=done, total=total)

            yield step


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Align rows in columns; the first row is the head. Columns of numbers are right-aligned, all others left-aligned."""
    columns = []
    for head, *cells in zip(*rows, strict=True):
        width = max(map(len, (head, *cells)))
        align = str.rjust if all(cell.replace(",", "").isdigit() for cell in cells) else str.ljust
        columns.append([align(cell, width) for cell in (head, *cells)])
    return "\n".join("  ".join(row).rstrip() for row in zip(*columns, strict=True))
