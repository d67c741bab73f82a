"""Replay names the cause of each difference: each cause is planted, and found by the command."""

import shutil
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from logged import change_log, log_answers

from featurestore.errors import MissingDataError, SkewError, UnknownNameError
from featurestore.operations.audit.causes import Cause
from featurestore.storage.views import log_rows
from featurestore.values.codec import encode_keys, encode_rows

NOW = datetime(2024, 1, 10, tzinfo=UTC)  # the shop's clock
HOUR = timedelta(hours=1)
KEY = pl.DataFrame({"customer": [3]})


def order(amount, *, customer=3, at=NOW - HOUR, **others):
    columns = {
        "customer": [customer],
        "event_timestamp": [at],
        "amount": [amount],
        "coupon": [None],
        "ordered_at": [at],
    }
    return pl.DataFrame({**columns, **{name: [value] for name, value in others.items()}})


def set_clock(project, now):
    object.__setattr__(project.settings, "as_of", now)


def causes(project, **options):
    return project.replay("buying", **options).causes


def set_stored(project, customer, row):
    """Write a row, or none, in place of the stored row of a customer, as a store that is broken does."""
    store = project.store()
    [key] = encode_keys(pl.DataFrame({"customer": [customer]}), ["customer"])
    state = store.state("last_order")
    rows = {name: held for name, held in store.scan("last_order") if name != key}
    if row is not None:
        view = project.catalog.view("last_order")
        pairs = encode_rows(
            row.cast({"amount": pl.Float32, "coupon": pl.String}), ["customer"], view.feature_schema
        )
        rows |= dict(pairs)
    store.drop(["last_order"])
    store.write("last_order", rows.items(), state, replace=True)


def change_order(project, before, after):
    path = project.settings.root / "data/raw/orders.csv"
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))
    project.validate("orders")
    project.build("last_order")


def served_late(shop):
    """The store was not brought to the time of a row that was known."""
    shop.materialize(until=NOW - 2 * timedelta(days=1))
    log_answers(shop.settings.root, 3, as_of=NOW)


def served_before_a_late_row(shop):
    """A row came after the answer, and its timestamps say that it was known before."""
    shop.materialize()
    log_answers(shop.settings.root, 3)
    change_order(shop, "7,0,", "8,3,2024-01-09T10:00:00Z,2024-01-09T11:00:00Z,9,\n7,0,")


def served_other_data(shop):
    """The orders were corrected in place, and built again."""
    shop.materialize()
    log_answers(shop.settings.root, 3)
    change_order(shop, ",8,", ",9,")


def served_without_its_row(shop):
    """The store lost the row of a key."""
    shop.materialize()
    set_stored(shop, 3, None)
    log_answers(shop.settings.root, 3)


def served_without_the_pushed_row(shop):
    """The store lost a pushed row, and kept the one before it."""
    shop.materialize(until=NOW - HOUR)
    shop.push("last_order", order(5.0, at=NOW - 2 * HOUR))
    set_stored(
        shop,
        3,
        order(8.0, at=datetime(2024, 1, 8, tzinfo=UTC), created_timestamp=datetime(2024, 1, 9, tzinfo=UTC)),
    )
    log_answers(shop.settings.root, 3)


def served_before_the_push_was_written(shop):
    """A push was killed after its rows were logged, and before the store had them."""
    shop.materialize(until=NOW - 2 * HOUR)
    row = order(5.0, at=NOW - 2 * HOUR, created_timestamp=NOW - HOUR)
    schema = {**shop.catalog.view("last_order").contract.schema}
    log_rows(shop.catalog.view("last_order"), row.cast(schema).select(*schema), shop.layout)
    log_answers(shop.settings.root, 3)


def served_before_it_was_known(shop):
    """The store held a pushed row before its time."""
    shop.materialize()
    log_answers(shop.settings.root, 3)
    row = order(5.0, at=NOW + HOUR)
    shop.push("last_order", row)
    log_path = next(shop.layout.served("buying").rglob("*.parquet"))
    log_path.unlink()
    set_stored(shop, 3, row)
    log_answers(shop.settings.root, 3)


