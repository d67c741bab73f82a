"""A push applies what is pushed and no more; stores, history and audit see the same rows after the log was compacted."""

import shutil
from datetime import UTC, datetime, timedelta

import polars as pl

import featurestore
from featurestore.storage.log import log_files

NOW = datetime(2024, 1, 10, tzinfo=UTC)  # the shop's clock


def order(customer, amount, event=NOW - timedelta(hours=1)):
    times = {"event_timestamp": [event], "ordered_at": [event]}
    return pl.DataFrame({"customer": [customer], "amount": [amount], "coupon": ["NEW"], **times})


def amounts(project, *customers):
    return project.get_online([{"customer": c} for c in customers], ["last_order:amount"])["amount"].to_list()


def pushed(project):
    return log_files(project.layout.pushed("last_order"))


def test_a_push_reads_what_is_pushed_and_history_stays_the_same(shop):
    """The thousandth push reads one row, as the first does, though the log is merged in between."""
    shop.materialize()
    customers = list(range(100, 140))
    for customer in customers:
        done = shop.push("last_order", order(customer, float(customer)))
        assert (done.rows_read, done.rows_applied) == (1, 1)
    shop.delete("last_order", pl.DataFrame({"customer": [100, 101]}))
    expected = [None, None, *map(float, customers[2:])]
    entity_rows = pl.DataFrame({"customer": customers}).with_columns(event_timestamp=pl.lit(NOW))
    before = shop.historical(entity_rows, ["last_order"], statuses=True)
    assert len(pushed(shop)) == 2 + 8
    shop.materialize()
    assert len(pushed(shop)) == 1
    assert shop.historical(entity_rows, ["last_order"], statuses=True).equals(before)
    assert amounts(shop, *customers) == before["amount"].to_list() == expected
    assert shop.audit().mismatches == 0
    shop.store().drop(["last_order"])
    shop.materialize()
    assert amounts(shop, *customers) == expected


def test_a_pending_row_of_an_older_write_is_applied_when_it_is_known(shop):
    """Rows that earlier writers could not apply yet are applied by the next one that reaches their time."""
    shop.materialize()
    shop.push("last_order", order(50, 5.0, NOW - timedelta(seconds=30)))  # known half a minute from now
    shop.push("last_order", order(51, 6.0))
    assert amounts(shop, 50, 51) == [None, 6.0]
    object.__setattr__(shop.settings, "as_of", NOW + timedelta(minutes=1))
    done = shop.push("last_order", order(52, 7.0))
    assert (done.rows_read, done.full) == (2, False)
    assert amounts(shop, 50, 51, 52) == [5.0, 6.0, 7.0]
    assert shop.audit().mismatches == 0


def test_a_log_that_went_back_is_noticed(shop):
    """A log of an earlier version, as after a checkout, takes its later rows out of the store."""
    shop.materialize()
    shop.push("last_order", order(50, 5.0))
    shutil.copytree(shop.layout.pushed("last_order"), shop.layout.data / "earlier")
    shop.push("last_order", order(51, 6.0))
    shutil.rmtree(shop.layout.pushed("last_order"))
    (shop.layout.data / "earlier").rename(shop.layout.pushed("last_order"))
    assert shop.materialize().views[0].full
    assert amounts(shop, 50, 51) == [5.0, None]
    assert shop.audit().mismatches == 0


def test_a_release_applies_each_write_once(shop):
    """A release that fell behind applies all writes that it has not seen, also merged ones."""
    shop.materialize()
    shop.training_set("visits")
    first = featurestore.open(shop.layout.releases / shop.release().name)
    shop.release()
    for customer in range(60, 80):
        shop.push("last_order", order(customer, 1.0))
    assert amounts(first, 60, 79) == [None, None]
    shop.rollback("0001")
    assert amounts(first, 60, 79) == [1.0, 1.0]
    done = first.push("last_order", order(80, 2.0))
    assert done.rows_read == 1
    assert first.audit().mismatches == 0
