"""The rows of windowed views in an online store: the events of each key that still count at a watermark."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.storage.views import deleted_keys
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.fold import known_rows
from featurestore.timing.known_at import known_at
from featurestore.timing.version import version
from featurestore.values.codec import encode_keys, storable, stored_columns
from featurestore.values.event_codec import encode_events
from featurestore.windows.intervals import UNTIL, with_intervals
from featurestore.windows.stored_columns import StoredColumns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime, timedelta
    from pathlib import Path

    from featurestore.definitions.feature_view import FeatureView
    from featurestore.ports import OnlineStore
    from featurestore.storage.layout import Layout

_MOMENT = "__moment"


def changed_keys(
    view: FeatureView, files: Sequence[Path], layout: Layout, *, after: datetime | None, until: datetime
) -> pl.DataFrame:
    """List the keys whose events differ from those at the last watermark.

    Parameters
    ----------
    files
        The built file, then the pushed ones.
    after
        The last watermark; None: all keys are listed.
    """
    keys = list(view.keys)
    built, *pushed = files
    parts = [known_rows(pl.scan_parquet(built), view.timing, until=until, after=after).select(keys)]
    if pushed:
        parts.append(known_rows(pl.scan_parquet(pushed), view.timing, until=until).select(keys))
    parts.append(deleted_keys(view, layout).lazy().select(keys))
    return pl.concat(parts).unique().sort(keys).collect()


def events_at(
    view: FeatureView, files: Sequence[Path], layout: Layout, keys: pl.DataFrame, until: datetime
) -> pl.DataFrame:
    """Return the events of some keys that still count at a watermark, in order of key and version.

    The newest event of a key is kept, however old it is: it decides whether the key is expired.

    Returns
    -------
    pl.DataFrame
        The keys, the moment of the event in microseconds since 1970-01-01 UTC, and the stored values and conditions.
    """
    columns = StoredColumns.of(view.windows)
    deletions = deleted_keys(view, layout).filter(pl.col(EVENT_TIMESTAMP) <= until).lazy()
    known = (
        pl.scan_parquet(list(files))
        .join(keys.lazy(), on=list(view.keys), how="semi")
        .filter(known_at(view.timing) <= until)
    )
    events = with_intervals(known, view.keys, view.timing, identity=view.identity, deletions=deletions)
    counting = events.filter(pl.col(UNTIL).is_null() | (pl.col(UNTIL) > until))
    longest = longest_window(view)
    if longest is not None:
        newest = pl.col(EVENT_TIMESTAMP) == pl.col(EVENT_TIMESTAMP).max().over(view.keys)
        counting = counting.filter(newest | (pl.col(EVENT_TIMESTAMP) > until - longest))
    others = [name for name in view.contract.schema if name not in view.keys]
    physical = stored_columns(pl.Schema({name: view.contract.schema[name] for name in columns.names}))
    return (
        counting.sort([*view.keys, *version(view.timing), *others], maintain_order=True)
        .select(
            *view.keys,
            pl.col(EVENT_TIMESTAMP).dt.epoch("us").alias(_MOMENT),
            *(value.alias(f"__value{number}") for number, value in enumerate(physical)),
            *columns.held(),
        )
        .collect()
    )


def longest_window(view: FeatureView) -> timedelta | None:
    """Return the duration of the longest window of a view; None: one has no end."""
    durations = [window.duration for window in view.windows.values()]
    finite = [duration for duration in durations if duration is not None]
    return max(finite) if len(finite) == len(durations) else None


def window_rows(
    view: FeatureView, keys: pl.DataFrame, events: pl.DataFrame, store: OnlineStore
) -> Iterator[tuple[bytes, bytes]]:
    """Encode the events of each key as the row that replaces the stored one.

    Parameters
    ----------
    keys
        All keys to write, sorted; those without events get an empty row.
    events
        The result of `events_at` for these keys.
    """
    encoded = [storable(key) for key in encode_keys(keys, view.keys)]
    # Before the store is written: a store cannot be read within its own transaction.
    [(_, before)] = store.read([(view.name, encoded)])
    width = len(view.keys)
    of_key: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {
        key: [row[width:] for row in rows]
        for key, rows in groupby(events.iter_rows(), key=itemgetter(slice(0, width)))
    }
    return (
        (name, encode_events(of_key.get(key, []), held))
        for key, name, held in zip(keys.iter_rows(), encoded, before, strict=True)
    )
