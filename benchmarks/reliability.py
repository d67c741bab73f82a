"""Minutes of load with faults injected: every answer is checked, and none may be wrong.

``make reliability`` serves a shop of 1,000 customers from each store. Each version of the data
gives each customer values that name the version and the customer: amount, coupon and ratio of an
answer must agree. At the same time processes rewrite the data, and some are killed; releases are
made and rolled back; the store's server stops, hangs and returns; callers hang up in the middle of
a request.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import requests
from peers import print_skipped

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from servers import PostgresServer, RedisServer, free_port, run_server
from shop import build_shop, write_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import featurestore

    StoreServer = RedisServer | PostgresServer

CUSTOMERS = 1_000
CALLERS = 4
STEP = 10_000
FEATURESTORE = (sys.executable, "-m", "featurestore.cli")
# The kind of the store's server (None: embedded LMDB), and the size of the stale cache.
STORES = ((None, 0), (RedisServer, 0), (PostgresServer, 0), (RedisServer, 10_000))
# All kinds of faults in one run: of the data, and of the store's server.
SMALL_STORES = ((RedisServer, 10_000),)


@dataclass
class Observations:
    """What one caller observed."""

    statuses: Counter[int] = field(default_factory=Counter)
    error_kinds: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    wrong: list[Any] = field(default_factory=list)
    stale: int = 0
    longest_outage: float = 0.0


def write_version(project: featurestore.Project, version: int) -> None:
    """Write orders: customer 7 of version 3 spends 30007.0, with a coupon of the same digits."""
    amounts = [float(version * STEP + customer) for customer in range(1, CUSTOMERS + 1)]
    orders = pl.DataFrame(
        {
            "order": range(1, CUSTOMERS + 1),
            "customer": range(1, CUSTOMERS + 1),
            "ordered_at": ["2024-01-09T00:00:00Z"] * CUSTOMERS,
            "loaded_at": [None] * CUSTOMERS,
            "amount": amounts,
            "coupon": [str(int(amount)) for amount in amounts],
        }
    )
    path = project.settings.root / "data/raw/orders.csv"
    orders.write_csv(path)
    project.validate("orders")
    project.build("last_order")


def wrong_rows(body: dict, customers: list[int], versions: range) -> list[Any]:
    """Return the rows that are missing, or of another customer, two versions or no version."""
    wrong = []
    for customer, row, statuses in zip(customers, body["values"], body["statuses"], strict=True):
        amount, coupon, _, ratio = row
        right = (
            statuses == [1, 1, 1, 1]
            and int(amount) % STEP == customer
            and int(amount) // STEP in versions
            and coupon == str(int(amount))
            and abs(ratio * amount - 1.0) < 1e-5  # noqa: PLR2004 - a 32-bit float
        )
        if not right:
            wrong.append((customer, row, statuses))
    return wrong


def send_requests(
    url: str,
    observations: Observations,
    versions: Callable[[], range],
    stopping: threading.Event,
    seed: int,
    *,
    pause: float,
) -> None:
    """Request a few customers again and again, with a pause between, until the run stops; check each answer."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    session = requests.Session()
    outage_began = None
    while not stopping.wait(pause):
        customers = [chance.randint(1, CUSTOMERS) for _ in range(chance.choice((1, 1, 10)))]
        rows = [{"customer": customer, "basket": 1.0} for customer in customers]
        start = time.perf_counter()
        answer = session.post(f"{url}/v1/vectors/buying", json={"rows": rows}, timeout=30)
        now = time.perf_counter()
        observations.latencies.append(now - start)
        observations.statuses[answer.status_code] += 1
        if answer.status_code == 200:  # noqa: PLR2004
            body = answer.json()
            observations.wrong += wrong_rows(body, customers, versions())
            observations.stale += body["stale"]
            if outage_began is not None:
                observations.longest_outage = max(observations.longest_outage, now - outage_began)
                outage_began = None
        else:
            observations.error_kinds[answer.json()["error"]["kind"]] += 1
        if answer.status_code == 503 and outage_began is None:  # noqa: PLR2004
            outage_began = start
        if answer.status_code not in (200, 503):
            observations.wrong.append((answer.status_code, answer.text[:300]))


def hang_up(port: int, stopping: threading.Event) -> None:
    """Send half of a request and close the connection, again and again."""
    while not stopping.is_set():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as caller:
            caller.sendall(
                b"POST /v1/vectors/buying HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{"
            )
        stopping.wait(0.1)


def make_shop(folder: Path, store: StoreServer | None) -> featurestore.Project:
    """Make the shop, materialized and released, its online store embedded or on a server."""
    root = write_files(folder)
    if store is not None:
        path = root / "feature_repo/feature_store.yaml"
        store_type = f"{type(store).__name__.removesuffix('Server')}OnlineStore"
        text = path.read_text().replace("LmdbOnlineStore", store_type)
        path.write_text(text.replace("path: ../data/online/store.lmdb", f"url: {store.url}"))
    project = build_shop(root)
    write_version(project, 1)
    project.materialize()
    project.check_leaks()
    project.release()
    return project


