"""A small project from raw file to parity, with every kind of status."""

from datetime import UTC, datetime

import polars as pl
import pytest

import featurestore
from featurestore.errors import MissingDataError, SkewError
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.epoch import timestamp_of
from featurestore.values.codec import encode_rows


def at(day, hour=0):
    return datetime(2024, 1, day, hour, tzinfo=UTC)


def ask(project, *rows):
    frame = pl.DataFrame(
        [{"customer": customer, EVENT_TIMESTAMP: timestamp, "basket": 10.0} for customer, timestamp in rows],
        schema={"customer": pl.Int64, EVENT_TIMESTAMP: pl.Datetime("us", "UTC"), "basket": pl.Float64},
    )
    joined = project.historical(frame, "buying", statuses=True)
    return joined.select("amount", "amount__status", "ratio", "ratio__status").rows()


def test_what_was_known_at_each_moment(shop):
    """A late row is not known before it was loaded, and never overwrites a newer row."""
    assert ask(
        shop,
        (1, at(1)),  # the event itself: known a minute later
        (1, at(2)),
        (1, at(4)),  # the order of the 3rd was loaded on the 6th
        (1, at(7)),  # and by then the order of the 5th is newer, without an amount
        (1, at(11)),  # too old
        (None, at(4)),
        (3, at(8, 12)),
        (3, at(9, 12)),  # corrected
    ) == [
        (None, 3, None, 2),
        (10.5, 1, pytest.approx(0.952381), 1),
        (10.5, 1, pytest.approx(0.952381), 1),
        (None, 2, None, 2),
        (None, 4, None, 2),
        (None, 3, None, 2),
        (7.0, 1, pytest.approx(10 / 7), 1),
        (8.0, 1, 1.25, 1),
    ]


def test_bad_rows_are_kept_apart_with_their_reason(shop):
    """The order of customer 0 is in quarantine, and the counts add up."""
    verdict = shop.validate("orders")
    assert (verdict.rows_in, verdict.rows_passed, verdict.rows_quarantined) == (7, 6, 1)
    quarantined = pl.read_parquet(shop.layout.quarantine("orders"))
    assert quarantined.select("source_row", "broken_rules").rows() == [
        (7, ["customer.greater_than_or_equal_to(1)"])
    ]


def test_training_and_serving_agree(shop):
    """Every cell of the store equals the historical join, on-demand features included."""
    shop.training_set("visits")
    shop.materialize()
    record = shop.audit()
    assert record.mismatches == 0
    assert [(part.name, part.cells) for part in (*record.views, *record.services)] == [
        ("last_order", 9),
        ("buying", 20),
    ]
    vectors = shop.get_online(
        [{"customer": 3, "basket": 10.0}, {"customer": 9, "basket": 1.0}], "buying", statuses=True
    )
    assert vectors.select("amount", "amount__status", "ratio", "ratio__status").rows() == [
        (8.0, 1, 1.25, 1),
        (None, 3, None, 2),
    ]


def test_materialize_in_steps_equals_materialize_at_once(shop):
    """An incremental run reads only the rows that became known since the last run."""
    steps = [shop.materialize(until=at(day)).views[0] for day in (2, 5, 7, 10)]
    assert [(s.full, s.rows_read, s.rows_applied) for s in steps] == [
        (True, 1, 1),
        (False, 0, 0),
        (False, 2, 1),
        (False, 3, 2),
    ]
    stepped = list(shop.store().scan("last_order"))
    assert shop.materialize(until=at(10), full=True).views[0].rows_read == 6
    assert list(shop.store().scan("last_order")) == stepped


def test_going_back_writes_the_view_anew(shop):
    """A store that is materialized to an earlier timestamp holds what was known then."""
    shop.materialize(until=at(10))
    assert shop.materialize(until=at(2)).views[0].full
    assert shop.audit().mismatches == 0
    assert shop.get_online([{"customer": 1, "basket": 1.0}], "buying", as_of=at(2))["amount"].to_list() == [
        10.5
    ]


