"""The one output port: text for people, JSON for programs, progress only where a person is watching."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


@dataclass
class Output:
    """Where a command's result goes.

    Attributes
    ----------
    json
        True: one JSON document on standard output, nothing else.
    """

    json: bool = False

    def result(self, record: object, text: str) -> None:
        """Print a command's result: the record as JSON, or the text."""
        sys.stdout.write((msgspec.json.encode(record).decode() if self.json else text) + "\n")

    @contextmanager
    def progress(self, total: int, doing: str) -> Iterator[Callable[[str], None]]:
        """Show progress over `total` steps on standard error, if that is a terminal; call it as each step starts."""
        if not sys.stderr.isatty():
            yield lambda _: None
            return
        from rich.console import Console  # noqa: PLC0415 - only for people
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
        """Show progress over rows, a bar for each name; call it with the name, the rows done, and of how many."""
        if not sys.stderr.isatty():
            yield lambda *_: None
            return
        from rich.console import Console  # noqa: PLC0415 - only for people
        from rich.progress import Progress, TaskID  # noqa: PLC0415

        with Progress(console=Console(stderr=True), transient=True) as bar:
            tasks: dict[str, TaskID] = {}

            def step(name: str, done: int, total: int) -> None:
                if name not in tasks:
                    tasks[name] = bar.add_task(f"{doing} {name}")
                bar.update(tasks[name], completed=done, total=total)

            yield step


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Set rows in columns, the first row being the head; a column of numbers stands right, any other left."""
    columns = []
    for head, *cells in zip(*rows, strict=True):
        width = max(map(len, (head, *cells)))
        align = str.rjust if all(cell.replace(",", "").isdigit() for cell in cells) else str.ljust
        columns.append([align(cell, width) for cell in (head, *cells)])
    return "\n".join("  ".join(row).rstrip() for row in zip(*columns, strict=True))
