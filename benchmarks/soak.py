"""A soak: a server under a mix of requests for ten minutes, whose memory, descriptors and threads stay flat.

``make soak`` serves a shop as a process. Callers look up, push, upload good and bad datasets, send malformed
bodies, hang up, and leave connections idle; releases are made and old ones removed. Memory, open files and
threads of the server and its processes are measured every second. The run fails if the last third of the run
holds more than the second third, beyond what is allowed below, or if an answer is a failure of the server.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import statistics
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import requests

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests/service"))
from attacks.target import ROW, VALIDATE, VECTORS, Target, bearer, descendants, resident, target
from uploading import BODIES

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1 << 20
CALLERS = 3
# How much more the last third may hold than the second: caches fill, and allocators keep what they had.
ALLOWED = {"MiB": 24.0, "descriptors": 8.0, "threads": 4.0}
EVENT = "2024-01-09T00:00:00Z"


@dataclass(frozen=True)
class Sample:
    """What the server and its processes hold at a time."""

    mib: float
    descriptors: int
    threads: int


def sample(process: int) -> Sample:
    """Measure a server."""
    processes = [process, *descendants(process)]
    descriptors = threads = 0
    for number in processes:
        with suppress(FileNotFoundError, ProcessLookupError):
            descriptors += sum(1 for _ in Path(f"/proc/{number}/fd").iterdir())
            threads += sum(1 for _ in Path(f"/proc/{number}/task").iterdir())
    return Sample(sum(map(resident, processes)) / MIB, descriptors, threads)


def _look_up(soaked: Target, session: requests.Session, chance: random.Random) -> int:
    rows = [{**ROW, "customer": chance.randint(1, 9)} for _ in range(chance.choice((1, 1, 10)))]
    return session.post(soaked.url + VECTORS, json={"rows": rows}, timeout=60).status_code


def _push(soaked: Target, session: requests.Session, chance: random.Random) -> int:
    row = {"customer": [chance.randint(1, 9)], "amount": [chance.random()], "coupon": ["NEW"]}
    body = {
        "push_source_name": "last_order",
        "df": {**row, "ordered_at": [EVENT], "event_timestamp": [EVENT]},
    }
    return session.post(f"{soaked.url}/push", json=body, timeout=60).status_code


def _upload(soaked: Target, session: requests.Session, chance: random.Random) -> int:
    media, body = chance.choice(list(BODIES.items()))
    cut = body[: chance.choice((len(body), len(body) // 2))]
    headers = {"content-type": media}
    return session.post(soaked.url + VALIDATE, data=cut, headers=headers, timeout=60).status_code


def _malformed(soaked: Target, session: requests.Session, chance: random.Random) -> int:
    body = chance.choice((b"[" * 1_000, b"\xff", b'{"rows": [{"customer": "x"}]}', b"{}"))
    return session.post(soaked.url + VECTORS, data=body, timeout=60).status_code


def _describe(soaked: Target, session: requests.Session, chance: random.Random) -> int:
    path = chance.choice(("/docs", "/openapi.json", "/metrics", "/v1/services", "/ready", "/nowhere"))
    return session.get(soaked.url + path, timeout=60).status_code


def _hang_up(soaked: Target, session: requests.Session, chance: random.Random) -> int:
    with suppress(OSError), socket.create_connection(("127.0.0.1", soaked.port), timeout=5) as caller:
        caller.sendall(f"POST {VECTORS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{{".encode())
    return 0


# How often each is chosen.
REQUESTS: tuple[tuple[Callable[[Target, requests.Session, random.Random], int], int], ...] = (
    (_look_up, 80),
    (_push, 3),
    (_upload, 3),
    (_malformed, 6),
    (_describe, 4),
    (_hang_up, 4),
)


def call(soaked: Target, seed: int, stopping: threading.Event, pause: float) -> Counter[int]:
    """Send requests until the run stops; returns how often each status came."""
    chance = random.Random(seed)
    statuses: Counter[int] = Counter()
    functions, weights = zip(*REQUESTS, strict=True)
    with requests.Session() as session:
        session.headers.update(bearer(soaked.keys["all"]))
        while not stopping.wait(pause):
            [function] = chance.choices(functions, weights)
            statuses[function(soaked, session, chance)] += 1
    return statuses


def release(soaked: Target, stopping: threading.Event, pause: float) -> int:
    """Make releases until the run stops, while rows are pushed; returns how many were made. None may be refused."""
    count = 0
    while not stopping.wait(pause):
        soaked.project.release(keep=2)
        count += 1
    return count


def soak(soaked: Target, seconds: float) -> tuple[list[Sample], Counter[int], int]:
    """Send requests for a time, and measure."""
    samples: list[Sample] = []
    stopping = threading.Event()
    pause = 0.05 if soaked.small else 0.005
    with ThreadPoolExecutor(CALLERS + 1) as pool:
        callers = [pool.submit(call, soaked, seed, stopping, pause) for seed in range(CALLERS)]
        releases = pool.submit(release, soaked, stopping, seconds / 4 if soaked.small else 20.0)
        end = time.monotonic() + seconds
        try:
            while (left := end - time.monotonic()) > 0:
                samples.append(sample(soaked.process))
                time.sleep(min(left, 0.1 if soaked.small else 1.0))
        finally:
            stopping.set()
        statuses: Counter[int] = sum((caller.result() for caller in callers), Counter())
        return samples, statuses, releases.result()


def main() -> None:
    """Soak a server, and print what it held in each third of the run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=600, help="how long the server is under load")
    parser.add_argument("--small", action="store_true", help="a second and a half, to see that all works")
    options = parser.parse_args()
    seconds = 1.5 if options.small else options.seconds
    with (
        TemporaryDirectory() as folder,
        target(Path(folder), seed=1, budget=0.0, small=options.small) as soaked,
    ):
        samples, statuses, releases = soak(soaked, seconds)
    third = len(samples) // 3
    measured = {
        "MiB": [measurement.mib for measurement in samples],
        "descriptors": [float(measurement.descriptors) for measurement in samples],
        "threads": [float(measurement.threads) for measurement in samples],
    }
    parts = {
        name: [statistics.median(values[place * third : (place + 1) * third]) for place in range(3)]
        for name, values in measured.items()
    }
    summary = {
        "seconds": seconds,
        "answers": {status: count for status, count in sorted(statuses.items()) if status},
        "hung up": statuses[0],
        "releases": releases,
        **{name: [round(value, 1) for value in values] for name, values in parts.items()},
    }
    print(json.dumps(summary), flush=True)
    # A small run is too short to be flat: it only starts what a server keeps.
    grown = [name for name, (_, second, last) in parts.items() if last > second + ALLOWED[name]]
    failures = sum(count for status, count in statuses.items() if status >= 500)
    if grown and not options.small:
        sys.exit(f"not flat: {', '.join(grown)}")
    if failures:
        sys.exit(f"{failures} answers are failures of the server")


if __name__ == "__main__":
    main()
