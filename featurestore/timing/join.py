"""The point-in-time join: the replay of the online store's writes, in Polars.

The online store at moment T is the fold of all rows with ``known_at <= T``, in which a row replaces the current one
of its key only if its version ``(event_timestamp, created_timestamp)`` is greater. So at a moment the row that
answers is, of those known by then, the one of the greatest version. Two things follow:

- With the rows of a key in the order of their versions, a row answers from the moment at which it or a later one is
  known until the moment at which a later one is: from the least ``known_at`` at or after its place (`answering_rows`).
  One backward as-of join on that moment is the replay, with no sort where rows lie in order already.
- Rows can be taken apart in any way: of the answers of the parts, the greatest version is the answer (`greatest`).
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP, KNOWN_AT
from featurestore.timing.known_at import Timing, created_or_event, is_expired, known_at

if TYPE_CHECKING:
    from collections.abc import Sequence

ROW: Final = "__row"
MOMENT: Final = "__moment"
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


def version_columns(timing: Timing) -> list[str]:
    """Name the columns that decide between two rows of one key."""
    return [EVENT_TIMESTAMP, CREATED_TIMESTAMP] if timing.created else [EVENT_TIMESTAMP]


def in_version_order(rows: pl.LazyFrame, keys: Sequence[str], timing: Timing) -> pl.LazyFrame:
    """Sort rows by key and version, as the build keeps them."""
    version = [pl.col(EVENT_TIMESTAMP)]
    if timing.created:
        version.append(created_or_event(timing))
    return rows.sort([*map(pl.col, keys), *version])


def answering_rows(rows: pl.LazyFrame, keys: Sequence[str], timing: Timing) -> pl.LazyFrame:
    """Keep the rows that are the answer at some moment, and say from when on.

    Parameters
    ----------
    rows
        Rows of one feature view `in_version_order`: keys, event timestamp, created timestamp if the timing says so.
    keys
        The entity's key columns.
    timing
        When the rows are known.

    Returns
    -------
    pl.LazyFrame
        The same columns and ``known_at``: the moment from which the row is the answer, rising within a key.
    """
    known = rows.with_columns(known_at(timing).alias(KNOWN_AT))
    if timing.in_order and timing.every is None:
        return known
    if not timing.in_order:
        known = known.with_columns(pl.col(KNOWN_AT).cum_min(reverse=True).over(keys))
    # Of rows that begin to answer at one moment, the last does.
    same = pl.all_horizontal(pl.col(name) == pl.col(name).shift(-1) for name in (*keys, KNOWN_AT))
    return known.filter(~same.fill_null(value=False))


def answers(asked: pl.LazyFrame, rows: pl.LazyFrame, *, keys: Sequence[str], timing: Timing) -> pl.LazyFrame:
    """Find for each row asked the row that answers it.

    Parameters
    ----------
    asked
        Keys and the moment in ``__moment``, moments rising within each key; other columns pass.
    rows
        As for `answering_rows`; other columns pass.

    Returns
    -------
    pl.LazyFrame
        One row for each asked, in their order; what comes from `rows` is null where none was known.
    """
    return asked.join_asof(
        answering_rows(rows, keys, timing),
        left_on=MOMENT,
        right_on=KNOWN_AT,
        by=list(keys),
        strategy="backward",
        check_sortedness=False,  # both are sorted within each key, which Polars cannot check
    )


def greatest(found: pl.LazyFrame, timing: Timing) -> pl.LazyFrame:
    """Of several answers to one asked row (``__row``), from parts of a view's rows, keep that of the greatest version."""
    version = [EVENT_TIMESTAMP, *([created_or_event(timing)] if timing.created else [])]
    return found.sort([ROW, *version]).unique(ROW, keep="last", maintain_order=True)


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
        Rows of one feature view in any order: keys, event timestamp, created timestamp if the timing says so, features.
    keys, features, timing
        The view's keys, the features wanted, and its timing.

    Returns
    -------
    pl.LazyFrame
        The features and, for each, its status (`Status`, UInt8) in ``<feature>__status``: one row for each entity
        row, in the order given.
    """
    asked = entity_rows.select(*keys, pl.col(EVENT_TIMESTAMP).alias(MOMENT)).with_row_index(ROW)
    ordered = in_version_order(rows.select(*keys, *version_columns(timing), *features), keys, timing)
    found = answers(asked.sort(MOMENT), ordered, keys=keys, timing=timing).sort(ROW)
    return read_at(found, features=features, timing=timing, moment=pl.col(MOMENT))


def read_at(rows: pl.LazyFrame, *, features: Sequence[str], timing: Timing, moment: pl.Expr) -> pl.LazyFrame:
    """Read looked-up rows at a moment: expire values and say each one's status.

    The same function decides offline and online; a row that was not found has a null ``event_timestamp``.
    """
    found = pl.col(EVENT_TIMESTAMP).is_not_null()
    expired = found & is_expired(timing, moment, pl.col(EVENT_TIMESTAMP))
    values = [
        pl.col(name) if timing.ttl is None else pl.when(~expired).then(pl.col(name)).alias(name)
        for name in features
    ]
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
    return rows.select(*values, *statuses)
