"""Windows online: a store holds events, and each read slides the windows to its own timestamp."""

import tempfile
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from laws import DEPTH, histories

from featurestore import windows
from featurestore.adapters.lmdb import LmdbStore
from featurestore.testing import MemoryStore
from featurestore.testing.strategies import START
from featurestore.testing.window_histories import WindowHistory, window_histories
from featurestore.testing.window_stores import require_windows
from featurestore.timing.known_at import Timing
from featurestore.values.codec import values_of
from featurestore.values.event_codec import is_block
from featurestore.windows.blocks import FREED, LEAF_EVENTS

TIMESTAMPS = st.integers(-2, 40).map(lambda tick: START + timedelta(microseconds=tick))
WATERMARKS = st.lists(TIMESTAMPS, min_size=1, max_size=4, unique=True).map(sorted)


@given(window_histories(), WATERMARKS, st.data())
@histories(12)
def test_a_store_serves_the_windows_of_the_oracle(history, watermarks, data):
    """Built and pushed events, corrections, deletions and expiry, at each watermark and later."""
    pushed = data.draw(st.integers(0, min(4, len(history.events))))
    with tempfile.TemporaryDirectory() as folder:
        require_windows(MemoryStore(), history, watermarks, Path(folder), pushed=pushed)


@pytest.fixture(params=["lmdb", "redis", "postgres"])
def store(request, tmp_path):
    """A store for production; the servers are real."""
    if request.param == "lmdb":
        return LmdbStore(tmp_path / "store.lmdb", create=True)
    url = request.getfixturevalue(f"{request.param}_url")
    if request.param == "redis":
        from featurestore.adapters.redis import RedisStore  # noqa: PLC0415 - an extra

        return RedisStore(url, "windows")
    from featurestore.adapters.postgres import PostgresStore  # noqa: PLC0415 - an extra

    return PostgresStore(url, "windows")


@given(window_histories(), WATERMARKS)
@settings(max_examples=3 * DEPTH, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_store_serves_the_windows_of_the_oracle(store, history, watermarks):
    """One format in LMDB, Redis and PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder:
        require_windows(store, history, watermarks, Path(folder))


def test_a_key_with_many_events_is_stored_in_blocks(tmp_path):
    """Events come in steps, one of them late and one key deleted; old blocks are let go of."""
    ticks = [timedelta(microseconds=n) for n in range(261)]
    events = [
        {"k": "a", "n": 0, "event_timestamp": START + tick, "created_timestamp": None, "id": number}
        | {"x": (-1) ** number / (number + 1), "i": number, "s": "pqr"[number % 3], "b": number % 2 == 0}
        for number, tick in enumerate(ticks)
    ]
    late = {**events[200], "created_timestamp": START + ticks[250], "x": 1e16}
    over = {"over": timedelta(microseconds=90)}
    declared = {
        "count": windows.count(**over, where=pl.col("b")),
        "sum": windows.sum("x", **over),
        "min": windows.min("x", over=timedelta(microseconds=200)),
        "last_5": windows.last_n("i", 5, **over),
        "distinct": windows.distinct("s", **over),
        "since": windows.time_since(events=3, over=timedelta(microseconds=40)),
    }
    deletion = {"k": "a", "n": 0, "event_timestamp": START + ticks[120]}
    history = WindowHistory(Timing(created=True), (), declared, [*events, late], [deletion], [])
    watermarks = [START + ticks[n] for n in (70, 71, 119, 130, 249, 250, 260)]
    store = LmdbStore(tmp_path / "store.lmdb", create=True)
    require_windows(store, history, watermarks, tmp_path / "files", pushed=1)
    rows = list(store.scan("windows"))
    in_use = [row for key, row in rows if is_block(key) and values_of(row) != FREED]
    assert len(in_use) < 200 / LEAF_EVENTS + 4, "blocks of old events are kept"