@contextlib.contextmanager
def serving(root: Path, *options: str) -> Iterator[int]:
    """Run the server until the block ends; yield its port.

    Raises
    ------
    RuntimeError
        If the server ends before it answers.
    """
    port = free_port()
    command = [
        *FEATURESTORE,
        "serve",
        "--project",
        str(root),
        "--port",
        str(port),
        "--no-log-requests",
        *options,
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        try:
            while not answers(port):
                if server.poll() is not None:
                    raise RuntimeError(f"the server ended with {server.returncode}: {' '.join(command)}")
                time.sleep(0.05)
            yield port
        finally:
            server.terminate()


def answers(port: int) -> bool:
    """Say whether the server is up."""
    with contextlib.suppress(requests.ConnectionError, requests.Timeout):
        return requests.get(f"http://127.0.0.1:{port}/health", timeout=5).ok
    return False


def disturb_data(project: featurestore.Project, version: int, chance: random.Random, *, rest: float) -> None:
    """Write a version by a killed process, into the live release, and as one to be rolled back."""
    root = str(project.settings.root)
    write_version(project, version)
    writer = [*FEATURESTORE, "materialize", "--full", "--project"]
    with subprocess.Popen([*writer, root], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        time.sleep(chance.uniform(0.5, 1.5))
        process.kill()
    served = str((project.layout.releases / "current").resolve())
    subprocess.run([*writer, served], check=True, capture_output=True)
    project.materialize(full=True)
    project.check_leaks()
    project.release(keep=2)
    time.sleep(rest)
    project.rollback()


def disturb_store(store: StoreServer, chance: random.Random, *, rest: float) -> None:
    """Stop the store's server for a while, then let it hang."""
    store.stop()
    time.sleep(chance.uniform(0.2, 1.0))
    store.start()
    time.sleep(rest)
    store.pause()
    time.sleep(chance.uniform(0.2, 2.0))
    store.resume()
    time.sleep(rest)


def run(
    store: StoreServer | None,
    folder: Path,
    seconds: float,
    *,
    pause: float,
    rest: float,
    stale_cache_keys: int,
) -> None:
    """Serve one store under load and faults, and print what the callers observed."""
    project = make_shop(folder, store)
    observations = [Observations() for _ in range(CALLERS)]
    stopping = threading.Event()
    version = 1
    options = ("--timeout", "1", "--stale-cache-keys", str(stale_cache_keys))
    with serving(project.settings.root, *options) as port:
        url = f"http://127.0.0.1:{port}"
        with ThreadPoolExecutor(CALLERS + 1) as pool:
            callers = [
                pool.submit(
                    send_requests, url, observed, lambda: range(1, version + 1), stopping, seed, pause=pause
                )
                for seed, observed in enumerate(observations)
            ]
            callers.append(pool.submit(hang_up, port, stopping))
            try:
                end = time.monotonic() + seconds
                chance = random.Random(1)  # noqa: S311 - no secret
                while time.monotonic() < end:
                    version += 1
                    disturb_data(project, version, chance, rest=rest)
                    if store is not None:
                        disturb_store(store, chance, rest=rest)
            finally:
                stopping.set()
        for caller in callers:
            caller.result()
    name = "LMDB" if store is None else type(store).__name__.removesuffix("Server")
    report(name, seconds, version - 1, observations)


def report(name: str, seconds: float, rounds: int, observations: list[Observations]) -> None:
    """Print what the callers observed as a line of JSON; exit with 1 if one answer was wrong."""
    latencies = sorted(latency for observed in observations for latency in observed.latencies)
    wrong = [row for observed in observations for row in observed.wrong]
    statuses = sum((observed.statuses for observed in observations), Counter())
    summary = {
        "store": name,
        "seconds": seconds,
        "rounds of faults": rounds,
        "answers": dict(sorted(statuses.items())),
        "refusals": dict(sum((observed.error_kinds for observed in observations), Counter())),
        "stale": sum(observed.stale for observed in observations),
        "WRONG": len(wrong),
        "p50 ms": round(1000 * latencies[len(latencies) // 2], 2),
        "p99 ms": round(1000 * latencies[len(latencies) * 99 // 100], 2),
        "longest outage, s": round(max(observed.longest_outage for observed in observations), 2),
    }
    print(json.dumps(summary), flush=True)
    if wrong:
        sys.exit(f"wrong answers, such as {wrong[:3]}")


def main() -> None:
    """Run all stores."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=90, help="how long each store is under load")
    parser.add_argument("--small", action="store_true", help="one round of faults, to see that all works")
    options = parser.parse_args()
    # Between requests, and after a fault.
    seconds, pause, rest = (0.1, 0.05, 0.1) if options.small else (options.seconds, 0.0, 1.0)
    for kind, stale_cache_keys in SMALL_STORES if options.small else STORES:
        with TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            try:
                store = None if kind is None else stack.enter_context(run_server(kind))
            except pytest.skip.Exception as reason:
                print_skipped(kind.__name__.removesuffix("Server"), str(reason))
                continue
            run(
                store,
                Path(folder),
                seconds,
                pause=pause,
                rest=rest,
                stale_cache_keys=stale_cache_keys,
            )


if __name__ == "__main__":
    main()
