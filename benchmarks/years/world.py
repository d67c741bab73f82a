"""One project of the simulated year: what its users do, what was acknowledged to them, and what it must answer."""

from __future__ import annotations

import gc
import os
import random
import shutil
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
from shop import build_shop, write_files

import featurestore
from featurestore.adapters import lmdb as lmdb_adapter
from featurestore.operations.release.releases import active_release
from featurestore.service.runtime.keys import add_key, remove_key
from featurestore.storage import durable, files
from years.checks import CUSTOMERS, DAY, VIEW, read_built
from years.clock import Clock
from years.disk import Disk

if TYPE_CHECKING:
    from pathlib import Path

    from years.network import Network


def write_template(folder: Path) -> Path:
    """Make a shop that asks the clock of its machine for the time, built and materialized."""
    root = write_files(folder)
    settings = root / "feature_repo/feature_store.yaml"
    settings.write_text(settings.read_text().replace('  as_of: "2024-01-10T00:00:00Z"\n', ""))
    build_shop(root)
    return root


class World:
    """A project with a disk and a clock, its users, and their ledger.

    Attributes
    ----------
    acknowledged
        Pushed rows by their coupon, which no two pushes share; deleted customers, each with the time of it; keys.
    doubtful
        The same, of writes that failed: each may have happened or not.
    """

    def __init__(
        self, folder: Path, template: Path, seed: int, begin: datetime, network: Network | None = None
    ) -> None:
        self.chance = random.Random(seed)
        self.root = folder / "shop"
        shutil.copytree(template, self.root, symlinks=True)
        self.network = network
        if network is not None:
            settings = self.root / "feature_repo/feature_store.yaml"
            text = settings.read_text().replace("LmdbOnlineStore", "RedisOnlineStore")
            settings.write_text(text.replace("path: ../data/online/store.lmdb", f"url: {network.url}"))
        shadow = folder / "shadow"
        shadow.mkdir()
        self.disk = Disk(self.root, shadow, self.chance)
        self.clock = Clock(begin)
        self.project = featurestore.open(self.root)
        self.view = self.project.catalog.view(VIEW)
        self.processes = 0
        self.number = 0
        self.orders = 100
        self.rows: dict[str, dict[str, Any]] = {}
        self.doubtful_rows: dict[str, dict[str, Any]] = {}
        self.refused_rows: dict[str, str] = {}
        self.deleted: dict[int, datetime] = {}
        self.keys: set[str] = set()
        self.doubtful_keys: set[str] = set()
        self.built: dict[str, list[dict[str, Any]]] = {}
        self.last_write: dict[str, datetime] = {}
        self.stack = ExitStack()
        self.stack.enter_context(self.clock.shown())
        self.stack.enter_context(self.disk.watched())
        if network is not None:
            self.stack.enter_context(network.watched(self.clock))
        self.getpid = os.getpid
        read_built(self)
        self.project.materialize()

    def close(self) -> None:
        """End the world."""
        os.getpid = self.getpid
        self._close_stores()
        self.stack.close()

    # What users do. Each returns nothing if it is acknowledged.

    def push(self, rows: pl.DataFrame) -> None:
        """Push rows, and note in the ledger that they were acknowledged."""
        before = min(self.clock.now, self.clock.right)
        for row in rows.to_dicts():
            self.doubtful_rows[row["coupon"]] = row
        result = self.project.push(VIEW, rows)
        for row in rows.to_dicts():
            self.rows[row["coupon"]] = {**row, "from": before}
        self._written(before, release=result.release)

    def new_rows(self) -> pl.DataFrame:
        """Return a few rows that no push had, some of them corrections of an event."""
        rows = []
        for customer in self.chance.sample(list(CUSTOMERS), self.chance.choice((1, 1, 1, 3))):
            self.number += 1
            event = self.clock.right - self.chance.choice((1, 60, 3_600, 90_000)) * timedelta(seconds=1)
            earlier = [row for row in self.rows.values() if row["customer"] == customer]
            if earlier and self.chance.random() < 0.2:
                event = earlier[-1]["event_timestamp"]
            rows.append(
                {
                    "customer": customer,
                    "amount": float(self.number),
                    "coupon": f"row {self.number}",
                    "ordered_at": event,
                    "event_timestamp": event,
                }
            )
        return pl.DataFrame(rows)

    def delete(self, customer: int) -> None:
        """Delete a customer, and note it."""
        before = min(self.clock.now, self.clock.right)
        self.project.delete(VIEW, pl.DataFrame({"customer": [customer]}))
        self.deleted[customer] = before
        self._written(before, release=active_release(self.project.layout))

    def materialize(self, *, full: bool = False) -> None:
        """Materialize, and note until when."""
        before = min(self.clock.now, self.clock.right)
        self.project.materialize(full=full)
        self._written(before, release=None)

    def rebuild(self) -> None:
        """Validate the orders and build the view."""
        self.project.validate("orders")
        self.project.build(VIEW)

    def more_orders(self) -> None:
        """Let new orders arrive in the raw file."""
        self.orders += 1
        path = self.root / "data/raw/orders.csv"
        at = (self.clock.right - DAY).strftime("%Y-%m-%dT%H:%M:%SZ")
        customer = self.chance.choice(CUSTOMERS)
        with path.open("a") as file:
            file.write(f"{self.orders},{customer},{at},,{self.orders}.25,raw {self.orders}\n")
            file.flush()
            os.fsync(file.fileno())

    def release(self) -> None:
        """Check for leaks, and make a release."""
        self.project.check_leaks()
        before = min(self.clock.now, self.clock.right)
        self.last_write[self.project.release(keep=2).name] = before

    def rollback(self) -> None:
        """Roll back to the release before."""
        before = min(self.clock.now, self.clock.right)
        self.last_write[self.project.rollback()] = before

    def add_key(self, name: str) -> None:
        """Add a key."""
        self.doubtful_keys.add(name)
        add_key(self.project.layout.keys, name, scopes=("read",))  # type: ignore[arg-type]
        self.keys.add(name)
        self.doubtful_keys.discard(name)

    def remove_key(self, name: str) -> None:
        """Remove a key."""
        self.keys.discard(name)
        self.doubtful_keys.add(name)
        remove_key(self.project.layout.keys, name)
        self.doubtful_keys.discard(name)

    def _written(self, at: datetime, *, release: str | None) -> None:
        self.last_write[""] = at
        if release is not None:
            self.last_write[release] = at

    # Faults.

    def new_process(self) -> None:
        """Leave what the dead process held: its open files, locks, stores and memory."""
        self.project = None  # type: ignore[assignment]
        gc.collect()
        self._close_stores()
        files._TIDY.clear()  # noqa: SLF001 - a new process has looked into no folder
        durable._SYNCED.clear()  # noqa: SLF001
        for descriptor in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                if os.readlink(f"/proc/self/fd/{descriptor}").startswith(f"{self.root}/"):
                    os.close(int(descriptor))
        self.processes += 1
        number = self.getpid() * 1_000 + self.processes
        os.getpid = lambda: number
        self.project = featurestore.open(self.root)

    def _close_stores(self) -> None:
        for environment in lmdb_adapter._ENVIRONMENTS.values():  # noqa: SLF001 - LMDB's ends with its process
            environment.close()
        lmdb_adapter._ENVIRONMENTS.clear()  # noqa: SLF001
        lmdb_adapter._USERS.clear()  # noqa: SLF001

    def lose_store(self) -> None:
        """Remove the online store, or damage it."""
        self.new_process()
        if self.network is not None:
            self.network.lose_rows(self.project.settings.name, self.chance.randrange(3))
            return
        folder = self.root / "data/online/store.lmdb"
        path = folder / "data.mdb"
        kind = self.chance.randrange(3)
        if kind == 0:
            shutil.rmtree(folder)
        elif kind == 1:
            os.truncate(path, self.chance.randrange(path.stat().st_size))
        else:
            content = bytearray(path.read_bytes())
            place = self.chance.choice([i for i, byte in enumerate(content) if byte])
            content[place] ^= 1 << self.chance.randrange(8)
            path.write_bytes(bytes(content))
        self.disk.forget()
