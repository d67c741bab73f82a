"""Some minutes of load with faults injected: every answer is checked, none may be wrong.

``make reliability`` serves a shop of a thousand customers from each store. Every version of the data gives each customer
values that can be told: amount, coupon and ratio must be of one version, and of the customer asked. Meanwhile the data are
written anew again and again by processes, some of them killed; releases are made and rolled back; the store's server goes
away, hangs and comes back; callers hang up in the middle of a request.
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
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import polars as pl
import requests

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from servers import PostgresServer, RedisServer, free_port
from shop import build_shop, write_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import featurestore

CUSTOMERS = 1_000
CALLERS = 4
STEP = 10_000
FEATURESTORE = (sys.executable, "-m", "featurestore.cli")


class Told:
    """What callers saw."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.kinds: Counter[str] = Counter()
        self.times: list[float] = []
        self.wrong: list[Any] = []
        self.stale = 0
        self.longest = 0.0


def write_version(project: featurestore.Project, version: int) -> None:
    """Write orders in which customer 7 of version 3 has spent 30007.0, with a coupon that says so too."""
    worth = [float(version * STEP + customer) for customer in range(1, CUSTOMERS + 1)]
    orders = pl.DataFrame(
        {
            "order": range(1, CUSTOMERS + 1),
            "customer": range(1, CUSTOMERS + 1),
            "ordered_at": ["2024-01-09T00:00:00Z"] * CUSTOMERS,
            "loaded_at": [None] * CUSTOMERS,
            "amount": worth,
            "coupon": [str(int(w)) for w in worth],
        }
    )
    path = project.settings.root / "data/raw/orders.csv"
    orders.write_csv(path)
    project.validate("orders")
    project.build("last_order")


def check(body: dict, customers: list[int], versions: range) -> list[Any]:
    """Return the rows that are wrong: of another customer, of two versions, of a version never written, or missing."""
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


def ask(url: str, told: Told, versions: Callable[[], range], ending: threading.Event, seed: int) -> None:
    """Ask for a few customers again and again, and check each answer."""
    chance, session, failing = random.Random(seed), requests.Session(), None  # noqa: S311 - no secret
    while not ending.is_set():
        customers = [chance.randint(1, CUSTOMERS) for _ in range(chance.choice((1, 1, 10)))]
        start = time.perf_counter()
        rows = [{"customer": customer, "basket": 1.0} for customer in customers]
        answer = session.post(f"{url}/v1/vectors/buying", json={"rows": rows}, timeout=30)
        told.times.append(time.perf_counter() - start)
        told.statuses[answer.status_code] += 1
        if answer.status_code == 200:  # noqa: PLR2004
            told.wrong += check(answer.json(), customers, versions())
            told.stale += answer.json()["stale"]
            if failing is not None:
                told.longest, failing = max(told.longest, time.perf_counter() - failing), None
        else:
            told.kinds[answer.json()["error"]["kind"]] += 1
        if answer.status_code == 503 and failing is None:  # noqa: PLR2004
            failing = start
        if answer.status_code not in (200, 503):
            told.wrong.append((answer.status_code, answer.text[:300]))


def hang_up(port: int, ending: threading.Event) -> None:
    """Send half of a request and go away, again and again."""
    while not ending.is_set():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as caller:
            caller.sendall(
                b"POST /v1/vectors/buying HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{"
            )
        ending.wait(0.1)


def make_shop(store: RedisServer | PostgresServer | None) -> featurestore.Project:
    """Make the shop, materialized and released, its online store embedded or on a server."""
    root = write_files(Path(mkdtemp()))
    if store is not None:
        path = root / "feature_repo/feature_store.yaml"
        name = f"{type(store).__name__.removesuffix('Server')}OnlineStore"
        text = path.read_text().replace("LmdbOnlineStore", name)
        path.write_text(text.replace("path: ../data/online/store.lmdb", f"url: {store.url}"))
    project = build_shop(root)
    write_version(project, 1)
    project.materialize()
    project.release()
    return project


