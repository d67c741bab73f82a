"""On-demand features of a few rows: a plain Python function of a row beside Polars, in one run.

``make bench-on-demand`` computes the five features of the reference project's `departure_conditions` in process, from
Python values to Python values, for 1, 10, 32 and 100 rows. Times are the best of several rounds, in microseconds a call.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import polars as pl

from feature_repo.departure_conditions import departure_conditions
from featurestore.expressions.row_function import NotCompiled
from featurestore.values.plain import in_utc_zone
from featurestore.vectors.compiled import compiled
from featurestore.vectors.complete import compute
from featurestore.vectors.own_rows import generated_rows

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 5


@dataclass(frozen=True)
class Timing:
    """Microseconds a call."""

    rows: int
    python: float
    polars: float


def measure(rows: int, seconds: float) -> Timing:
    """Time both on the same rows, which must have the same results."""
    view = departure_conditions
    function = compiled(view)
    if isinstance(function, NotCompiled):
        raise SystemExit(f"departure_conditions is not compiled: {function.reason}")
    plain = [row for row in generated_rows(view).rows() if None not in row]
    sample = [plain[i % len(plain)] for i in range(rows)]

    def in_python() -> list[Any]:
        return [function.compute(row) for row in sample]

    def in_polars() -> list[Any]:
        frame = pl.DataFrame(sample, schema=view.input_schema, orient="row")
        return in_utc_zone(compute(view, frame)).rows()

    if repr(in_python()) != repr(in_polars()):
        raise SystemExit("Python and Polars differ")
    return Timing(rows, _best(in_python, seconds), _best(in_polars, seconds))


def _best(call: Callable[[], object], seconds: float) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        calls, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds / ROUNDS or not calls:
            call()
            calls += 1
        best = min(best, elapsed / calls)
    return best * 1e6


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each cell of the table")
    parser.add_argument("--small", action="store_true", help="one quick round, to see that it runs")
    options = parser.parse_args()
    print("rows  Python, us  Polars, us")
    for rows in (1, 32) if options.small else (1, 10, 32, 100):
        timing = measure(rows, 0.01 if options.small else options.seconds)
        print(f"{timing.rows:>4}  {timing.python:>10,.1f}  {timing.polars:>10,.1f}")


if __name__ == "__main__":
    main()
