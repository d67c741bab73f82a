"""A simulated year of faults: after each, every answer is compared with the oracle, and every acknowledged write is kept.

``make year`` runs episodes of 50 faults, each with a project of its own. While its users push, delete, materialize,
build, release, roll back and change keys, the process is killed at any change of a file, the power fails, the disk is
full, the clock jumps, the online store is damaged or gone. The disk and the clock are simulated: see
`benchmarks/years`. A wrong answer, a lost write, an error that is not ours or a recovery that fails ends the run,
and says which ``--seed`` shows it again.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeAlias

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from servers import RedisServer, run_server
from years.checks import WrongError
from years.episode import FAULTS, episode
from years.network import Network
from years.world import write_template

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BEGIN = datetime(2024, 1, 10, tzinfo=UTC)
YEAR = timedelta(days=365)
FAULTS_OF_EPISODE = 50
FAULTS_OF_SMALL_RUN = 15
# The seed, how many faults of each kind there were at each door, and what was wrong.
Result: TypeAlias = "tuple[int, Counter[str], str | None]"


def run(template: str, seed: int, length: timedelta, faults: int) -> Result:
    """Run an episode."""
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # of files that a dead process left open
        warnings.simplefilter("ignore", UserWarning)  # of rows of a failed release that stay on a lost server
        counts: Counter[str] = Counter()
        try:
            with redis_of(seed) as network:
                episode(Path(folder), Path(template), seed, BEGIN, length, faults, counts, network)
        except WrongError as error:
            return seed, counts, str(error)
    return seed, counts, None


@contextmanager
def redis_of(seed: int) -> Iterator[Network | None]:
    """Run Redis for every second episode, where it is installed; the others have LMDB."""
    if seed % 2 or shutil.which("redis-server") is None:
        yield None
        return
    with run_server(RedisServer) as server:
        yield Network(server.url)


def run_all(template: str, seeds: Sequence[int], length: timedelta, end: float) -> list[Result]:
    """Run episodes in as many processes as there are cores, and begin none after a time."""
    results = []
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(run, template, seed, length, FAULTS_OF_EPISODE) for seed in seeds]
        for job in as_completed(jobs):
            if job.cancelled():
                continue
            results.append(job.result())
            if len(results) % 20 == 0:
                print(f"{len(results)} of {len(jobs)} episodes", flush=True)
            if results[-1][-1] is not None:
                print(f"--seed {results[-1][0]}: {results[-1][-1]}", flush=True)
            if time.perf_counter() > end:
                for pending in jobs:
                    pending.cancel()
    return results


def main() -> None:
    """Run the year, and print how many faults of each kind there were at each door."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faults", type=int, default=10_000, help="how many faults")
    parser.add_argument("--minutes", type=float, default=120, help="begin no episode after this time")
    parser.add_argument("--seed", type=int, help="run only the episode of this seed")
    parser.add_argument("--small", action="store_true", help="a short episode, to see that all works")
    options = parser.parse_args()
    count = 1 if options.small else -(-options.faults // FAULTS_OF_EPISODE)
    seeds = range(1, count + 1) if options.seed is None else [options.seed]
    length = YEAR / max(count, 200)
    start = time.perf_counter()
    counts: Counter[str] = Counter()
    wrong: list[tuple[int, str]] = []
    with TemporaryDirectory() as folder:
        template = str(write_template(Path(folder) / "template"))
        if len(seeds) == 1:
            faults = FAULTS_OF_SMALL_RUN if options.small else FAULTS_OF_EPISODE
            results = [run(template, seeds[0], length, faults)]
        else:
            results = run_all(template, seeds, length, start + 60 * options.minutes)
    for seed, counted, error in results:
        counts += counted
        if error is not None:
            wrong.append((seed, error))
    minutes = (time.perf_counter() - start) / 60
    total = sum(counts.values())
    doors = sorted({name.split(": ")[0] for name in counts})
    print(f"{'door':12}" + "".join(f"{fault:>12}" for fault in FAULTS))
    for door in doors:
        print(f"{door:12}" + "".join(f"{counts[f'{door}: {fault}']:12,}" for fault in FAULTS))
    print(f"{total:,} faults in {minutes:.1f} minutes ({total / minutes:,.0f} a minute), {len(wrong)} wrong")
    for seed, error in wrong[:10]:
        print(f"--seed {seed}: {error}")
    if wrong:
        sys.exit(
            f"{len(wrong)} episodes are wrong; to see one again: python benchmarks/year.py --seed {wrong[0][0]}"
        )


if __name__ == "__main__":
    main()
