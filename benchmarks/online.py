"""Materialization and lookup in process, side by side: featurestore over LMDB, and Feast as it comes, over SQLite.

``make bench-online`` writes three views of 20,000 keys and 10 features from the same files, looks up the same keys, and
checks that the values agree.
"""

from __future__ import annotations

import time
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from offline import START, VIEWS, YEAR, feast_store, features, featurestore_project, make_data

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 1_000_000
END = datetime.fromtimestamp((START + YEAR) / 1_000_000, UTC)
FIRST = datetime.fromtimestamp(START / 1_000_000 - 1, UTC)
SIZES = (1, 10, 100)


def per_call(call: Callable[[], object], *, at_least: float = 1.0) -> float:
    """Return seconds a call, over at least so many seconds, after one to warm up."""
    call()
    start, calls = time.perf_counter(), 0
    while time.perf_counter() - start < at_least:
        call()
        calls += 1
    return (time.perf_counter() - start) / calls


def main() -> None:
    """Compare both, and check that they agree."""
    warnings.simplefilter("ignore")
    folder = Path(f"data/bench/{ROWS}")
    make_data(folder, ROWS)
    keys = [{"customer": 37 * i % (ROWS // 50)} for i in range(max(SIZES))]

    project = featurestore_project(folder)
    start = time.perf_counter()
    project.materialize(until=END)
    ours = {"materialize": time.perf_counter() - start}
    reader = project.reader("joined")
    for size in SIZES:
        rows = keys[:size]
        ours[f"lookup {size}"] = per_call(lambda rows=rows: reader.read(rows, as_of=END))

    store = feast_store(folder, "dask")
    start = time.perf_counter()
    store.materialize(FIRST, END, disable_event_timestamp=False)
    theirs = {"materialize": time.perf_counter() - start}
    references = [f"{view}:{name}" for view in VIEWS for name in features(view)]
    for size in SIZES:
        rows = keys[:size]
        theirs[f"lookup {size}"] = per_call(
            lambda rows=rows: store.get_online_features(references, rows).to_dict()
        )

    answer = store.get_online_features(references, keys).to_dict()
    found = reader.read(keys, as_of=END)
    agree = all(answer[name] == [row[i] for row in found.values] for i, name in enumerate(found.features))
    print(f"3 views x {ROWS // 50:,} keys x 10 features; the values {'agree' if agree else 'DIFFER'}")
    print(f"{'':14}{'ours, ms':>12}{'Feast, ms':>12}{'ratio':>8}")
    for name, seconds in ours.items():
        print(f"{name:14}{1000 * seconds:12.3f}{1000 * theirs[name]:12.3f}{theirs[name] / seconds:8.1f}")


if __name__ == "__main__":
    main()
