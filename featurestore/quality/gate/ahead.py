"""Pushed rows whose timestamps are ahead of the clock: within a limit they are accepted, beyond it refused."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.quality.gate.partition import SOURCE_ROW
from featurestore.quality.gate.refused_rows import RefusedRowsError, refused_text
from featurestore.timing.clock import MAX_SKEW
from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from featurestore.values.printable import value_text
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.values.wording import counted, duration_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from featurestore.definitions.feature_view import FeatureView

MAX_EVENT_AHEAD: Final = timedelta(days=366)
_LIMITS: Final = {CREATED_TIMESTAMP: MAX_SKEW, EVENT_TIMESTAMP: MAX_EVENT_AHEAD}
_HINTS: Final = {
    CREATED_TIMESTAMP: "leave created_timestamp out, and the row gets the current time; or set the clock that wrote it",
    EVENT_TIMESTAMP: "push the row when it is due, or correct its unit or its year: nobody could read it until then",
}


class AheadError(RefusedRowsError):
    """A timestamp of pushed rows is further ahead of the clock than is accepted.

    Attributes
    ----------
    view
        The feature view.
    column
        ``created_timestamp``, or ``event_timestamp``.
    rows
        How many rows have such a timestamp.
    timestamp
        The latest of them, in UTC.
    now
        What the clock says that stamps the rows, in UTC.
    limit
        How far ahead of the clock a timestamp of this column may be.
    """

    def __init__(
        self, view: str, column: str, timestamps: Mapping[int, datetime], *, now: datetime, first: int
    ) -> None:
        rows, timestamp, limit = len(timestamps), max(timestamps.values()), _LIMITS[column]
        named = ((row, value_text(value)) for row, value in timestamps.items())
        super().__init__(
            f"rows pushed to {view!r}: {column!r} of {counted(rows, 'row')} is ahead of the clock, such as "
            f"{value_text(timestamp)}, {duration_text(timestamp - now)} after {value_text(now)}; expected at most "
            f"{duration_text(limit)}{refused_text(named, first=first)}",
            hint=_HINTS[column],
            refused_rows=timestamps,
        )
        self.view = view
        self.column = column
        self.rows = rows
        self.timestamp = timestamp
        self.now = now
        self.limit = limit


def require_not_ahead(
    view: FeatureView, rows: pl.DataFrame, values: Mapping[str, pl.Expr], now: datetime, *, first: int = 0
) -> None:
    """Refuse rows to be pushed that were created or happen too far ahead of a clock.

    Parameters
    ----------
    values
        For ``event_timestamp`` and ``created_timestamp`` the column in its declared dtype.
    now
        What the clock says that stamps the rows.
    first
        The number of the first row in messages.

    Raises
    ------
    AheadError
        If a row is created more than `featurestore.timing.clock.MAX_SKEW` after `now`, or its event is more than
        `MAX_EVENT_AHEAD` after it.
    """
    clock = pl.lit(now, dtype=UTC_MICROSECONDS)
    for column, limit in _LIMITS.items():
        ahead = (
            rows.lazy()
            .select(values[column].alias(column))
            .with_row_index(SOURCE_ROW)
            .filter(pl.col(column) - clock > pl.lit(limit, dtype=pl.Duration("us")))
        )
        timestamps: dict[int, datetime] = dict(ahead.collect().iter_rows())
        if timestamps:
            raise AheadError(view.name, column, timestamps, now=now, first=first)