def test_one_differing_cell_is_found_and_named(shop):
    """The audit names view, key, feature and both values."""
    shop.materialize()
    store, view = shop.store(), shop.catalog.view("last_order")
    rows = shop.dataset("last_order").filter(customer=3).tail(1).with_columns(amount=pl.lit(8.5, pl.Float32))
    wrong = encode_rows(rows.collect(), view.keys, view.feature_schema)
    changed = {**dict(store.scan("last_order")), **dict(wrong)}
    store.write("last_order", changed.items(), store.state("last_order"), replace=True)
    record = shop.audit()
    assert record.mismatches == 1
    with pytest.raises(SkewError, match=r"last_order customer=3 amount: offline 8.0 \(PRESENT\), online 8.5"):
        record.require_parity()


def test_minus_zero_is_not_zero(shop):
    """-0.0 is stored and joined as -0.0, bit for bit."""
    shop.materialize()
    served = shop.get_online([{"customer": 2, "basket": 1.0}], "buying")["amount"]
    assert str(served.item()) == "-0.0"
    assert shop.audit().mismatches == 0


def test_a_store_ahead_of_the_moment_is_refused(shop):
    """A read before the watermark of the store is refused."""
    shop.materialize(until=at(10))
    with pytest.raises(SkewError, match="watermark of the online store is 2024-01-10"):
        shop.get_online([{"customer": 1, "basket": 1.0}], "buying", as_of=at(9))


def test_a_store_of_another_definition_is_refused(shop):
    """A changed view needs a new materialization before it is served."""
    shop.materialize()
    path = shop.settings.root / "feature_repo/shop.py"
    path.write_text(path.read_text().replace("ttl=timedelta(days=5)", "ttl=timedelta(days=6)"))
    changed = featurestore.open(_fresh(shop.settings.root))
    with pytest.raises(SkewError, match="written by another definition"):
        changed.get_online([{"customer": 1, "basket": 1.0}], "buying")


def test_a_reader_of_a_former_definition_has_to_be_opened_again(shop):
    """No command helps a process that has the former definition, so the hint names the files and the restart."""
    shop.materialize()
    reader = shop.reader("buying")
    path = shop.settings.root / "feature_repo/shop.py"
    path.write_text(path.read_text().replace("ttl=timedelta(days=5)", "ttl=timedelta(days=6)"))
    changed = featurestore.open(shop.settings.root)
    with pytest.raises(SkewError) as not_built:
        changed.get_online([{"customer": 1, "basket": 1.0}], "buying")
    assert not_built.value.hint == "run: featurestore build last_order && featurestore materialize"
    changed.build("last_order")
    changed.materialize()
    with pytest.raises(SkewError) as caught:
        reader.read([{"customer": 1, "basket": 1.0}], as_of=shop.settings.now())
    assert caught.value.hint.startswith(
        "start this process again: it read feature_repo/shop.py before the last change of the definitions"
    )
    with pytest.raises(SkewError, match="start this process again"):
        shop.historical([{"customer": 1, "basket": 1.0, "event_timestamp": at(5)}], "buying")


def test_nothing_is_served_before_it_is_materialized(shop):
    """The error of a view that is not materialized names the command."""
    with pytest.raises(MissingDataError, match="run: featurestore materialize"):
        shop.get_online([{"customer": 1, "basket": 1.0}], "buying")


def test_the_watermark_is_the_moment_asked_for(shop):
    """The store holds its watermark."""
    shop.materialize(until=at(7))
    assert timestamp_of(shop.store().state("last_order").watermark) == at(7)


def test_a_training_set_is_rebuilt_with_the_same_digest(shop):
    """The same definitions and data give the same training set."""
    first = shop.training_set("visits")
    shop.validate("orders")
    shop.build("last_order")
    assert shop.training_set("visits") == first


def _fresh(root):
    """Move a project, so that its changed modules are imported again."""
    return root.rename(root.with_name(f"{root.name}_changed"))
