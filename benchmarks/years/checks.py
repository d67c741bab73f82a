"""What a project of the simulated year must hold and answer: its ledger and the oracle."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import polars as pl

import featurestore
from featurestore.operations.release.releases import active_release
from featurestore.service.runtime.keys import read_keys
from featurestore.storage.fingerprint import file_fingerprint
from featurestore.storage.log import log_files, next_number, without_writes
from featurestore.storage.views import deleted_keys, files_of
from featurestore.testing import oracle
from featurestore.timing.clock import MAX_SKEW, ClockError
from featurestore.timing.epoch import timestamp_of

if TYPE_CHECKING:
    from datetime import datetime

    from featurestore.ports import ViewState
    from featurestore.project.project import Project
    from years.world import World

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


def check(world: World, *, after: str) -> None:
    """Compare the log with the ledger, and every answer with the oracle.

    Raises
    ------
    WrongError
        If an acknowledged write is lost, or an answer is wrong.
    """
    with Explained(after):
        read_built(world)
        _check_keys(world)
        log = _log(world)
        _check_log(world, log)
        _check_answers(world, world.project, "", log)
        name = active_release(world.project.layout)
        if name is not None:
            released = featurestore.open(world.root / "data/releases" / name)
            _check_answers(world, released, name, log)


def held_keys(world: World) -> set[str]:
    """Return the names of the keys that the project has."""
    return {key.name for key in read_keys(world.project.layout.keys)}


def _check_keys(world: World) -> None:
    held = held_keys(world)
    lost, extra = world.keys - held - world.doubtful_keys, held - world.keys - world.doubtful_keys
    require(not lost, f"keys {lost} are lost")
    require(not extra, f"keys {extra} were removed and are back")


def _log(world: World) -> pl.DataFrame:
    _, *pushed = files_of(world.view, world.project.layout)
    frames = [pl.read_parquet(path) for path in pushed]
    return pl.concat(frames) if frames else pl.DataFrame(schema={"coupon": pl.String, "customer": pl.Int64})


def _check_log(world: World, log: pl.DataFrame) -> None:
    logged = set(log["coupon"].to_list())
    lost = world.rows.keys() - logged
    require(not lost, f"acknowledged rows are not in the log: {sorted(lost)[:5]}")
    unknown = logged - world.rows.keys() - world.doubtful_rows.keys()
    refused = [f"{coupon}, refused by {world.refused_rows.get(coupon)}" for coupon in sorted(unknown)]
    require(not unknown, f"rows that were not pushed, or refused, are in the log: {refused[:2]}")
    deleted = dict(deleted_keys(world.view, world.project.layout).group_by("customer").max().rows())
    for customer, at in world.deleted.items():
        require(deleted.get(customer, at - DAY) >= at, f"the deletion of customer {customer} is lost")


def _check_answers(world: World, project: Project, name: str, log: pl.DataFrame) -> None:
    store = project.store()
    state = store.state(VIEW)
    require(state is not None, "the store does not hold the view")
    assert state is not None  # noqa: S101 - for mypy
    now = world.clock.now
    watermark = timestamp_of(state.watermark)
    rows = [{"customer": customer} for customer in CUSTOMERS]
    try:
        answers = project.get_online(rows, [VIEW], statuses=True)
    except ClockError:
        require(watermark - now > MAX_SKEW, f"{name or 'the project'} refuses to answer: its clock is right")
        return
    require(watermark - now <= MAX_SKEW, "a store far ahead of the clock answers")
    got = [[(row[f], row[f"{f}__status"]) for f in FEATURES] for row in answers.iter_rows(named=True)]
    expected = [_expected(world, state, known, now) for known in _possible(world, state, log)]
    require(
        any(oracle.is_same(got, answer) for answer in expected),
        f"{name or 'the project'} answers as of {watermark}: {_difference(got, expected)}",
    )
    known = {row["coupon"]: row["created_timestamp"] for row in log.iter_rows(named=True)}
    written = world.last_write.get(name)
    for coupon in world.rows if written is not None else ():
        # What was known when the store was last written is in the store.
        require(
            not (known[coupon] <= written <= now and watermark < known[coupon]),
            f"{coupon} is acknowledged, and {name or 'the project'} answers as of {watermark}, before it",
        )


def _possible(
    world: World, state: ViewState, log: pl.DataFrame
) -> list[tuple[list[dict[str, Any]], dict[tuple[Any, ...], datetime]]]:
    """Return the rows and deletions that the store may have: all of the log; or without writes that failed."""
    layout = world.project.layout
    built = world.built.get(state.source)
    require(built is not None, "the store holds rows of a file that was never built")
    assert built is not None  # noqa: S101 - for mypy
    deleted = deleted_keys(world.view, layout)
    everything = ([*built, *log.to_dicts()], _last(deleted))
    is_complete = state.pushed == next_number(log_files(layout.pushed(VIEW)))
    is_complete &= state.deleted == next_number(log_files(layout.deleted(VIEW)))
    if is_complete:
        return [everything]
    # The writes that the store has by their numbers, and those that were acknowledged, which it must have.
    acknowledged = log.filter(pl.col("coupon").is_in(list(world.rows)))
    rows = pl.concat([_first_writes(layout.pushed(VIEW), state.pushed, log), acknowledged]).unique()
    at = pl.col("event_timestamp")
    since = pl.DataFrame(
        list(world.deleted.items()),
        schema={"customer": pl.Int64, "since": deleted.schema["event_timestamp"]},
        orient="row",
    )
    sure = deleted.join(since, on="customer").filter(at >= pl.col("since")).group_by("customer").agg(at.min())
    known = pl.concat(
        [_first_writes(layout.deleted(VIEW), state.deleted, deleted), sure.select(deleted.columns)]
    )
    return [everything, ([*built, *rows.to_dicts()], _last(known))]


def _first_writes(folder: Path, count: int, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of the first writes of a log, of which `rows` are all."""
    with TemporaryDirectory() as scratch:
        frames = [
            pl.read_parquet(without_writes(file.path, range(count, file.last + 1), Path(scratch)))
            for file in log_files(folder)
            if file.first < count
        ]
    return pl.concat([rows.clear(), *frames])


