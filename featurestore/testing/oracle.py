"""The reference implementation: the online store as a plain loop, slow and obvious.

It defines the semantics. Every engine and every store is compared with it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from struct import pack
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from featurestore.timing.join import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from featurestore.timing.known_at import Timing

Row = dict[str, Any]
NO_KEYS: Mapping[tuple[Any, ...], datetime] = MappingProxyType({})
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def known_at(row: Row, timing: Timing) -> datetime:
    """Return the first timestamp at which serving could have read the row."""
    event: datetime = row[EVENT_TIMESTAMP]
    available = max(event + timing.delay, row.get(CREATED_TIMESTAMP) or event)
    if timing.every is None:
        return available
    since_last = (available - EPOCH) % timing.every
    return available + (timing.every - since_last if since_last else timedelta(0))


def version(row: Row) -> tuple[datetime, datetime]:
    """Return the version of a row. Of two rows of a key, the one with the greater version wins."""
    return row[EVENT_TIMESTAMP], row.get(CREATED_TIMESTAMP) or row[EVENT_TIMESTAMP]


def store_at(
    as_of: datetime,
    rows: Sequence[Row],
    keys: Sequence[str],
    timing: Timing,
    deleted: Mapping[tuple[Any, ...], datetime] = NO_KEYS,
) -> dict[tuple[Any, ...], Row]:
    """Fold the rows that are known at `as_of` into the state of the online store.

    Parameters
    ----------
    deleted
        The time of the last deletion of each deleted key, up to `as_of`: only later events bring it back.
    """
    state: dict[tuple[Any, ...], Row] = {}
    for row in sorted(rows, key=lambda row: known_at(row, timing)):
        key = tuple(row[name] for name in keys)
        if key in deleted and row[EVENT_TIMESTAMP] <= deleted[key]:
            continue
        if known_at(row, timing) <= as_of and (key not in state or version(row) > version(state[key])):
            state[key] = row
    return state


def read(row: Row | None, feature: str, as_of: datetime, timing: Timing) -> tuple[Any, Status]:
    """Read one feature of the current row of a key as of a timestamp: its value and its status."""
    if row is None:
        return None, Status.NOT_FOUND
    if timing.ttl is not None and as_of - row[EVENT_TIMESTAMP] > timing.ttl:
        return None, Status.OUTSIDE_MAX_AGE
    value = row[feature]
    return value, Status.NULL_VALUE if value is None else Status.PRESENT


def historical(
    entity_rows: Sequence[Row],
    rows: Sequence[Row],
    keys: Sequence[str],
    features: Sequence[str],
    timing: Timing,
) -> list[list[tuple[Any, Status]]]:
    """Answer each entity row as the online store would have answered at its ``event_timestamp``."""
    answers = []
    for entity_row in entity_rows:
        as_of = entity_row[EVENT_TIMESTAMP]
        row = store_at(as_of, rows, keys, timing).get(tuple(entity_row[key] for key in keys))
        answers.append([read(row, feature, as_of, timing) for feature in features])
    return answers


def bits(value: Any) -> tuple[str, Any]:
    """Return a Python value of a column so that two are equal only if they are the same to the last bit."""
    if isinstance(value, float):
        return ("float", pack("d", value))
    if isinstance(value, list | tuple):
        return ("list", tuple(map(bits, value)))
    return (type(value).__name__, value)


def is_same(first: Any, second: Any) -> bool:
    """Return whether two Python values of one dtype are equal to the last bit."""
    return bits(first) == bits(second)
