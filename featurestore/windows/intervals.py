"""When an event counts: from the timestamp it is known until it leaves the window, is replaced or is deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.timing.columns import EVENT_TIMESTAMP, KNOWN_AT
from featurestore.timing.known_at import Timing, known_at
from featurestore.timing.version import version

if TYPE_CHECKING:
    from collections.abc import Sequence

UNTIL: Final = "__until"
_DELETED_AT: Final = "__deleted_at"
_POSITION: Final = "__position"


def with_intervals(
    events: pl.LazyFrame,
    keys: Sequence[str],
    timing: Timing,
    *,
    identity: Sequence[str] = (),
    deletions: pl.LazyFrame | None = None,
) -> pl.LazyFrame:
    """Add to each event the interval of time in which it counts in a window without an end.

    Parameters
    ----------
    events
        Keys, event timestamp, created timestamp if ``timing.created``, and other columns.
    keys
        Names of the key columns.
    timing
        Decides when the events are known.
    identity
        Columns that name an event of a key: a later row of the same values replaces an earlier one from the timestamp it
        is known. None: equal rows are separate events.
    deletions
        Deleted keys, and the time of each deletion as ``event_timestamp``: from then on, no event up to that time
        counts.

    Returns
    -------
    pl.LazyFrame
        The same rows in any order; the same columns in the same order, ``known_at`` (the interval begins) and
        ``__until`` (it has ended; null: never), both Datetime('us', 'UTC').
    """
    known = events.with_columns(known_at(timing).alias(KNOWN_AT))
    never = pl.lit(None, dtype=pl.Datetime("us", "UTC")).alias(UNTIL)
    if identity:
        group = [*keys, *identity]
        # Most events are never replaced, and to order the rows of each group takes most of the time.
        rows = pl.len().over(group)
        # Of rows that become known at one timestamp, the one with the greater version is the later.
        next_known = pl.col(KNOWN_AT).shift(-1).over(group, order_by=[KNOWN_AT, *_version_columns(timing)])
        several = known.filter(rows > 1).with_columns(_version(timing)).with_columns(next_known.alias(UNTIL))
        known = pl.concat(
            [known.filter(rows == 1).with_columns(never), several.drop(_version_columns(timing))]
        )
    else:
        known = known.with_columns(never)
    if deletions is None:
        return known
    by_time = deletions.select(*keys, pl.col(EVENT_TIMESTAMP).alias(_DELETED_AT)).sort(_DELETED_AT)
    return (
        known.with_row_index(_POSITION)
        .sort(EVENT_TIMESTAMP)
        .join_asof(
            by_time,
            left_on=EVENT_TIMESTAMP,
            right_on=_DELETED_AT,
            by=list(keys),
            strategy="forward",
            check_sortedness=False,
        )
        .sort(_POSITION)
        .with_columns(pl.min_horizontal(UNTIL, _DELETED_AT).alias(UNTIL))
        .drop(_POSITION, _DELETED_AT)
    )


def _version_columns(timing: Timing) -> list[str]:
    return [f"__version{number}" for number, _ in enumerate(version(timing))]


def _version(timing: Timing) -> list[pl.Expr]:
    return [part.alias(name) for part, name in zip(version(timing), _version_columns(timing), strict=True)]
