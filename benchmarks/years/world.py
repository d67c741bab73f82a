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
from featurestore.operations.releases import active_release
from featurestore.service.runtime.keys import add_key, read_keys, remove_key
from featurestore.storage import files
from featurestore.storage.fingerprint import file_fingerprint
from featurestore.storage.log import log_files, next_number
from featurestore.storage.views import deleted_keys, files_of
from featurestore.testing import oracle
from featurestore.timing.clock import MAX_SKEW, ClockError
from featurestore.timing.epoch import timestamp_of
from years.clock import Clock
from years.disk import Disk

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.ports import ViewState
    from featurestore.project.project import Project

VIEW = "last_order"
CUSTOMERS = range(1, 7)
FEATURES = ("amount", "coupon", "ordered_at")
DAY = timedelta(days=1)


class WrongError(Exception):
    """The project broke a promise."""


def require(condition: object, reason: str) -> None:
    """Fail unless a condition holds.

    Raises
    ------
    WrongError
        If it does not hold.
    """
    if not condition:
        raise WrongError(reason)


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

    def __init__(self, folder: Path, template: Path, seed: int, begin: datetime) -> None:
        self.chance = random.Random(seed)
        self.root = folder / "shop"
        shutil.copytree(template, self.root, symlinks=True)
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
        self.getpid = os.getpid
        self._remember_built()
        self.project.materialize()

    def close(self) -> None:
        """End the world."""
        os.getpid = self.getpid
        self._close_stores()
        self.stack.close()

    # What users do. Each returns nothing if it is acknowledged.

    def push(self, rows: pl.DataFrame) -> None:
        """Push rows, and note in the ledger that they were acknowledged."""
        before = self.clock.now
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
        before = self.clock.now
        self.project.delete(VIEW, pl.DataFrame({"customer": [customer]}))
        self.deleted[customer] = before
        self._written(before, release=active_release(self.project.layout))

    def materialize(self, *, full: bool = False) -> None:
        """Materialize, and note until when."""
        before = self.clock.now
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

    def release(self) -> None:
        """Make a release."""
        before = self.clock.now
        self.last_write[self.project.release(keep=2).name] = before

    def rollback(self) -> None:
        """Go back to the release before."""
        before = self.clock.now
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

    # Checks.

    def check(self, *, after: str) -> None:
        """Compare the log with the ledger, and every answer with the oracle.

        Raises
        ------
        WrongError
            If an acknowledged write is lost, or an answer is wrong.
        """
        with Explained(after):
            self._remember_built()
            self._check_keys()
            log = self._log()
            self._check_log(log)
            self._check_answers(self.project, "", log)
            name = active_release(self.project.layout)
            if name is not None:
                released = featurestore.open(self.root / "data/releases" / name)
                self._check_answers(released, name, log)

    def held_keys(self) -> set[str]:
        """Return the names of the keys that the project has."""
        return {key.name for key in read_keys(self.project.layout.keys)}

    def _check_keys(self) -> None:
        held = self.held_keys()
        lost, extra = self.keys - held - self.doubtful_keys, held - self.keys - self.doubtful_keys
        require(not lost, f"keys {lost} are lost")
        require(not extra, f"keys {extra} were removed and are back")

    def _log(self) -> pl.DataFrame:
        _, *pushed = files_of(self.view, self.project.layout)
        frames = [pl.read_parquet(path) for path in pushed]
        return (
            pl.concat(frames) if frames else pl.DataFrame(schema={"coupon": pl.String, "customer": pl.Int64})
        )

    def _check_log(self, log: pl.DataFrame) -> None:
        logged = set(log["coupon"].to_list())
        lost = self.rows.keys() - logged
        require(not lost, f"acknowledged rows are not in the log: {sorted(lost)[:5]}")
        unknown = logged - self.rows.keys() - self.doubtful_rows.keys()
        refused = [f"{coupon}, refused by {self.refused_rows.get(coupon)}" for coupon in sorted(unknown)]
        require(not unknown, f"rows that were not pushed, or refused, are in the log: {refused[:2]}")
        deleted = dict(deleted_keys(self.view, self.project.layout).group_by("customer").max().rows())
        for customer, at in self.deleted.items():
            require(deleted.get(customer, at - DAY) >= at, f"the deletion of customer {customer} is lost")

    def _check_answers(self, project: Project, name: str, log: pl.DataFrame) -> None:
        store = project.store()
        state = store.state(VIEW)
        require(state is not None, "the store does not hold the view")
        assert state is not None  # noqa: S101 - for mypy
        now = self.clock.now
        watermark = timestamp_of(state.watermark)
        rows = [{"customer": customer} for customer in CUSTOMERS]
        try:
            answers = project.get_online(rows, [VIEW], statuses=True)
        except ClockError:
            require(
                watermark - now > MAX_SKEW, f"{name or 'the project'} refuses to answer: its clock is right"
            )
            return
        require(watermark - now <= MAX_SKEW, "a store far ahead of the clock answers")
        got = [[(row[f], row[f"{f}__status"]) for f in FEATURES] for row in answers.iter_rows(named=True)]
        expected = [self._expected(state, known, now) for known in self._possible(state, log)]
        require(
            any(oracle.is_same(got, one) for one in expected),
            f"{name or 'the project'} answers as of {watermark}: {_difference(got, expected)}",
        )
        known = {row["coupon"]: row["created_timestamp"] for row in log.iter_rows(named=True)}
        written = self.last_write.get(name)
        for coupon in self.rows if written is not None else ():
            # What was known when the store was last written is in the store.
            require(
                not (known[coupon] <= written <= now and watermark < known[coupon]),
                f"{coupon} is acknowledged, and {name or 'the project'} answers as of {watermark}, before it",
            )

    def _possible(
        self, state: ViewState, log: pl.DataFrame
    ) -> list[tuple[list[dict[str, Any]], dict[tuple[Any, ...], datetime]]]:
        """Return the rows and deletions that the store may have: all of the log; or without writes that failed."""
        layout = self.project.layout
        built = self.built.get(state.source)
        require(built is not None, "the store holds rows of a file that was never built")
        assert built is not None  # noqa: S101 - for mypy
        deleted = deleted_keys(self.view, layout)
        everything = (
            [*built, *log.to_dicts()],
            {(customer,): at for customer, at in deleted.group_by("customer").max().rows()},
        )
        is_complete = state.pushed == next_number(log_files(layout.pushed(VIEW)))
        is_complete &= state.deleted == next_number(log_files(layout.deleted(VIEW)))
        if is_complete:
            return [everything]
        acknowledged = log.filter(pl.col("coupon").is_in(list(self.rows)))
        sure = deleted.filter(pl.col("event_timestamp") <= timestamp_of(state.watermark))
        without = (
            [*built, *acknowledged.to_dicts()],
            {(customer,): at for customer, at in sure.group_by("customer").max().rows()},
        )
        return [everything, without]

    def _expected(
        self,
        state: ViewState,
        known: tuple[list[dict[str, Any]], dict[tuple[Any, ...], datetime]],
        now: datetime,
    ) -> list[list[tuple[Any, int]]]:
        rows, deleted = known
        watermark = timestamp_of(state.watermark)
        timing = self.view.timing
        held = oracle.store_at(watermark, rows, ["customer"], timing, deleted)
        as_of = max(now, watermark)
        return [
            [
                (value, int(status))
                for value, status in (oracle.read(held.get((c,)), f, as_of, timing) for f in FEATURES)
            ]
            for c in CUSTOMERS
        ]

    def _remember_built(self) -> None:
        path = self.project.layout.features(VIEW)
        source = file_fingerprint(path)
        if source not in self.built:
            rows = pl.read_parquet(path)
            # One row for each good order of the raw file, as it is now or as it was before the last ones arrived.
            raw = pl.read_csv(self.root / "data/raw/orders.csv").filter(
                pl.col("customer") >= 1, pl.col("amount").is_null() | (pl.col("amount") >= 0)
            )
            require(
                set(rows["ordered_at"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")) <= set(raw["ordered_at"]),
                "the built rows are not those of the raw file",
            )
            self.built[source] = rows.to_dicts()


class Explained:
    """Adds to a failed check, and to an unexpected error, what was done before."""

    def __init__(self, after: str) -> None:
        self._after = after

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, WrongError):
            raise WrongError(f"after {self._after}: {error}") from error
        if isinstance(error, Exception):
            raise WrongError(f"after {self._after}: {type(error).__name__}: {error}") from error


def _difference(got: list[Any], expected: list[Any]) -> str:
    pairs = [
        f"customer {customer}: {a} for {b}"
        for customer, a, b in zip(CUSTOMERS, got, expected[0], strict=True)
        if not oracle.is_same(a, b)
    ]
    return "; ".join(pairs[:2])
