"""Experiments with plain Feast: times, keys, pushes, and data that do not belong together.

Each takes an empty folder, and returns what Feast answers and what is right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import polars as pl
from feast.data_source import PushMode
from feast_repository import NOW, ONE, TWO, WEEK, Outcome, Repository, days_ago, rows_of, shows

if TYPE_CHECKING:
    from pathlib import Path


@shows("ttl ignored by the server", "ttl ignored by get_online", "an expired value answers NULL_VALUE")
def _expired(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of({"event": days_ago(8), "x": 1}), ttl=WEEK)
    repository.materialize()
    return repository.online(1), [None]


@shows("ttl compared with >= online", "ttl compared with >= everywhere")
def _as_old_as_ttl(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of({"event": days_ago(7), "x": 1}), ttl=WEEK)
    return repository.history(1), [1]


@shows("a late row is known since its event")
def _late(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of({"event": days_ago(9), "created": days_ago(3), "x": 1}))
    return repository.history(1, at=days_ago(5)), [None]


@shows("a missing load time counts as 1970")
def _missing_load_time(folder: Path) -> Outcome:
    rows = rows_of(
        {"event": days_ago(3), "created": days_ago(4), "x": 1},
        {"event": days_ago(3), "created": None, "x": 2},
    )
    repository = Repository(folder, rows)
    repository.materialize()
    return repository.online(1), [2]


@shows(
    "load time ignored among rows of one event",
    "history keeps the first of two rows that become known together",
)
def _corrected(folder: Path) -> Outcome:
    later = {"event": days_ago(3), "created": days_ago(1), "x": 2}
    repository = Repository(folder, rows_of(later, ONE))
    repository.materialize()
    return (repository.online(1), repository.history(1)), ([2], [2])


@shows("an older event overwrites a newer one")
def _older(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of(ONE))
    repository.write_online(k=1, created=days_ago(1), **TWO)
    repository.write_online(k=1, created=NOW, **ONE)
    return repository.online(1), [2]


@shows("the first row of a key stays")
def _newer(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of(ONE))
    repository.materialize()
    repository.write(rows_of(ONE, TWO))
    repository.materialize()
    return repository.online(1), [2]


@shows("two pushes of one event: luck decides")
def _pushed_twice(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of(ONE))
    for value in (5, 6):
        repository.push(k=1, event=days_ago(1), created=NOW, x=value)
    return (repository.online(1), repository.history(1)), ([6], [6])


@shows("history does not have the pushed rows")
def _pushed_online(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of(ONE))
    repository.push(PushMode.ONLINE, k=1, event=days_ago(1), created=NOW, x=5)  # the default of `push`
    return repository.history(1), repository.online(1)


@shows("a push that is known before it was written")
def _pushed_late(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of(ONE))
    repository.push(k=1, event=days_ago(1), created=NOW, x=5)
    return repository.history(1, at=days_ago(0.5)), [1]


@shows("history takes local times of entity rows for UTC")
def _local_entity_rows(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of(ONE, TWO))
    local = days_ago(2, microseconds=-1).astimezone(ZoneInfo("America/New_York"))
    return repository.history(1, at=local), [1]


@shows("what changed since a time includes that time")
def _since(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of(ONE, TWO))
    job = repository.store.get_historical_features(
        features=["view:x"], start_date=days_ago(3), end_date=days_ago(2)
    )
    return sorted(job.to_df()["x"]), [2]


@shows("microseconds cut from versions")
def _microseconds(folder: Path) -> Outcome:
    later = {"event": days_ago(3, microseconds=1), "x": 2}
    repository = Repository(folder, rows_of(later, ONE))
    repository.materialize()
    return (repository.online(1), repository.history(1)), ([2], [2])


@shows("a row that is known at the watermark is left out")
def _at_the_watermark(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of({"event": NOW, "x": 1}))
    repository.materialize()
    return repository.online(1), [1]


@shows("an incremental run goes by event time")
def _incremental(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of({"k": 2, "event": days_ago(5), "x": 0}))
    repository.store.materialize_incremental(days_ago(2))
    late = {"event": days_ago(4), "created": days_ago(1), "x": 1}
    repository.write(rows_of({"k": 2, "event": days_ago(5), "x": 0}, late))
    repository.store.materialize_incremental(NOW)
    return repository.online(1), [1]


@shows("history takes the nearest row, also a later one")
def _nearest(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of(ONE))
    return repository.history(1, at=days_ago(3, microseconds=-1)), [None]


@shows("history lets a late row hide a newer one")
def _hidden(folder: Path) -> Outcome:
    late = {"event": days_ago(4), "created": days_ago(1), "x": 1}
    repository = Repository(folder, rows_of(late, TWO))
    return repository.history(1), [2]


@shows("two keys have one encoding", "keys that differ in case are one")
def _keys(folder: Path) -> Outcome:
    keys = [("a", "b|c"), ("a|b", "c"), ("A", "b|c"), ("", "a"), ("a", "")]
    rows = [{"k": k, "n": n, "event": days_ago(1), "x": x} for x, (k, n) in enumerate(keys)]
    repository = Repository(folder, rows_of(*rows, k=pl.String), keys=("k", "n"))
    repository.materialize()
    return [repository.online(*key) for key in keys], [[x] for x in range(len(keys))]


@shows(
    "the parts of a key in another order",
    "the parts of a key swapped by the server",
    "history reads the parts of a key in another order",
)
def _key_order(folder: Path) -> Outcome:
    rows = rows_of({"k": "x", "n": "y", "event": days_ago(1), "x": 1}, {"k": "y", "n": "x", "event": days_ago(1), "x": 2}, k=pl.String)  # fmt: skip
    repository = Repository(folder, rows, keys=("k", "n"))
    repository.materialize()
    swapped = repository.store.get_online_features(["view:x"], [{"n": "y", "k": "x"}]).to_dict()["x"]
    return (swapped, repository.history("x", "y")), ([1], [1])


@shows("a changed row that an incremental run does not see")
def _changed(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of(ONE))
    repository.store.materialize_incremental(days_ago(1))
    repository.write(rows_of({**ONE, "x": 9}))
    repository.store.materialize_incremental(NOW)
    return repository.online(1), [9]


@shows("a full run that keeps removed keys")
def _removed(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of(ONE, {**ONE, "k": 2}))
    repository.materialize()
    repository.write(rows_of({**ONE, "k": 2}))
    repository.materialize()
    return repository.online(1), [None]


@shows("two views swapped", "two stored rows swapped")
def _swapped(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of(ONE, {**TWO, "k": 2}))
    repository.materialize()
    swap = "SELECT entity_key, value FROM {table}"
    repository.sql(
        f"CREATE TABLE pairs AS {swap}; UPDATE {{table}} SET value = "
        "(SELECT value FROM pairs WHERE pairs.entity_key != {table}.entity_key);"
    )
    return (repository.online(1), repository.online(2)), ([1], [2])


@shows("rows lost when they are written", "a stored row lost", "a row of the served release lost")
def _lost(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of(ONE))
    repository.materialize()
    repository.sql("DELETE FROM {table};")
    return repository.online(1), [1]


@shows("a row of history lost at the edge of a part")
def _lost_history(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of(ONE, {**TWO, "k": 2}))
    repository.materialize()
    repository.write(rows_of({**TWO, "k": 2}))
    return repository.history(1), repository.online(1)


@shows(
    "max becomes min, training set kept",
    "features built from other data than the training set",
    "features of another branch beside the store",
    "a store of another branch beside the features",
)
def _rewritten(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of(ONE))
    repository.materialize()
    repository.write(rows_of({**ONE, "x": 9}))
    return repository.history(1), repository.online(1)


@shows("two values for one key and time")
def _conflict(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of(ONE, {**ONE, "x": 2}))
    repository.materialize()
    return repository.online(1), "a refusal"


@shows("a time finer than a microsecond", "a feature of nanoseconds")
def _nanoseconds(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of(ONE))
    exact = pl.col("event").cast(pl.Datetime("ns", "UTC")) + pl.duration(nanoseconds=100)
    rows_of(ONE).with_columns(event=exact).write_parquet(repository.path)
    repository.materialize()
    return repository.online(1), "a refusal"


@shows("a key that is missing")
def _missing_key(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of(ONE))
    repository.write(rows_of(ONE, {**ONE, "k": None}))
    repository.materialize()
    return repository.online(1), "a refusal"


@shows("a view left behind")
def _left_behind(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of(ONE, {**TWO, "x": 2}))
    repository.materialize(days_ago(2.5))
    return repository.online(1), repository.history(1)


@shows("a store ahead of the clock")
def _ahead(folder: Path) -> Outcome:
    repository = Repository(folder, rows_of(ONE, {"event": NOW + WEEK, "x": 9}))
    repository.materialize(NOW + WEEK)
    return repository.online(1), repository.history(1)