@contextlib.contextmanager
def serving(root: Path, *options: str) -> Iterator[int]:
    """Run the server; gives its port."""
    port = free_port()
    command = [*FEATURESTORE, "serve", "--project", str(root), "--port", str(port), "--no-log-requests"]
    with subprocess.Popen([*command, *options], stderr=subprocess.DEVNULL) as server:
        while server.poll() is None:
            with contextlib.suppress(requests.ConnectionError):
                requests.get(f"http://127.0.0.1:{port}/health", timeout=5)
                break
        try:
            yield port
        finally:
            server.terminate()


def hurt_data(project: featurestore.Project, version: int, chance: random.Random) -> None:
    """Write a version: by a process that is killed, under load, as a release that is taken back."""
    root = str(project.settings.root)
    write_version(project, version)
    writer = [*FEATURESTORE, "materialize", "--full", "--project"]
    with subprocess.Popen([*writer, root], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        time.sleep(chance.uniform(0.5, 1.5))
        process.kill()
    served = str((project.layout.releases / "current").resolve())
    subprocess.run([*writer, served], check=True, capture_output=True)
    project.materialize(full=True)
    project.release(keep=2)
    time.sleep(1)
    project.rollback()


def hurt_store(store: RedisServer | PostgresServer, chance: random.Random) -> None:
    """Let the store's server go away, and hang."""
    store.stop()
    time.sleep(chance.uniform(0.2, 1.0))
    store.start()
    time.sleep(1)
    store.pause()
    time.sleep(chance.uniform(0.2, 2.0))
    store.resume()
    time.sleep(1)


def run(store: RedisServer | PostgresServer | None, seconds: float, *, stale_cache_keys: int) -> None:
    """Serve one store under load and faults, and print what was seen."""
    if store is not None:
        store.start()
    project = make_shop(store)
    told, ending, version, rounds = [Told() for _ in range(CALLERS)], threading.Event(), 1, 0
    with serving(
        project.settings.root, "--timeout", "1", "--stale-cache-keys", str(stale_cache_keys)
    ) as port:
        url = f"http://127.0.0.1:{port}"
        callers = [
            threading.Thread(target=ask, args=(url, one, lambda: range(1, version + 1), ending, seed))
            for seed, one in enumerate(told)
        ]
        callers.append(threading.Thread(target=hang_up, args=(port, ending)))
        for caller in callers:
            caller.start()
        end, chance = time.monotonic() + seconds, random.Random(1)  # noqa: S311
        while time.monotonic() < end:
            version += 1
            rounds += 1
            hurt_data(project, version, chance)
            if store is not None:
                hurt_store(store, chance)
        ending.set()
        for caller in callers:
            caller.join()
    if store is not None:
        store.stop()
    name = "LMDB" if store is None else type(store).__name__.removesuffix("Server")
    report(name, seconds, rounds, told)


def report(name: str, seconds: float, rounds: int, told: list[Told]) -> None:
    """Print what the callers saw; ends the run if one answer was wrong."""
    times = sorted(t for one in told for t in one.times)
    wrong = [row for one in told for row in one.wrong]
    seen = {
        "store": name,
        "seconds": seconds,
        "rounds of faults": rounds,
        "answers": dict(sorted(sum((one.statuses for one in told), Counter()).items())),
        "refusals": dict(sum((one.kinds for one in told), Counter())),
        "stale": sum(one.stale for one in told),
        "WRONG": len(wrong),
        "p50 ms": round(1000 * times[len(times) // 2], 2),
        "p99 ms": round(1000 * times[len(times) * 99 // 100], 2),
        "longest without an answer, s": round(max(one.longest for one in told), 2),
    }
    print(json.dumps(seen), flush=True)
    if wrong:
        sys.exit(f"wrong answers, such as {wrong[:3]}")


def main() -> None:
    """Run all stores."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=90)
    seconds = parser.parse_args().seconds
    for kind, stale_cache_keys in ((None, 0), (RedisServer, 0), (PostgresServer, 0), (RedisServer, 10_000)):
        home = Path(mkdtemp())
        run(None if kind is None else kind(str(home)), seconds, stale_cache_keys=stale_cache_keys)


if __name__ == "__main__":
    main()
