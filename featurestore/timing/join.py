"""The point-in-time join: the replay of the online store's writes, in Polars.

The online store at moment T is the fold of all rows with ``known_at <= T``, in which a row replaces the current one
of its key only if its ``(event_timestamp, created_timestamp)`` is greater. The value at a moment is therefore found by
a backward as-of join on ``known_at`` over the rows that changed the store (`effective_rows`).
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP, KNOWN_AT
from featurestore.timing.known_at import Timing, created_or_event, is_expired, known_at

if TYPE_CHECKING:
    from collections.abc import Sequence

_RANK: Final = "__rank"
_ROW: Final = "__row"
_MOMENT: Final = "__moment"
STATUS_SUFFIX: Final = "__status"


class Status(IntEnum):
    """What a read says of a value; names and numbers are Feast's ``FieldStatus``."""

    PRESENT = 1
    NULL_VALUE = 2
    NOT_FOUND = 3
    OUTSIDE_MAX_AGE = 4


def status_column(feature: str) -> str:
    """Name the column that holds a feature's status."""
    return f"{feature}{STATUS_SUFFIX}"


def effective_rows(rows: pl.LazyFrame, keys: Sequence[str], timing: Timing) -> pl.LazyFrame:
    """Keep the rows that changed the online store, one per key and ``known_at``.

    Parameters
    ----------
    rows
        Rows of a feature view, in any order: keys, event timestamp, created timestamp if the timing says so, features.
    keys
        The entity's key columns.
    timing
        When the rows are known.

    Returns
    -------
    pl.LazyFrame
        The same columns and ``known_at``, sorted by keys and ``known_at``.
    """
    # Sorted by key and winner, a row's position is its rank; sorted again by known_at within the key, a row changed
    # the store exactly if its rank is the running maximum. Ranks grow from key to key, so that one running maximum
    # over the whole column serves all keys.
    order = [*keys, EVENT_TIMESTAMP]
    ranked = rows.with_columns(known_at(timing).alias(KNOWN_AT))
    if timing.in_order:
        kept = ranked.sort(order)
    else:
        kept = (
            ranked.with_columns(created_or_event(timing).alias(_RANK))
            .sort([*order, _RANK])
            .with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(_RANK))
            .sort([*keys, KNOWN_AT, _RANK])
            .filter(pl.col(_RANK) == pl.col(_RANK).cum_max())
            .drop(_RANK)
        )
    group = [*keys, KNOWN_AT]
    return kept.filter(
        pl.any_horizontal(pl.col(c).ne_missing(pl.col(c).shift(-1)) for c in group)
        | (pl.int_range(pl.len()) == pl.len() - 1)
    )


def point_in_time_join(
    entity_rows: pl.LazyFrame,
    rows: pl.LazyFrame,
    *,
    keys: Sequence[str],
    features: Sequence[str],
    timing: Timing,
) -> pl.LazyFrame:
    """Join to each entity row the features that serving would have given at its moment.

    Parameters
    ----------
    entity_rows
        The entity's keys and ``event_timestamp`` (the moment, UTC microseconds, never null); other columns pass.
    rows
        Rows of one feature view, as for `effective_rows`.
    keys, features, timing
        The view's keys, the features wanted, and its timing.

    Returns
    -------
    pl.LazyFrame
        The features and, for each, its status (`Status`, UInt8) in ``<feature>__status``: one row for each entity
        row, in the order given.
    """
    asked = entity_rows.select(*keys, pl.col(EVENT_TIMESTAMP).alias(_MOMENT)).with_row_index(_ROW)
    known = effective_rows(rows.select(*keys, *_times(timing), *features), keys, timing)
    joined = (
        asked.sort(_MOMENT)
        .join_asof(
            known.sort(KNOWN_AT, maintain_order=True),
            left_on=_MOMENT,
            right_on=KNOWN_AT,
            by=list(keys),
            strategy="backward",
            check_sortedness=False,  # both were sorted just above
        )
        .sort(_ROW)
    )
    return joined.select(_read(features, timing, pl.col(_MOMENT)))


def read_at(rows: pl.LazyFrame, *, features: Sequence[str], timing: Timing, moment: pl.Expr) -> pl.LazyFrame:
    """Read looked-up rows at a moment: expire values and say each one's status.

    The same function decides offline and online; a row that was not found has a null ``event_timestamp``.
    """
    return rows.select(_read(features, timing, moment))


def _read(features: Sequence[str], timing: Timing, moment: pl.Expr) -> list[pl.Expr]:
    found = pl.col(EVENT_TIMESTAMP).is_not_null()
    expired = found & is_expired(timing, moment, pl.col(EVENT_TIMESTAMP))
    values = [pl.when(~expired).then(pl.col(name)).alias(name) for name in features]
    statuses = [
        pl.when(~found)
        .then(pl.lit(Status.NOT_FOUND.value, dtype=pl.UInt8))
        .when(expired)
        .then(pl.lit(Status.OUTSIDE_MAX_AGE.value, dtype=pl.UInt8))
        .when(pl.col(name).is_null())
        .then(pl.lit(Status.NULL_VALUE.value, dtype=pl.UInt8))
        .otherwise(pl.lit(Status.PRESENT.value, dtype=pl.UInt8))
        .alias(status_column(name))
        for name in features
    ]
    return [*values, *statuses]


def _times(timing: Timing) -> list[str]:
    return [EVENT_TIMESTAMP, CREATED_TIMESTAMP] if timing.created else [EVENT_TIMESTAMP]