def served_after_the_deletion(shop):
    """The store brought a deleted key back."""
    shop.materialize(until=NOW - HOUR)
    shop.delete("last_order", KEY)
    set_stored(
        shop,
        3,
        order(8.0, at=datetime(2024, 1, 8, tzinfo=UTC), created_timestamp=datetime(2024, 1, 9, tzinfo=UTC)),
    )
    log_answers(shop.settings.root, 3)


def served_another_value(shop):
    """The store holds another value than the row that it was filled from."""
    shop.materialize()
    set_stored(
        shop,
        3,
        order(99.0, at=datetime(2024, 1, 8, tzinfo=UTC), created_timestamp=datetime(2024, 1, 9, tzinfo=UTC)),
    )
    log_answers(shop.settings.root, 3)


def served_expired(shop):
    """Serving took a value as expired that was alive."""
    shop.materialize()
    log_answers(shop.settings.root, 3)
    expired = pl.lit(4, dtype=pl.UInt8).alias("coupon__status")
    change_log(shop, expired)


def served_rounded(shop):
    """Serving rounded a value once more."""
    shop.materialize()
    log_answers(shop.settings.root, 3)
    change_log(shop, pl.lit(8.000001, dtype=pl.Float32).alias("amount"))


def served_another_request_value(shop):
    """The on-demand feature was computed from another basket than the one in the log."""
    shop.materialize()
    log_answers(shop.settings.root, 3)
    change_log(shop, pl.lit(17.0).alias("basket"))


PLANTED = [
    (served_late, Cause.LATE_DATA),
    (served_before_a_late_row, Cause.LATE_DATA),
    (served_other_data, Cause.OTHER_DATA),
    (served_without_its_row, Cause.LOST_ROW),
    (served_without_the_pushed_row, Cause.LOST_ROW),
    (served_before_the_push_was_written, Cause.PUSHED),
    (served_before_it_was_known, Cause.PUSHED),
    (served_after_the_deletion, Cause.DELETED),
    (served_another_value, Cause.STORE),
    (served_expired, Cause.EXPIRED),
    (served_rounded, Cause.ROUNDED),
    (served_another_request_value, Cause.REQUEST_VALUE),
]


@pytest.mark.parametrize(("plant", "cause"), PLANTED, ids=[plant.__name__ for plant, _ in PLANTED])
def test_a_planted_fault_is_found_with_its_cause(shop, plant, cause):
    """Each way in which serving and training can disagree is named, in the record and in the message."""
    plant(shop)
    record = shop.replay("buying")
    assert set(record.causes) == {cause}
    assert record.mismatches == record.causes[cause] > 0
    assert {difference.cause for difference in record.differences} == {cause}
    with pytest.raises(
        SkewError, match=f"differ between training and serving: {cause.value} {record.mismatches}"
    ):
        record.require_parity()


def test_each_of_several_answers_has_its_cause(shop):
    """Every rule about causes takes answers of any number."""
    served_rounded(shop)
    log_answers(shop.settings.root, 3)
    change_log(shop, pl.lit(8.000001, dtype=pl.Float32).alias("amount"))
    assert causes(shop)[Cause.ROUNDED] == 2


def test_a_stale_answer_is_counted_and_is_no_mismatch(shop):
    """An answer that was marked as stale may differ: its cells are counted with their cause."""
    shop.materialize()
    log_answers(shop.settings.root, 3, stale=True)
    log_answers(shop.settings.root, 3)
    assert (shop.replay("buying").stale, causes(shop)) == (1, {})
    change_order(shop, ",8,", ",9,")
    shop.materialize()
    for path in shop.layout.served("buying").rglob("*.parquet"):
        if not pl.read_parquet(path)["stale"].any():
            path.unlink()
    record = shop.replay("buying")
    assert (record.vectors, record.stale, record.mismatches) == (1, 1, 0)
    assert record.causes == {Cause.STALE_ANSWER: 2}
    record.require_parity()


