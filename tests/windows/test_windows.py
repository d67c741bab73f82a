"""Windows slide: the value at any timestamp is the aggregate of exactly the events in the window and known by then."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import histories

from featurestore import windows
from featurestore.testing.oracle import bits
from featurestore.testing.window_histories import window_histories
from featurestore.timing.join import AS_OF
from featurestore.timing.known_at import Timing
from featurestore.windows.arguments import LONGEST, MAX_EVENTS
from featurestore.windows.join import PART_ROWS, windows_at

KEYS = ["shop"]
NOON = datetime(2024, 3, 10, 12, tzinfo=UTC)
ON_TIME = Timing()
TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)


def ask(timestamps, events, aggregations, timing=ON_TIME, **options):
    """The windows of one key at several timestamps, as rows."""
    questions = pl.DataFrame({"shop": 1, AS_OF: timestamps}).with_columns(
        pl.col(AS_OF).cast(pl.Datetime("us", "UTC"))
    )
    frame = pl.DataFrame(events).with_columns(pl.lit(1).alias("shop"))
    dtypes = {name: pl.Datetime("us", "UTC") for name in frame.columns if name.endswith("timestamp")}
    return windows_at(questions, frame.cast(dtypes), aggregations, keys=KEYS, timing=timing, **options).rows()


def test_both_edges_are_exact_to_the_microsecond():
    """An event counts from its timestamp until its window ends: at an age of exactly the window it is gone."""
    timestamps = [NOON - TICK, NOON, NOON + HOUR - TICK, NOON + HOUR]
    assert ask(timestamps, {"event_timestamp": [NOON]}, {"n": windows.count(over="1h")}) == [
        (0,),
        (1,),
        (1,),
        (0,),
    ]


def test_an_empty_window_is_a_value():
    """No events: counts and sums are 0, a list is empty, and all else is null."""
    amount = {"over": "1h"}
    aggregations = {
        "count": windows.count(**amount),
        "sum": windows.sum("x", **amount),
        "distinct": windows.distinct("x", **amount),
        "last_2": windows.last_n("x", 2, **amount),
        "mean": windows.mean("x", **amount),
        "max": windows.max("x", **amount),
        "last": windows.last("x", **amount),
        "share": windows.share(pl.col("x") > 0, **amount),
        "since": windows.time_since(over="1h"),
    }
    events = {"event_timestamp": [NOON], "x": [1.5]}
    [empty] = ask([NOON + 2 * HOUR], events, aggregations)
    assert empty == (0, 0.0, 0, [], None, None, None, None, None)
    [full] = ask([NOON], events, aggregations)
    assert full == (1, 1.5, 1, [1.5], 1.5, 1.5, 1.5, 1.0, 0.0)


def test_a_late_event_counts_from_when_it_is_known():
    events = {"event_timestamp": [NOON], "created_timestamp": [NOON + HOUR / 2]}
    timestamps = [NOON, NOON + HOUR / 2 - TICK, NOON + HOUR / 2, NOON + HOUR]
    answers = ask(timestamps, events, {"n": windows.count(over="1h")}, Timing(created=True))
    assert answers == [(0,), (0,), (1,), (0,)]


def test_an_event_known_after_it_left_the_window_never_counts():
    events = {"event_timestamp": [NOON], "created_timestamp": [NOON + 3 * HOUR]}
    timestamps = [NOON + hours * HOUR for hours in range(5)]
    assert ask(timestamps, events, {"n": windows.count(over="1h")}, Timing(created=True)) == [(0,)] * 5


def test_a_later_row_of_the_same_identity_replaces_an_event():
    """The correction moves the order from 12:00 to 11:00; it is known at 12:30."""
    events = {
        "event_timestamp": [NOON, NOON - HOUR],
        "created_timestamp": [NOON, NOON + HOUR / 2],
        "order": [7, 7],
        "amount": [10.0, 12.0],
    }
    timestamps = [NOON, NOON + HOUR / 2 - TICK, NOON + HOUR / 2]
    aggregations = {"sum": windows.sum("amount", over="1d"), "n": windows.count(over="1h")}
    timing = Timing(created=True)
    assert ask(timestamps, events, aggregations, timing, identity=["order"]) == [
        (10.0, 1),
        (10.0, 1),
        (12.0, 0),
    ]
    assert ask(timestamps, events, aggregations, timing) == [(10.0, 1), (10.0, 1), (22.0, 1)]


def test_one_old_huge_value_takes_no_bit_of_a_small_one():
    events = {"event_timestamp": [NOON - HOUR, NOON], "x": [1e16, 0.6]}
    [answer] = ask([NOON], events, {"sum": windows.sum("x", over="1h"), "mean": windows.mean("x", over="1h")})
    assert answer == (0.6, 0.6)


def test_a_sum_beyond_64_bits_is_an_error_and_not_another_number():
    events = {"event_timestamp": [NOON, NOON], "i": [2**62, 2**62]}
    with pytest.raises(OverflowError):
        ask([NOON], events, {"sum": windows.sum("i", over="1h")})


@given(window_histories(), st.sampled_from([1, 2, PART_ROWS]))
@histories(60)
def test_windows_are_those_of_the_oracle(history, part_rows):
    """In parts of any size, and in any order of the events: late ones, corrections, deletions, ties, edges, huge and tiny floats."""
    questions = history.entity_frame.rename({"event_timestamp": AS_OF}).sort("k", "n", AS_OF)
    answers = windows_at(
        questions,
        history.event_frame.sample(fraction=1, shuffle=True, seed=0),
        history.windows,
        keys=("k", "n"),
        timing=history.timing,
        identity=history.identity,
        deletions=history.deletion_frame,
        part_rows=part_rows,
    )
    expected = [history.expected((row["k"], row["n"]), row[AS_OF]) for row in questions.iter_rows(named=True)]
    assert bits([list(row) for row in answers.rows()]) == bits(expected)


def test_the_longest_windows_hold_all_events():
    """The end of a window may be after the last timestamp: it does not wrap around."""
    edges = [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, tzinfo=UTC)]
    aggregations = {
        "count": windows.count(over=LONGEST),
        "events": windows.count(events=MAX_EVENTS),
        "both": windows.count(over=LONGEST, events=MAX_EVENTS),
        "newest": windows.last_n("x", MAX_EVENTS, over=LONGEST),
    }
    events = {"event_timestamp": edges, "x": [1.0, 2.0]}
    assert ask(edges, events, aggregations) == [(1, 1, 1, [1.0]), (2, 2, 2, [2.0, 1.0])]
