"""The windows of one key in plain Python are those of the join, for any history."""

import polars as pl
from hypothesis import given
from laws import examples

from featurestore.testing import oracle
from featurestore.testing.window_histories import window_histories
from featurestore.testing.window_oracle import events_known
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.epoch import microseconds
from featurestore.windows.one_key import compile_windows
from featurestore.windows.stored_columns import StoredColumns


@given(window_histories())
@examples(100)
def test_the_windows_of_a_key_are_those_of_the_oracle(history):
    columns = StoredColumns.of(history.windows)
    windows = compile_windows(history.windows, columns)
    for question in history.entity_rows:
        key, now = (question["k"], question["n"]), question[EVENT_TIMESTAMP]
        events = [event for event in history.events if (event["k"], event["n"]) == key]
        events.sort(key=lambda event: [(event[n] is not None, event[n] or 0) for n in history.event_schema])
        deleted = [d[EVENT_TIMESTAMP] for d in history.deletions if (d["k"], d["n"]) == key]
        known = events_known(now, events, history.timing, identity=history.identity, deleted=deleted)
        frame = pl.DataFrame(known, schema=history.event_schema, orient="row").select(
            pl.col(EVENT_TIMESTAMP).dt.epoch("us").alias("moment"), *columns.names, *columns.held()
        )
        stored = frame.rows()
        answers = [window(stored, microseconds(now)) for window in windows]
        expected = history.expected(key, now)
        typed = [float(a) if isinstance(e, float) else a for a, e in zip(answers, expected, strict=True)]
        assert oracle.bits(typed) == oracle.bits(expected)
