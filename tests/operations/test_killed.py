"""A materialization may be killed at any time: readers see whole rows, and the next run completes it."""

import os
import signal
import subprocess
from datetime import UTC, datetime

import forks
import polars as pl
import pytest
from servers import PostgresServer, RedisServer, run_server
from shop import move_store

import featurestore
from featurestore.storage.files import append_record
from featurestore.values.codec import encode_key, open_row

CUSTOMERS = 20_000
FIRST, SECOND = datetime(2024, 1, 2, tzinfo=UTC), datetime(2024, 1, 6, tzinfo=UTC)
WRITER = """
import os, sys, featurestore
project = featurestore.open(sys.argv[1])
print(os.getpid(), flush=True)
project.materialize(until=sys.argv[2], full=sys.argv[3] == "full", progress=lambda *at: print(*at, flush=True))
"""


@pytest.fixture(scope="module")
def redis():
    with run_server(RedisServer) as server:
        yield server.url


@pytest.fixture(scope="module")
def postgres():
    with run_server(PostgresServer) as server:
        yield server.url


@pytest.fixture(params=["lmdb", "redis", "postgres"])
def stored(request, shop_files):
    """A shop of 20,000 customers with two orders each, of which the first is stored."""
    path = shop_files / "feature_repo/feature_store.yaml"
    if request.param != "lmdb":
        move_store(shop_files, request.param, request.getfixturevalue(request.param))
        path.write_text(
            path.read_text().replace("project: ", f"project: {request.node.callspec.id.replace('-', '_')}_")
        )
    customers = pl.int_range(1, CUSTOMERS + 1, eager=True)
    orders = [
        pl.select(
            order=customers + offset,
            customer=customers,
            ordered_at=pl.lit(day),
            loaded_at=pl.lit(None, dtype=pl.String),
            amount=pl.lit(float(worth)),
            coupon=pl.lit(str(worth)),
        )
        for offset, day, worth in ((0, "2024-01-01T00:00:00Z", 1), (CUSTOMERS, "2024-01-05T00:00:00Z", 2))
    ]
    pl.concat(orders).write_csv(shop_files / "data/raw/orders.csv")
    project = featurestore.open(shop_files)
    project.validate("orders")
    project.build("last_order")
    project.materialize(until=FIRST)
    return project


def worths(store):
    """Read some keys in one snapshot; a row is whole if its amount and its coupon agree."""
    keys = [encode_key((number,)) for number in range(1, CUSTOMERS, 97)]
    [(state, rows)] = store.read([("last_order", keys)])
    assert state is not None
    values = [open_row(key, row)[1][:2] for key, row in zip(keys, rows, strict=True) if row is not None]
    assert len(values) == len(keys)
    assert all(str(int(amount)) == coupon for amount, coupon in values)
    return {amount for amount, _ in values}


@pytest.mark.parametrize("mode", ["full", "incremental"])
def test_killed_at_any_moment(stored, mode):
    """A run killed early, midway or late, and then one complete run, leave what an uninterrupted run leaves."""
    store = stored.store()
    for steps in (1, 8, 20):
        command = [forks.python(), "-c", WRITER, str(stored.settings.root), SECOND.isoformat(), mode]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            pid = int(writer.stdout.readline())
            for step in range(steps + 1):
                assert step == 0 or writer.stdout.readline()
                seen = worths(store)
                # A reader sees a view that is written in full before or after; an incremental run, batch by batch.
                assert len(seen) == 1 or mode == "incremental"
            os.kill(pid, signal.SIGKILL)
        worths(store)
    stored.materialize(until=SECOND, full=mode == "full")
    assert worths(store) == {2.0}
    left, state = list(store.scan("last_order")), store.state("last_order")
    store.drop(["last_order"])
    stored.materialize(until=SECOND)
    assert list(store.scan("last_order")) == left
    assert store.state("last_order") == state
    assert stored.audit().mismatches == 0


def test_every_run_is_recorded(shop):
    """The history holds where each run began and ended; rows applied and older rows add up to rows read."""
    for until in ("2024-01-05T12:00:00Z", "2024-01-08T12:00:00Z", "2024-01-10T00:00:00Z"):
        shop.materialize(until=until)
    runs = shop.materializations()
    assert [(v.rows_read, v.rows_applied, v.rows_older) for run in runs for v in run.views] == [
        (2, 1, 1),
        (2, 1, 1),
        (2, 2, 0),
    ]
    assert [run.since["last_order"] for run in runs] == [None, *(run.views[0].until for run in runs[:2])]
    # The second run read order 2, an older event than order 3, which was stored: what came late is passed over.
    assert all(v.rows_read == v.rows_applied + v.rows_older for run in runs for v in run.views)


def test_an_interrupted_line_of_the_history_costs_that_line_only(shop):
    """A half line in the history is skipped; the lines before and after it are read."""
    shop.materialize()
    with shop.layout.materializations.open("ab") as file:
        file.write(b'{"at":"2024-')
    append_record(shop.materializations()[0], shop.layout.materializations)
    assert len(shop.materializations()) == 2
