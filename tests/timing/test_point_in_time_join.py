"""The point-in-time join gives what the online store held."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given
from laws import examples

from featurestore.testing import oracle
from featurestore.testing.answers import answers
from featurestore.testing.strategies import FEATURES, History, histories
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.join import Status, point_in_time_join
from featurestore.timing.known_at import Timing


def at(minute: int) -> datetime:
    return datetime(2013, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)


def ask(timing: Timing, rows: list[tuple], minutes: list[int]) -> list[tuple]:
    """Join questions at some minutes to rows of one key: (event, [created], value); return (value, status)."""
    names = ["event_timestamp", "created_timestamp", "x"] if timing.created else ["event_timestamp", "x"]
    times = pl.Datetime("us", "UTC")
    frame = pl.DataFrame(
        [("a", *(at(m) if m is not None else None for m in row[:-1]), row[-1]) for row in rows],
        schema={"k": pl.String, **dict.fromkeys(names[:-1], times), "x": pl.Int64},
        orient="row",
    )
    entities = pl.DataFrame(
        {"k": ["a"] * len(minutes), "event_timestamp": [at(m) for m in minutes]},
        schema={"k": pl.String, "event_timestamp": times},
    )
    joined = point_in_time_join(
        entities.lazy(), frame.lazy(), keys=["k"], features=["x"], timing=timing
    ).collect()
    return [(value, Status(status).name) for value, status in joined.rows()]


def test_a_value_is_known_from_its_event_on():
    """Before the event the value is not found; at the event it is present."""
    assert ask(Timing(), [(10, 1), (20, 2)], [9, 10, 19, 20]) == [
        (None, "NOT_FOUND"),
        (1, "PRESENT"),
        (1, "PRESENT"),
        (2, "PRESENT"),
    ]


def test_delay_and_cadence_postpone_knowledge():
    """A row of minute 10, delayed by 3 and published every 5 minutes, is known at minute 15."""
    timing = Timing(delay=timedelta(minutes=3), every=timedelta(minutes=5))
    assert ask(timing, [(10, 1)], [14, 15]) == [(None, "NOT_FOUND"), (1, "PRESENT")]


def test_an_older_event_never_overwrites_a_newer_one():
    """A late row of an older event is passed over, a correction of the same event is taken."""
    timing = Timing(created=True)
    rows = [(10, 10, 1), (5, 30, 2), (10, 40, 3)]
    assert ask(timing, rows, [30, 39, 40]) == [(1, "PRESENT"), (1, "PRESENT"), (3, "PRESENT")]


def test_a_missing_created_timestamp_counts_as_the_event():
    """A row without created timestamp is known at its event."""
    assert ask(Timing(created=True), [(10, None, 1), (20, 25, 2)], [20, 25]) == [
        (1, "PRESENT"),
        (2, "PRESENT"),
    ]


def test_an_age_equal_to_the_ttl_is_alive():
    """One microsecond-free minute more and the value is outside its age."""
    timing = Timing(ttl=timedelta(minutes=5))
    assert ask(timing, [(10, 1)], [15, 16]) == [(1, "PRESENT"), (None, "OUTSIDE_MAX_AGE")]


def test_a_null_is_not_a_missing_row():
    """A stored null says so."""
    assert ask(Timing(), [(10, None)], [10]) == [(None, "NULL_VALUE")]


def test_order_and_duplicates_of_entity_rows_are_kept():
    """One row in, one row out, in the order given."""
    assert ask(Timing(), [(10, 1), (20, 2)], [20, 10, 20]) == [(2, "PRESENT"), (1, "PRESENT"), (2, "PRESENT")]


def test_integers_with_nulls_stay_exact():
    """The largest 64-bit integer survives beside a null."""
    assert ask(Timing(), [(10, 2**63 - 1)], [9, 10]) == [(None, "NOT_FOUND"), (2**63 - 1, "PRESENT")]


@given(histories())
@examples(100)
def test_the_join_is_the_replay_of_the_store(history: History):
    """For any history, the join equals the brute-force fold: values and statuses."""
    joined = point_in_time_join(
        history.entity_frame.lazy(),
        history.row_frame.lazy(),
        keys=history.keys,
        features=FEATURES,
        timing=history.timing,
    ).collect()
    expected = oracle.historical(history.entity_rows, history.rows, history.keys, FEATURES, history.timing)
    assert oracle.bits(answers(joined, FEATURES)) == oracle.bits(expected)


@given(histories())
@examples(50)
def test_rows_not_yet_known_change_nothing(history: History):
    """Removing every row that is not known by the last question leaves the answers as they were."""
    last = max((row[EVENT_TIMESTAMP] for row in history.entity_rows), default=None)
    known = [row for row in history.rows if last and oracle.known_at(row, history.timing) <= last]
    answers = [
        point_in_time_join(
            h.entity_frame.lazy(), h.row_frame.lazy(), keys=h.keys, features=FEATURES, timing=h.timing
        ).collect()
        for h in (history, replace(history, rows=known))
    ]
    assert answers[0].equals(answers[1])
