"""Training and serving read the same values: laws over generated histories, with the real store."""

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from laws import examples

from featurestore.adapters.lmdb import LmdbStore
from featurestore.ports import ViewState
from featurestore.testing import oracle
from featurestore.testing.answers import answers
from featurestore.testing.strategies import (
    FEATURES,
    START,
    History,
    histories,
    timestamps,
)
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.epoch import microseconds
from featurestore.timing.fold import known_rows, newest_rows
from featurestore.timing.join import read_at
from featurestore.values.codec import decode_rows, encode_keys, encode_rows
from featurestore.values.table import UTC_MICROSECONDS


def advance(store, history: History, until, after=None):
    """Apply to the store the rows that became known, as `materialize` does."""
    fresh = known_rows(history.row_frame.lazy(), history.timing, until=until, after=after)
    newest = newest_rows(fresh, history.keys, history.timing).collect()
    state = ViewState(definition="d", source="s", watermark=microseconds(until))
    pairs = encode_rows(newest, history.keys, history.view.feature_schema)
    store.write("view", pairs, state, replace=after is None)


def served(store, history: History, as_of):
    """Read the key of every entity row at a timestamp."""
    keys = history.entity_frame
    [(_, rows)] = store.read([("view", encode_keys(keys, history.keys))])
    instant = pl.lit(as_of, dtype=UTC_MICROSECONDS)
    decoded = decode_rows(rows, history.view.feature_schema)
    read = read_at(decoded.lazy(), features=FEATURES, timing=history.timing, as_of=instant)
    return oracle.bits(answers(read.collect(), FEATURES))


def expected(history: History, as_of):
    """Return what the fold holds at a timestamp."""
    entity_rows = [{**row, EVENT_TIMESTAMP: as_of} for row in history.entity_rows]
    return oracle.bits(oracle.historical(entity_rows, history.rows, history.keys, FEATURES, history.timing))


@given(histories(), st.lists(timestamps(), min_size=1, max_size=4).map(sorted))
@examples(60)
def test_the_online_store_is_the_fold_of_what_is_known(history, steps):
    """After each incremental step, the store and the brute-force fold agree in values and statuses."""
    folder = Path(tempfile.mkdtemp())
    try:
        store, after = LmdbStore(folder / "store", create=True), None
        for until in steps:
            advance(store, history, until, after)
            assert served(store, history, until) == expected(history, until)
            after = until
    finally:
        shutil.rmtree(folder)


@given(histories(), st.randoms(use_true_random=False))
@examples(30)
def test_the_order_of_arrival_changes_nothing(history, random):
    """The newer version of a row wins in any order of arrival."""
    folder = Path(tempfile.mkdtemp())
    try:
        store = LmdbStore(folder / "store", create=True)
        end = START + timedelta(days=1)
        pairs = list(encode_rows(history.row_frame, history.keys, history.view.feature_schema))
        random.shuffle(pairs)
        state = ViewState(definition="d", source="s", watermark=microseconds(end))
        for pair in pairs:
            store.write("view", [pair], state, replace=False)
        assert served(store, history, end) == expected(history, end)
    finally:
        shutil.rmtree(folder)
