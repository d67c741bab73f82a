"""The total order of pushed rows: no two rows of a view are equal in version and different in values."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
import polars as pl

from featurestore.storage.log import footer
from featurestore.storage.parquet import scan_files
from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP, KNOWN_AT
from featurestore.timing.epoch import microseconds, timestamp_of
from featurestore.timing.known_at import created_or_event, known_at
from featurestore.timing.version import in_version_order
from featurestore.values.codec import (
    encode_key,
    encode_keys,
    encode_rows,
    is_tombstone,
    require_intact,
    values_of,
    version_of,
)
from featurestore.values.table import UTC_MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from featurestore.definitions.feature_view import FeatureView
    from featurestore.ports import OnlineStore

_Versions = dict[int, bytes]
_DELETED_AT = "__deleted_at"


def settle_versions(
    view: FeatureView, pushes: Sequence[pl.DataFrame], known: datetime, files: Sequence[Path]
) -> tuple[list[pl.DataFrame], datetime]:
    """Give each pushed row a version that no other row of other values has.

    Equal events of a windowed view without an identity are separate: all are new, and are returned as they are.

    Otherwise, a row whose version is taken is created one microsecond after the last row of the microseconds that follow. A row
    that repeats that last row is left out.

    Parameters
    ----------
    pushes
        Rows of the view that passed its gate, with a ``created_timestamp`` of `known` or later; by push, in their order.
    known
        The timestamp of the pushes.
    files
        The files of the rows that the view has already.

    Returns
    -------
    tuple
        The rows to log by push, in the order of key and version; and the timestamp at which all rows are known that
        were created at `known`.
    """
    if view.windows and not view.identity:
        return list(pushes), known
    # A row that moves an event in time replaces it too.
    identity = [*view.keys, *(view.identity or (EVENT_TIMESTAMP,))]
    rows = pl.concat(pushes)
    earlier = _created_since(known, view, files, rows.select(identity))
    if earlier.is_empty() and (len(pushes) == 1 or not rows.select(identity).is_duplicated().any()):
        return list(pushes), known
    taken: defaultdict[tuple[bytes, int], _Versions] = defaultdict(dict)
    if not earlier.is_empty():
        for event, created, row in _versions(view, earlier):
            taken[event][created] = row
    start = microseconds(known)
    until = start
    settled = []
    for push in pushes:
        stamps: list[int] = []
        is_new: list[bool] = []
        for event, created, row in _versions(view, push):
            versions = taken[event]
            version = created
            while version in versions and version + 1 in versions:
                version += 1
            repeats = versions.get(version) == row
            if version in versions and not repeats:
                version += 1
            is_new.append(not repeats)
            stamps.append(version)
            versions[version] = row
            if created == start:
                until = max(until, version)
        changed = push.with_columns(
            pl.Series(CREATED_TIMESTAMP, list(map(timestamp_of, stamps)), dtype=UTC_MICROSECONDS)
        ).filter(pl.Series(is_new, dtype=pl.Boolean))
        settled.append(in_version_order(changed.lazy(), view.keys, view.timing).collect())
    return settled, timestamp_of(until)


def _created_since(
    known: datetime, view: FeatureView, files: Sequence[Path], identities: pl.DataFrame
) -> pl.DataFrame:
    """Read the rows of some identities that were created at a timestamp or after it."""
    last_created = [footer(path).last_created for path in files]
    late = [
        path
        for path, last in zip(files, last_created, strict=True)
        if last is None or last >= microseconds(known)
    ]
    if not late:
        return pl.DataFrame()
    return (
        scan_files(late)
        .filter(created_or_event(view.timing) >= pl.lit(known, dtype=UTC_MICROSECONDS))
        .join(identities.lazy(), on=identities.columns, how="semi", nulls_equal=True)
        .collect()
    )


class UnwrittenRows(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a push that the online store does not hold after it, by the reason.

    Attributes
    ----------
    pending, pending_until
        Rows that are known later, and when all of them are known.
    deleted
        Rows whose key was deleted at the time of their event or after it.
    older
        Rows of keys of which the store holds a newer row.
    """

    pending: int
    pending_until: datetime | None
    deleted: int
    older: int


def unwritten_rows(
    view: FeatureView, rows: pl.DataFrame, until: datetime, store: OnlineStore
) -> UnwrittenRows:
    """Count the rows of a push that the online store does not hold, with the reason.

    Parameters
    ----------
    rows
        The rows that were logged.
    until
        The timestamp that the view was brought to.
    """
    known = rows.with_columns(known_at(view.timing).alias(KNOWN_AT))
    pending = known.filter(pl.col(KNOWN_AT) > until)
    applied = known.filter(pl.col(KNOWN_AT) <= until)
    pairs = list(encode_rows(applied, view.keys, view.feature_schema))
    keys = [key for key, _ in pairs]
    [(_, stored)] = store.read([(view.name, keys)])
    require_intact(keys, stored)
    lost = [
        is_tombstone(held)
        for (_, row), held in zip(pairs, stored, strict=True)
        if held is not None and version_of(held) > version_of(row)
    ]
    return UnwrittenRows(
        pending=pending.height,
        pending_until=pending.select(pl.col(KNOWN_AT).max()).item(),
        deleted=sum(lost),
        older=len(lost) - sum(lost),
    )


def unwritten_events(
    view: FeatureView, rows: pl.DataFrame, until: datetime, deletions: pl.DataFrame
) -> UnwrittenRows:
    """Count the events of a push that do not count in any window at a timestamp, with the reason.

    Parameters
    ----------
    rows
        The events that were logged.
    until
        The timestamp that the view was brought to.
    deletions
        The deleted keys of the view, and the time of each deletion as ``event_timestamp``.
    """
    known = rows.with_columns(known_at(view.timing).alias(KNOWN_AT))
    pending = known.filter(pl.col(KNOWN_AT) > until)
    at = deletions.group_by(view.keys).agg(pl.col(EVENT_TIMESTAMP).max().alias(_DELETED_AT))
    deleted = (
        known.filter(pl.col(KNOWN_AT) <= until)
        .join(at, on=list(view.keys))
        .filter(pl.col(EVENT_TIMESTAMP) <= pl.col(_DELETED_AT))
    )
    return UnwrittenRows(
        pending=pending.height,
        pending_until=pending.select(pl.col(KNOWN_AT).max()).item(),
        deleted=deleted.height,
        older=0,
    )


def _versions(view: FeatureView, rows: pl.DataFrame) -> list[tuple[tuple[bytes, int], int, bytes]]:
    """Return for each row its identity, the created timestamp in microseconds, and the bytes of all else.

    The identity is the key and the event timestamp, or the key and the columns that name an event.
    """
    times = rows.select(
        pl.col(EVENT_TIMESTAMP).dt.epoch("us"),
        created_or_event(view.timing).dt.epoch("us").alias(CREATED_TIMESTAMP),
    )
    encoded = encode_rows(rows, view.keys, view.stored_schema)
    if not view.identity:
        return [
            ((key, event), created, values_of(row))
            for (key, row), (event, created) in zip(encoded, times.iter_rows(), strict=True)
        ]
    names = encode_keys(rows, [*view.keys, *view.identity])
    return [
        ((name, 0), created, encode_key((event,)) + values_of(row))
        for name, (_, row), (event, created) in zip(names, encoded, times.iter_rows(), strict=True)
    ]
