"""Splits of many rows, beside scikit-learn's splitters: by chance, by group and by time.

``make bench-preprocessing`` assigns generated rows to train and test. A split of ours depends on each row alone, so that more
rows move no row; a splitter of scikit-learn shuffles positions. Seconds are the best of several rounds.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import polars as pl
from sklearn.model_selection import GroupShuffleSplit, TimeSeriesSplit, train_test_split

from featurestore.splits.assign import assign
from featurestore.splits.declare import SPLIT, TEST, random_split, time_split
from featurestore.timing.columns import EVENT_TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Callable

    from featurestore.splits.declare import SplitStrategy

ROUNDS = 3
SEED = 7
SHARE = 0.2
START = datetime(2024, 1, 1, tzinfo=UTC)
IDENTITY = ("customer", EVENT_TIMESTAMP)


def generated(rows: int) -> pl.DataFrame:
    """Generate rows in the order of time: a customer has about twenty."""
    seconds = pl.Series(np.arange(rows)) * 1_000_000
    customers = np.random.default_rng(SEED).integers(0, max(rows // 20, 2), rows)
    return pl.DataFrame(
        {
            "customer": pl.Series(customers).cast(pl.String),
            EVENT_TIMESTAMP: (seconds.cast(pl.Duration("us")) + START).cast(pl.Datetime("us", "UTC")),
        }
    )


def share_of_test(rows: pl.DataFrame, strategy: SplitStrategy) -> float:
    """Assign the rows, and return the share of test."""
    split = assign(rows, [strategy], IDENTITY)[SPLIT]
    return float((split == TEST).mean() or 0.0)


def measured(subject: str, call: Callable[[], float]) -> None:
    """Print the times of a call, and stop if it puts another share of the rows into test."""
    wall = cpu = float("inf")
    for _ in range(ROUNDS):
        start, used = time.perf_counter(), time.process_time()
        share = call()
        wall = min(wall, time.perf_counter() - start)
        cpu = min(cpu, time.process_time() - used)
        if abs(share - SHARE) > 0.05:  # noqa: PLR2004 - groups have different sizes
            raise SystemExit(f"{subject}: {share:.1%} of the rows are in test; expected {SHARE:.0%}")
    print(f"{subject:<26}  {wall:,.3f}  {cpu:,.3f}")


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--small", action="store_true", help="few rows, to see that it runs")
    options = parser.parse_args()
    rows = generated(10_000 if options.small else options.rows)
    height, customers = rows.height, rows["customer"].to_numpy()
    positions = np.arange(height)
    begin = rows[EVENT_TIMESTAMP][round(height * (1 - SHARE))]
    groups = GroupShuffleSplit(1, test_size=SHARE, random_state=SEED)
    times = TimeSeriesSplit(2, test_size=round(height * SHARE))
    print(f"{height:,} rows")
    print(f"{'subject':<26}  seconds  CPU s")
    measured("random, featurestore", lambda: share_of_test(rows, random_split(test=SHARE, seed=SEED)))
    measured(
        "random, scikit-learn",
        lambda: len(train_test_split(positions, test_size=SHARE, random_state=SEED)[1]) / height,
    )
    by_customer = random_split(test=SHARE, seed=SEED, by="customer")
    measured("by group, featurestore", lambda: share_of_test(rows, by_customer))
    measured(
        "by group, scikit-learn",
        lambda: len(next(groups.split(positions, groups=customers))[1]) / height,
    )
    measured("by time, featurestore", lambda: share_of_test(rows, time_split(test_from=begin)))
    measured("by time, scikit-learn", lambda: len(list(times.split(positions))[-1][1]) / height)


if __name__ == "__main__":
    main()
