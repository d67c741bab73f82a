"""Materialization and lookup in process: featurestore over LMDB beside Feast over SQLite.

``make bench-online`` writes three views of 20,000 keys and 10 features from the same files, looks
up the same keys, and checks that the values agree.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from workload import (
    SMALL_ROWS,
    START,
    VIEWS,
    YEAR,
    feast_store,
    feature_names,
    featurestore_project,
    key_count,
    make_data,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 1_000_000
END = datetime.fromtimestamp((START + YEAR) / 1_000_000, UTC)
FIRST = datetime.fromtimestamp(START / 1_000_000 - 1, UTC)
SIZES = (1, 10, 100)
REFERENCES = [f"{view}:{name}" for view in VIEWS for name in feature_names(view)]


def seconds_per_call(call: Callable[[], object], min_seconds: float) -> float:
    """Return the mean seconds of a call, over at least `min_seconds`, after one call to warm up."""
    call()
    calls = 0
    start = time.perf_counter()
    while time.perf_counter() - start < min_seconds:
        call()
        calls += 1
    return (time.perf_counter() - start) / calls


def seconds_of(call: Callable[[], object]) -> float:
    """Return the seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def compare(folder: Path, rows: int, min_seconds: float) -> None:
    """Measure both, print the table, and exit with 1 if their values differ."""
    make_data(folder, rows)
    keys = [{"customer": 37 * i % key_count(rows)} for i in range(max(SIZES))]

    project = featurestore_project(folder)
    ours = {"materialize": seconds_of(lambda: project.materialize(until=END))}
    reader = project.reader("joined")
    for size in SIZES:
        ours[f"lookup {size}"] = seconds_per_call(
            lambda n=size: reader.read(keys[:n], moment=END), min_seconds
        )

    store = feast_store(folder, "dask")
    theirs = {"materialize": seconds_of(lambda: store.materialize(FIRST, END, disable_event_timestamp=False))}
    for size in SIZES:
        theirs[f"lookup {size}"] = seconds_per_call(
            lambda n=size: store.get_online_features(REFERENCES, keys[:n]).to_dict(), min_seconds
        )

    expected = store.get_online_features(REFERENCES, keys).to_dict()
    vectors = reader.read(keys, moment=END)
    columns = {name: [row[i] for row in vectors.values] for i, name in enumerate(vectors.features)}
    agree = all(expected[name] == column for name, column in columns.items())
    print(f"3 views x {key_count(rows):,} keys x 10 features; the values {'agree' if agree else 'DIFFER'}")
    print(f"{'':14}{'ours, ms':>12}{'Feast, ms':>12}{'ratio':>8}")
    for name, seconds in ours.items():
        print(f"{name:14}{1000 * seconds:12,.3f}{1000 * theirs[name]:12,.3f}{theirs[name] / seconds:8.1f}")
    if not agree:
        sys.exit("our values and Feast's differ")


def main() -> None:
    """Read the options and compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of each view")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each lookup is repeated")
    parser.add_argument("--small", action="store_true", help="tiny data, to see that all works")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with TemporaryDirectory() as temporary:
        if options.small:
            compare(Path(temporary), SMALL_ROWS, 0.05)
        else:
            compare(Path(f"data/bench/{options.rows}"), options.rows, options.seconds)


if __name__ == "__main__":
    main()
