"""Natural views, built again and again: on several numbers of threads, from shuffled rows in other chunks.

``make reproducible`` builds each view of `natural_views` 20 times on each number of threads, and prints how many
different results there were, by their bits. It exits with 1 if a view has more than one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import warnings
from collections import defaultdict

import polars as pl
from natural_views import VIEWS

from featurestore.definitions.call import run
from featurestore.storage.fingerprint import fingerprint


def orders(rows: int) -> pl.DataFrame:
    """Make rows whose sums depend on the order in which they are added."""
    number = pl.int_range(rows, dtype=pl.Int64)
    luck = [((number + 1) * prime) % 1_000_003 / 1_000_003 for prime in (48_271, 16_807, 69_621)]
    return pl.select(
        id=number,
        k=(luck[0] * 50).cast(pl.Int64),
        many=(luck[1] * rows / 10).cast(pl.Int64),
        time=(luck[2] * 5_000).cast(pl.Int64).mul(1_000_000).cast(pl.Datetime("us", "UTC")),
        x=(luck[1] * 40 - 20).exp() * (luck[2] - 0.5),
        y=luck[2] - luck[0],
        n=(luck[2] * 100).cast(pl.Int64),
        word=pl.format("w{}", (luck[0] * 300).cast(pl.Int64)),
    )


def digests(rows: int, builds: int, threads: int) -> dict[str, list[str]]:
    """Build each view in this process, and return the digests of the results."""
    warnings.simplefilter("ignore", UserWarning)  # Polars warns of joins whose order it cannot check.
    frame = orders(rows)
    results = defaultdict(list)
    for build in range(builds):
        shuffled = frame.sample(fraction=1, shuffle=True, seed=100 * threads + build)
        cut = rows * (build + 1) // (builds + 1)
        source = pl.concat([shuffled[:cut], shuffled[cut:]], rechunk=False).lazy()
        for name, view in VIEWS.items():
            results[name].append(
                fingerprint(run(name, view, source.sort(frame.columns, maintain_order=True)))
            )
    return results


def main() -> int:
    """Build, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="few rows and builds")
    parser.add_argument("--threads", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    rows, builds, threads = (5_000, 2, (1, 2)) if options.small else (100_000, 20, (1, 2, 4))
    if options.threads:
        print(json.dumps(digests(rows, builds, options.threads)))
        return 0
    results = defaultdict(set)
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, *sys.argv[1:], "--threads", str(number)],
            env=os.environ | {"POLARS_MAX_THREADS": str(number)},
            stdout=subprocess.PIPE,
        )
        for number in threads
    ]
    for process in processes:
        printed, _ = process.communicate()
        if process.returncode:
            return process.returncode
        for name, texts in json.loads(printed).items():
            results[name] |= set(texts)
    print(f"{'view':<28}{'builds':>8}{'results':>9}")
    for name, different in results.items():
        print(f"{name:<28}{builds * len(threads):>8}{len(different):>9}")
    return int(any(len(different) > 1 for different in results.values()))


if __name__ == "__main__":
    sys.exit(main())
