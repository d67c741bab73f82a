"""The law of windowed views online: what a store serves at any timestamp is what the oracle says, to the last bit."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.definitions.feature_service import feature_service
from featurestore.storage.files import write_parquet
from featurestore.storage.layout import Layout
from featurestore.storage.made_by import metadata_of
from featurestore.storage.online import advance_to
from featurestore.storage.views import log_deleted, log_rows
from featurestore.testing.answers import answers
from featurestore.testing.oracle import bits, known_at
from featurestore.testing.strategies import KEYS
from featurestore.testing.window_oracle import events_known
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.join import Status
from featurestore.timing.version import in_version_order
from featurestore.values.codec import encode_keys
from featurestore.vectors.reader import VectorReader
from featurestore.vectors.stored_windows import read_stored_windows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from featurestore.ports import OnlineStore
    from featurestore.testing.oracle import Row
    from featurestore.testing.window_histories import WindowHistory

    Cells = list[list[tuple[Any, Status]]]

# How long after the watermark the store is asked: windows slide on while nothing is written.
LATER = tuple(timedelta(microseconds=ticks) for ticks in (0, 1, 3, 10, 19, 20))


def require_windows(
    store: OnlineStore,
    history: WindowHistory,
    watermarks: Sequence[datetime],
    folder: Path,
    *,
    pushed: int = 0,
) -> None:
    """Prove that a store serves the windows of a history, while the store is advanced step by step.

    Parameters
    ----------
    store
        Any online store. View ``windows`` is removed.
    watermarks
        Timestamps that the store is brought to, rising.
    folder
        An empty folder for the files of the view.
    pushed
        The number of events, the last ones, that are in the log of pushed rows, each in a file of its own.

    Raises
    ------
    AssertionError
        If an answer differs from that of the oracle. The message names the watermark and the timestamp of reading.
    """
    view, layout = history.view, Layout(folder)
    store.drop([view.name])
    built = len(history.events) - pushed
    frame = history.event_frame
    ordered = in_version_order(frame.head(built).lazy(), KEYS, history.timing).collect()
    write_parquet(ordered, layout.features(view.name), metadata=metadata_of(view))
    for number in range(built, len(history.events)):
        log_rows(view, frame.slice(number, 1), layout)
    logged: set[int] = set()
    for until in watermarks:
        for number, row in enumerate(history.deletions):
            if row[EVENT_TIMESTAMP] <= until and number not in logged:
                logged.add(number)
                log_deleted(view, history.deletion_frame.slice(number, 1), row[EVENT_TIMESTAMP], layout)
        advance_to(until, view, layout, store)
        _require_served(store, history, until)


def _require_served(store: OnlineStore, history: WindowHistory, until: datetime) -> None:
    known = replace(
        history,
        events=[event for event in history.events if known_at(event, history.timing) <= until],
        deletions=[row for row in history.deletions if row[EVENT_TIMESTAMP] <= until],
    )
    selection = history.view[history.view.feature_names]
    reader = VectorReader(feature_service("served", (history.view,), owner="testing"), store)
    keys = [{"k": k, "n": n} for k in "abc" for n in range(2)]
    frame = pl.DataFrame(keys, schema=history.view.key_schema)
    where = f"{type(store).__name__} at watermark {until}"
    for later in LATER:
        now = until + later
        expected = [_expected(known, tuple(key.values()), now) for key in keys]
        vectors = reader.read(keys, as_of=now)
        _require_same(
            f"{where}, VectorReader, as of {now}", _cells(vectors.values, vectors.statuses), expected
        )
    encoded = encode_keys(frame, KEYS)
    [(_, rows)] = store.read([(history.view.name, encoded)])
    read = read_stored_windows(selection, store, encoded, rows, now)
    _require_same(f"{where}, read_stored_windows, as of {now}", answers(read, selection.features), expected)


def _require_same(where: str, served: Cells, expected: Cells) -> None:
    if bits(served) != bits(expected):
        raise AssertionError(f"{where}: {served}, not {expected}")


def _cells(values: Sequence[Sequence[Any]], statuses: Sequence[Sequence[int]]) -> Cells:
    return [
        list(zip(row, map(Status, row_statuses), strict=True))
        for row, row_statuses in zip(values, statuses, strict=True)
    ]


def _expected(known: WindowHistory, key: tuple[Any, ...], now: datetime) -> list[tuple[Any, Status]]:
    """Return the value and the status of each window, for a history of which all is known."""
    ttl = known.timing.ttl
    events: list[Row] = [event for event in known.events if tuple(event[name] for name in KEYS) == key]
    deleted = [row[EVENT_TIMESTAMP] for row in known.deletions if tuple(row[name] for name in KEYS) == key]
    counting = events_known(now, events, known.timing, identity=known.identity, deleted=deleted)
    values = known.expected(key, now)
    if ttl is not None and counting and now - counting[-1][EVENT_TIMESTAMP] > ttl:
        return [(None, Status.OUTSIDE_MAX_AGE)] * len(values)
    return [(v, Status.NULL_VALUE if v is None else Status.PRESENT) for v in values]