def _last(deleted: pl.DataFrame) -> dict[tuple[Any, ...], datetime]:
    return {(customer,): at for customer, at in deleted.group_by("customer").max().rows()}


def _expected(
    world: World,
    state: ViewState,
    known: tuple[list[dict[str, Any]], dict[tuple[Any, ...], datetime]],
    now: datetime,
) -> list[list[tuple[Any, int]]]:
    rows, deleted = known
    watermark = timestamp_of(state.watermark)
    timing = world.view.timing
    held = oracle.store_at(watermark, rows, ["customer"], timing, deleted)
    as_of = max(now, watermark)
    return [
        [
            (value, int(status))
            for value, status in (oracle.read(held.get((c,)), f, as_of, timing) for f in FEATURES)
        ]
        for c in CUSTOMERS
    ]


def read_built(world: World) -> None:
    """Keep the built rows by the digest of their file, as a store names it.

    Raises
    ------
    WrongError
        If they are not rows of the raw file.
    """
    path = world.project.layout.features(VIEW)
    source = file_fingerprint(path)
    if source not in world.built:
        rows = pl.read_parquet(path)
        # One row for each good order of the raw file, as it is now or as it was before the last ones arrived.
        raw = pl.read_csv(world.root / "data/raw/orders.csv").filter(
            pl.col("customer") >= 1, pl.col("amount").is_null() | (pl.col("amount") >= 0)
        )
        require(
            set(rows["ordered_at"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")) <= set(raw["ordered_at"]),
            "the built rows are not those of the raw file",
        )
        world.built[source] = rows.to_dicts()


def _difference(got: list[Any], expected: list[Any]) -> str:
    pairs = [
        f"customer {customer}: {a} for {b}"
        for customer, a, b in zip(CUSTOMERS, got, expected[0], strict=True)
        if not oracle.is_same(a, b)
    ]
    return "; ".join(pairs[:2])
