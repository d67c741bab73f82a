"""What is attacked: a server of the shop as a process, its keys, and its project."""

from __future__ import annotations

import shutil
import socket
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from serving import serve_process
from shop import build_shop, write_files

from featurestore.service.runtime.key_scope import KeyScope
from featurestore.service.runtime.keys import add_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import featurestore

SECONDS = 120
ROW = {"customer": 3, "basket": 16.0}
VECTORS = "/v1/vectors/buying"
VALIDATE = "/v1/datasets/orders/validate"
# A request may wait for the machine, which also runs the attack.
TIMEOUT = 10
OPTIONS = ("--timeout", str(TIMEOUT), "--no-log-requests")


class BrokenPromiseError(Exception):
    """An attack succeeded."""


def require(condition: object, reason: str) -> None:
    """Fail the case unless a condition holds.

    Raises
    ------
    BrokenPromiseError
        If it does not hold.
    """
    if not condition:
        raise BrokenPromiseError(reason)


@dataclass(frozen=True)
class Case:
    """One attack.

    Attributes
    ----------
    door
        Where the attacker comes in, such as ``"HTTP, bodies"``.
    attack
        Attacks, and returns what it observed. Raises `BrokenPromiseError` if a promise is broken.
    """

    name: str
    door: str
    attack: Callable[[Target], str]


@dataclass
class Target:
    """A server of the shop, which has keys.

    Attributes
    ----------
    keys
        A secret by scope: that of a key which has only this scope; ``"all"`` has every scope.
    budget
        How many seconds a case that can go on for ever may take.
    """

    folder: Path
    project: featurestore.Project
    url: str
    process: int
    keys: dict[str, str]
    seed: int
    budget: float
    small: bool
    stack: ExitStack = field(default_factory=ExitStack)
    copies: int = 0

    @property
    def port(self) -> int:
        """The server's port."""
        return urlsplit(self.url).port or 0

    def ask(self, method: str, path: str, *, key: str | None = "all", **options: Any) -> requests.Response:
        """Send one request with the key of a scope; None: without a key."""
        headers = options.pop("headers", {}) | ({} if key is None else bearer(self.keys[key]))
        return requests.request(
            method, self.url + path, headers=headers, timeout=SECONDS, allow_redirects=False, **options
        )

    def lookup(self) -> list[Any]:
        """Look up one row, and return its values."""
        answer = self.ask("POST", VECTORS, json={"rows": [ROW]})
        require(answer.status_code == 200, f"a lookup got {answer.status_code}: {answer.text[:200]}")
        values: list[Any] = answer.json()["values"][0]
        return values

    def memory(self) -> int:
        """Return the bytes of memory that the server and its processes hold."""
        return sum(resident(process) for process in (self.process, *descendants(self.process)))

    def copy(self, **changes: str) -> Path:
        """Return the root of a copy of the materialized shop, without keys, with texts of its settings replaced."""
        self.copies += 1
        root = self.folder / f"copy{self.copies}"
        shutil.copytree(self.folder / "shop", root, ignore=shutil.ignore_patterns("serving"), symlinks=True)
        settings = root / "feature_repo/feature_store.yaml"
        text = settings.read_text()
        for before, after in changes.items():
            text = text.replace(before, after)
        settings.write_text(text)
        return root


def bearer(secret: str) -> dict[str, str]:
    """Return the header of a key."""
    return {"authorization": f"Bearer {secret}"}


def resident(process: int) -> int:
    """Return the bytes of memory that a process holds; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")), 0)


def descendants(process: int) -> list[int]:
    """Return the processes below a process."""
    processes: list[int] = []
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            processes += [child, *descendants(child)]
    return processes


def raw(port: int, content: bytes, *, seconds: float = 30.0) -> bytes:
    """Send bytes to the server, and return all bytes that it answers until it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        try:
            connection.sendall(content)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65_536), b""))
        except (ConnectionResetError, BrokenPipeError):
            return b""


@contextmanager
def target(folder: Path, *, seed: int, budget: float, small: bool) -> Iterator[Target]:
    """Make a shop with keys, and serve it as a process."""
    root = folder / "shop"
    project = build_shop(write_files(root))
    project.materialize()
    keys = {scope.value: add_key(project.layout.keys, scope.value, scopes=(scope,)) for scope in KeyScope}
    keys["all"] = add_key(project.layout.keys, "all", scopes=tuple(KeyScope))
    with serve_process(root, *OPTIONS) as server:
        url = server.url.replace("localhost", "127.0.0.1")
        attacked = Target(folder, project, url, server.process.pid, keys, seed, budget, small)
        with attacked.stack:
            yield attacked
        require(server.process.poll() is None, f"the server ended with {server.process.returncode}")
