"""Pushes of one view that wait are written together, and each has an outcome of its own."""

import threading
from datetime import UTC, datetime, timedelta
from functools import partial

import polars as pl
from serving import SECONDS, eventually
from test_refused_writes import full

from featurestore.errors import FeatureStoreError
from featurestore.operations.push.logged import LoggedError
from featurestore.operations.push.push import MAX_ROWS_TOGETHER, push
from featurestore.quality.gate.refused_rows import RefusedRowsError
from featurestore.storage import lock
from featurestore.storage.lock import locked
from featurestore.storage.log import log_files

EVENT = datetime(2024, 1, 9, 22, tzinfo=UTC)


def order(customer, amount, *, rows=1):
    row = {
        "customer": [customer],
        "event_timestamp": [EVENT],
        "amount": [amount],
        "coupon": ["NEW"],
        "ordered_at": [EVENT],
    }
    frame = pl.DataFrame({name: value * rows for name, value in row.items()}, strict=False)
    return frame.with_columns(pl.col("event_timestamp") - pl.int_range(rows) * timedelta(hours=1))


def pushed_together(shop, workspace, pushes):
    """Push frames from a thread each, in their order, while another write holds the lock; return what came of each."""
    outcomes = [None] * len(pushes)

    def do(i):
        try:
            outcomes[i] = push(workspace, "last_order", pushes[i])
        except FeatureStoreError as error:
            outcomes[i] = error

    path = shop.layout.pushing("last_order")
    with locked(path):
        threads = [threading.Thread(target=partial(do, i)) for i in range(len(pushes))]
        with path.open("ab") as file:
            key = lock._key(file)
        for i, thread in enumerate(threads):
            thread.start()
            eventually(lambda i=i: len(lock._turns._queues[key]) == i + 2, "the push does not wait")
    for thread in threads:
        thread.join(SECONDS)
    return outcomes


def served(shop, *customers):
    rows = [{"customer": customer} for customer in customers]
    return shop.get_online(rows, ["last_order:amount"])["amount"].to_list()


def test_each_of_them_has_an_outcome_of_its_own(shop):
    """One is refused, and the others are written in one transaction: the last of one event wins, a repeated one counts so."""
    shop.materialize()
    pushes = [
        order(7, 1.0),
        order(8, "dear", rows=2),
        order(7, 2.0),
        order(7, 2.0),
        order(9, 3.0, rows=2),
        order(2, 4.0, rows=MAX_ROWS_TOGETHER + 1),
        order(8, 5.0),
    ]
    first, bad, second, again, two, many, last = pushed_together(shop, shop._workspace, pushes)
    assert isinstance(bad, RefusedRowsError)
    assert bad.refused_rows == (0, 1)
    assert [(done.rows, done.repeated, done.older) for done in (first, second, again, two)] == [
        (1, 0, 1),
        (1, 0, 0),
        (1, 1, 0),
        (2, 0, 1),
    ]
    assert (many.rows, last.rows) == (MAX_ROWS_TOGETHER + 1, 1)
    # The large one is written alone, and what is behind it afterwards.
    assert len(log_files(shop.layout.pushed("last_order"))) == 3
    assert served(shop, 7, 8, 9, 2) == [2.0, 5.0, 3.0, 4.0]
    created = shop.dataset("last_order").filter(customer=7, coupon="NEW").collect()["created_timestamp"]
    assert created.diff().drop_nulls().to_list() == [timedelta(microseconds=1)]
    assert shop.audit().mismatches == 0


def test_if_the_store_fails_each_hears_of_its_own_rows(shop):
    """Those that were logged may be applied later; one that was refused is not."""
    shop.materialize()
    pushes = [order(7, 1.0), order(8, "dear"), order(9, 3.0, rows=2)]
    first, bad, second = pushed_together(shop, full(shop, release=False), pushes)
    assert isinstance(bad, RefusedRowsError)
    assert [type(error) for error in (first, second)] == [LoggedError, LoggedError]
    assert [error.rows for error in (first, second)] == [1, 2]
    shop.push("last_order", order(2, 4.0))
    assert served(shop, 7, 8, 9, 2) == [1.0, None, 3.0, 4.0]
