"""What plain Feast 0.67 does with the faults of docs/faults.md: the same situation, in a small repository of Feast.

Each answer is compared with the value that docs/concepts.md defines:

- ``wrong, silently``: training or serving gives another value, and no command says so.
- ``refuses``: a command of Feast fails.
- ``right``: both values are right. Feast has no command that compares the two.
- ``no such concept``: plain Feast has nothing that could go wrong in this way.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import warnings
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

WRONG, REFUSES, RIGHT, ABSENT = "wrong, silently", "refuses", "right", "no such concept"
SMALL = 8
NO_SUCH_CONCEPT = (
    "delay ignored",
    "cadence rounded down",
    "history prefers the file that was read last",
    "a release loses a row",
    "a release whose definitions are edited",
    "a row with too few fields",
    "a column name that occurs twice",
    "a deletion that does not reach the store",
    "a deletion undone by the next full run",
    "history forgets deletions",
    "an audit that ignores statuses",
    "an audit that takes -0.0 for 0.0",
    "an audit that finds differences and succeeds",
    "an audit that reads no serving path",
)


def answer(experiment: Callable[[Path], tuple[object, object]]) -> str:
    """Run an experiment in a folder of its own, and say what Feast did."""
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        try:
            observed, expected = experiment(Path(folder))
        except Exception as error:  # noqa: BLE001 - any failure of Feast is its answer
            return f"{REFUSES} ({type(error).__name__})"
    return RIGHT if is_same(observed, expected) else WRONG


def is_same(observed: Any, expected: Any) -> bool:
    """Compare what Feast answers with what is right; its types differ by the way that it answers."""
    if isinstance(expected, list | tuple):
        is_list = isinstance(observed, list | tuple) and len(observed) == len(expected)
        return is_list and all(map(is_same, observed, expected))
    if isinstance(expected, date):
        return _instant(observed) == _instant(expected)
    if isinstance(expected, Decimal) and isinstance(observed, str):
        return Decimal(observed) == expected
    if isinstance(expected, float) and isinstance(observed, float):
        return expected.hex() == observed.hex()  # not `==`, which takes 0.0 for -0.0
    return bool(observed == expected)


def _instant(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime(value.year, value.month, value.day, tzinfo=UTC) if isinstance(value, date) else value


def answers(*, small: bool) -> dict[str, str]:
    """Return what Feast does with each fault, by the name of the fault."""
    # Feast takes seconds to import.
    for part in ("data", "definition", "value"):
        importlib.import_module(f"feast_{part}_experiments")
    experiments = importlib.import_module("feast_repository").EXPERIMENTS
    if small:
        names = list(experiments)
        experiments = {name: experiments[name] for name in names[:: len(names) // SMALL]}
    measured = {name: answer(experiment) for name, experiment in experiments.items()}
    return measured | dict.fromkeys(NO_SUCH_CONCEPT, ABSENT)


def main() -> None:
    """Print what Feast does with each fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a few of the faults")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for name, observed in answers(small=options.small).items():
        print(f"{name:<60}  {observed}")


if __name__ == "__main__":
    sys.exit(main())
