"""The parallelism of a program: its processor time by the number of threads that are ready to run.

``with measured_parallelism() as parallelism:`` starts a process that looks at the threads of this one every two
milliseconds. It needs Linux, and any number of cores: a thread that waits for a core is ready to run, so with
``POLARS_MAX_THREADS=16`` two cores show what sixteen could do. It does not see shorter phases or the limits of memory
bandwidth, and it takes a thread that spins while it waits for one that works.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from select import select
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

CORES = 16
SECONDS_BETWEEN = 0.002
# The fewest ready threads of each column of the table.
CLASSES = (1, 2, 4, 8, 16)
HEADER = f"{'1':>6}{'2-3':>6}{'4-7':>6}{'8-15':>6}{'16+':>6}{'x on 16':>9}"


@dataclass
class Parallelism:
    """Processor seconds of a program by the number of its threads that were ready to run."""

    seconds: dict[int, float] = field(default_factory=dict)

    def add(self, ready: int, seconds: float) -> None:
        """Add work that was done while a number of threads was ready."""
        self.seconds[ready] = self.seconds.get(ready, 0.0) + seconds

    @property
    def total(self) -> float:
        """All processor seconds."""
        return sum(self.seconds.values())

    @property
    def serial_share(self) -> float:
        """The share of the work that was done while one thread was ready."""
        return self.seconds.get(1, 0.0) / self.total if self.total else 0.0

    def shortest(self, cores: int = CORES) -> float:
        """Return the seconds that the work takes on `cores` cores, if each ready thread has one where there are enough."""
        return sum(seconds / min(cores, ready) for ready, seconds in self.seconds.items())

    def speed_up(self, cores: int = CORES) -> float:
        """Return how many times faster than on one core the work can be."""
        return self.total / self.shortest(cores) if self.total else 1.0

    def line(self) -> str:
        """Format the shares of the work by ready threads, and the speed-up, below `HEADER`; empty if nothing was measured."""
        if not self.seconds:
            return ""
        ends = (*CLASSES[1:], sys.maxsize)
        shares = [
            sum(seconds for ready, seconds in self.seconds.items() if first <= ready < end) / self.total
            for first, end in zip(CLASSES, ends, strict=True)
        ]
        return "".join(f"{share:6.0%}" for share in shares) + f"{self.speed_up():9.1f}"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options ``--threads`` and ``--parallelism`` to those of a benchmark."""
    parser.add_argument(
        "--threads",
        type=int,
        nargs="+",
        default=[pl.thread_pool_size()],
        help="numbers of threads to measure",
    )
    parser.add_argument(
        "--parallelism",
        action="store_true",
        help="shares of the work by the number of threads that are ready",
    )


def environment(threads: int) -> dict[str, str]:
    """Return the environment of a process that works with a number of threads."""
    chosen = {} if threads == pl.thread_pool_size() else {"POLARS_MAX_THREADS": str(threads)}
    return os.environ | chosen


@contextmanager
def measured_parallelism(*, wanted: bool = True) -> Iterator[Parallelism]:
    """Measure what this process does in the block, if that is wanted. The result is complete after the block."""
    parallelism = Parallelism()
    if not wanted:
        yield parallelism
        return
    command = [sys.executable, __file__, str(os.getpid())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as watcher:
        watcher.stdout.readline()  # it is ready
        yield parallelism
        written, _ = watcher.communicate()
    for ready, seconds in json.loads(written):
        parallelism.add(ready, seconds)


def watch(pid: int) -> Parallelism:
    """Look at the threads of a process until standard input ends."""
    parallelism = Parallelism()
    tasks = Path(f"/proc/{pid}/task")
    before = _processor_times(tasks)
    print("ready", flush=True)
    is_done = False
    while not is_done:
        is_done = bool(select([sys.stdin], [], [], SECONDS_BETWEEN)[0])
        ready = max(_ready_threads(tasks), 1)
        now = _processor_times(tasks)
        # The last milliseconds of a thread that ended are missing.
        parallelism.add(ready, sum(spent - before.get(thread, 0) for thread, spent in now.items()) / 1e9)
        before = now
    return parallelism


def _ready_threads(tasks: Path) -> int:
    count = 0
    for thread in tasks.iterdir():
        # After the name, which is in parentheses and may hold any character, comes the state.
        count += _read(thread / "stat").rpartition(")")[2].startswith(" R")
    return count


def _processor_times(tasks: Path) -> dict[str, int]:
    texts = {thread.name: _read(thread / "schedstat") for thread in tasks.iterdir()}
    return {name: int(text.split()[0]) for name, text in texts.items() if text}


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""  # the thread ended


if __name__ == "__main__":
    measured = watch(int(sys.argv[1]))
    print(json.dumps(list(measured.seconds.items())))