def test_a_release_replays_after_the_next_one_and_after_the_project_changed(shop):
    """Each vector is recomputed with the definitions and the features of the release that served it."""
    root = shop.settings.root
    shop.materialize()
    shop.release()
    log_answers(root, 1, 2, 3, as_of=NOW)
    change_order(shop, ",8,", ",9,")
    shop.check_leaks()
    shop.materialize()
    shop.release()
    log_answers(root, 1, 3)
    for options, vectors in (({}, 5), ({"release": "0001"}, 3), ({"release": "0002"}, 2)):
        record = shop.replay("buying", **options)
        assert (record.vectors, record.mismatches, record.left_out) == (vectors, 0, ())
    for name, before, after in (
        (
            "feature_repo/shop.py",
            'pl.col("basket") / pl.col("amount")',
            'pl.col("basket") * pl.col("amount")',
        ),
        ("data/raw/orders.csv", ",9,", ",10,"),
    ):
        path = root / name
        assert before in path.read_text()
        path.write_text(path.read_text().replace(before, after))
    changed = type(shop)(shop._workspace.at(root))
    changed.validate("orders")
    changed.build("last_order")
    assert (changed.replay("buying").vectors, changed.replay("buying").mismatches) == (5, 0)
    release = type(shop)(shop._workspace.at(shop.layout.releases / "0001"))
    assert (release.replay("buying").vectors, release.replay("buying").mismatches) == (3, 0)


def test_answers_of_a_removed_release_are_recomputed_by_another_one(shop):
    """The project has the definitions too, and the rows of another branch in place: it cannot recompute them."""
    root = shop.settings.root
    shop.materialize()
    shop.release()
    log_answers(root, 1, 2, as_of=NOW)
    shop.release()
    path = root / "feature_repo/shop.py"
    text = path.read_text()
    path.write_text(text.replace('"customer", "amount"', '"customer", pl.col("amount") * 2'))
    type(shop)(shop._workspace.at(root)).build("last_order")
    path.write_text(text)
    shutil.rmtree(shop.layout.releases / "0001")
    for options in ({}, {"release": "0001"}):
        record = shop.replay("buying", **options)
        assert (record.vectors, record.mismatches) == (2, 0)
    with pytest.raises(UnknownNameError, match="0009"):
        shop.replay("buying", release="0009")


def test_a_release_that_was_edited_is_not_what_served(shop):
    """Its definitions would explain the answers by code that never served."""
    root = shop.settings.root
    shop.materialize()
    shop.release()
    log_answers(root, 1, as_of=NOW)
    edited = shop.layout.releases / "0001/feature_repo/shop.py"
    edited.write_text(f"{edited.read_text()}# edited\n")
    for project in (shop, type(shop)(shop._workspace.at(shop.layout.releases / "0001"))):
        with pytest.raises(SkewError, match="changed since the release was made"):
            project.replay("buying")


def test_vectors_of_other_definitions_are_counted_and_named(shop):
    """Vectors that nothing can recompute are left out with their definition and the cause."""
    root = shop.settings.root
    shop.materialize()
    log_answers(root, 1, 3)
    path = root / "feature_repo/shop.py"
    path.write_text(path.read_text().replace('/ pl.col("amount")', '* pl.col("amount")'))
    changed = type(shop)(shop._workspace.at(root))
    with pytest.raises(MissingDataError, match="vectors of other definitions: 2"):
        changed.replay("buying")
    log_answers(root, 3)
    record = changed.replay("buying")
    assert (record.vectors, record.mismatches) == (1, 0)
    [left_out] = record.left_out
    assert (left_out.release, left_out.vectors, left_out.cause) == ("working", 2, Cause.OTHER_CODE)


def test_a_deletion_and_a_push_do_not_break_the_replay_of_earlier_answers(shop):
    """Answers before and after a deletion and a push replay green, also under a fixed clock."""
    root = shop.settings.root
    shop.materialize()
    log_answers(root, 1, 3)
    shop.delete("last_order", KEY)
    log_answers(root, 1, 3)
    shop.push("last_order", order(5.0, at=NOW - HOUR, customer=1))
    log_answers(root, 1, 3)
    set_clock(shop, NOW + HOUR)
    shop.push("last_order", order(6.0, at=NOW + timedelta(minutes=1)))
    log_answers(root, 1, 3, as_of=NOW + HOUR)
    record = shop.replay("buying")
    assert (record.vectors, record.mismatches, record.causes) == (8, 0, {})
