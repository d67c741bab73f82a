"""The version of a row decides in the build, in both reads and in a file of rows, and a tie is refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from laws import examples

from featurestore.errors import ContractError
from featurestore.quality.gate.view_rows import inspect_view
from featurestore.storage.files import write_parquet
from featurestore.storage.made_by import metadata_of
from featurestore.testing import oracle
from featurestore.testing.strategies import History
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.known_at import Timing

EVENT = datetime(2024, 1, 5, tzinfo=UTC)
NOW = datetime(2024, 1, 10, tzinfo=UTC)  # the shop's clock
SCHEMA = {
    "order": pl.Int64(),
    "customer": pl.Int64(),
    "ordered_at": pl.Datetime("us", "UTC"),
    "loaded_at": pl.Datetime("us", "UTC"),
    "amount": pl.Float64(),
    "coupon": pl.String(),
}
MICROSECOND = timedelta(microseconds=1)


def build(shop, rows):
    """Build and materialize the view over rows of (customer, event, created, amount)."""
    orders = [(i, customer, event, created, amount, None) for i, (customer, event, created, amount) in rows]
    metadata = metadata_of(shop.catalog.node("orders"))
    write_parquet(
        pl.DataFrame(orders, SCHEMA, orient="row"), shop.layout.dataset("orders"), metadata=metadata
    )
    shop.build("last_order")
    shop.materialize(full=True)


def both_reads(shop, customers):
    """Return the amounts of customers at the shop's clock: historical, online and by the reader."""
    rows = pl.DataFrame({"customer": customers}, {"customer": pl.Int64})
    joined = shop.historical(rows.with_columns(event_timestamp=NOW), ["last_order:amount"])["amount"]
    served = shop.get_online(rows, ["last_order:amount"])["amount"]
    read = shop.reader(["last_order:amount"]).read(rows.to_dicts(), as_of=NOW)
    return joined.to_list(), served.to_list(), [row[0] for row in read.values]


@pytest.mark.parametrize("created", [EVENT - MICROSECOND, EVENT - timedelta(days=3), EVENT + MICROSECOND])
def test_a_missing_created_timestamp_counts_as_the_event(shop, created):
    """Of two rows of one event, the one without a created timestamp wins if the other was created before the event."""
    build(shop, enumerate([(1, EVENT, None, 1.0), (1, EVENT, created, 2.0)]))
    assert both_reads(shop, [1]) == ([1.0 if created < EVENT else 2.0],) * 3


def test_equal_versions_of_different_values_are_refused(shop):
    """A row without created timestamp and one that was created at the event have one version."""
    with pytest.raises(ContractError, match=r"2 x unique\(customer, event_timestamp, created_timestamp\)"):
        build(shop, enumerate([(1, EVENT, None, 1.0), (1, EVENT, EVENT, 2.0)]))
    build(shop, enumerate([(1, EVENT, None, 1.0), (1, EVENT, EVENT, 1.0)]))
    assert shop.dataset("last_order").collect().height == 1


def test_zeros_of_two_signs_are_two_values(shop):
    """Neither is dropped as a repetition of the other: which one stayed would depend on the order of the rows."""
    with pytest.raises(ContractError, match=r"2 x unique\(customer, event_timestamp, created_timestamp\)"):
        build(shop, enumerate([(1, EVENT, None, 0.0), (1, EVENT, None, -0.0)]))


@pytest.mark.parametrize("dtype", [pl.List(pl.Float64()), pl.Array(pl.Float32(), 1)])
def test_zeros_of_two_signs_are_two_values_in_lists(dtype):
    """As for single floats, also if the rows come with their numbers and the contract is strict."""
    history = History(Timing(), [], [], {"x": dtype, "s": pl.String()})
    rows = [{"k": "a", "n": 1, EVENT_TIMESTAMP: EVENT, "x": [zero], "s": None} for zero in (0.0, -0.0)]
    frame = replace(history, rows=rows).row_frame.with_row_index("source_row")
    inspection = inspect_view(history.view, frame.lazy())
    assert inspection.quarantined["source_row"].to_list() == [0, 1]


VERSIONS = st.tuples(
    st.integers(1, 2),
    st.integers(-1, 0).map(lambda step: EVENT + step * MICROSECOND),
    st.none() | st.integers(-3, 2).map(lambda step: EVENT + step * MICROSECOND),
)


@given(st.lists(VERSIONS, min_size=3, max_size=8))
@settings(examples(8), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_reads_agree_with_the_fold(shared_shop, drawn):
    """For versions that differ by microseconds and may lack a created timestamp, both reads are the oracle's."""
    unique = {
        (customer, event, created or event): (customer, event, created) for customer, event, created in drawn
    }
    rows = [(*row, float(number)) for number, row in enumerate(unique.values())]
    build(shared_shop, enumerate(rows))
    names = ("customer", "event_timestamp", "created_timestamp", "amount")
    questions = [{"customer": customer, "event_timestamp": NOW} for customer in (1, 2)]
    held = [dict(zip(names, row, strict=True)) for row in rows]
    # The clock is five days after the event, which is the time-to-live: a microsecond less is expired.
    timing = shared_shop.catalog.view("last_order").timing
    answers = oracle.historical(questions, held, ["customer"], ["amount"], timing)
    assert both_reads(shared_shop, [1, 2]) == ([value for [(value, _)] in answers],) * 3


def test_a_file_of_text_is_sorted_by_its_values(shop, tmp_path):
    """Keys and timestamps of CSV are sorted as numbers and instants, not as text, so training finds each."""
    shop.materialize(until="2024-01-09T23:00:00Z")
    file = tmp_path / "rows.csv"
    file.write_text(
        "customer,event_timestamp,created_timestamp,amount,coupon,ordered_at\n"
        + "".join(
            f"{customer},{event},,{amount},,{event}\n"
            for customer, event, amount in (
                (10, "2024-01-09T22:00:00Z", 1.0),
                (9, "2024-01-09T22:00:00Z", 2.0),
                (9, "2024-01-09T23:30:00+02:00", 3.0),
            )
        )
    )
    shop.push("last_order", file)
    assert both_reads(shop, [9, 10]) == ([2.0, 1.0],) * 3
