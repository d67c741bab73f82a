"""Pushed rows whose timestamps are ahead of the clock: within a limit they are accepted, beyond it refused."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.errors import ContractError
from featurestore.timing.clock import MAX_SKEW
from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP
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


class AheadError(ContractError):
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
        self, view: str, column: str, rows: int, *, timestamp: datetime, now: datetime, limit: timedelta
    ) -> None:
        super().__init__(
            f"rows pushed to {view!r}: {column!r} of {counted(rows, 'row')} is ahead of the clock, such as "
            f"{timestamp.isoformat()}, {duration_text(timestamp - now)} after {now.isoformat()}; expected at most {duration_text(limit)}",
            hint=_HINTS[column],
        )
        self.view = view
        self.column = column
        self.rows = rows
        self.timestamp = timestamp
        self.now = now
        self.limit = limit


def require_not_ahead(
    view: FeatureView, rows: pl.DataFrame, values: Mapping[str, pl.Expr], now: datetime
) -> None:
    """Refuse rows to be pushed that were created or happen too far ahead of a clock.

    Parameters
    ----------
    values
        For ``event_timestamp`` and ``created_timestamp`` the column in its declared dtype.
    now
        What the clock says that stamps the rows.

    Raises
    ------
    AheadError
        If a row is created more than `featurestore.timing.clock.MAX_SKEW` after `now`, or its event is more than
        `MAX_EVENT_AHEAD` after it.
    """
    clock = pl.lit(now, dtype=UTC_MICROSECONDS)
    for column, limit in _LIMITS.items():
        value = values[column]
        ahead = rows.select(value.filter(value - clock > pl.lit(limit, dtype=pl.Duration("us")))).to_series()
        if ahead.len():
            latest: datetime = ahead.max()  # type: ignore[assignment]
            raise AheadError(view.name, column, ahead.len(), timestamp=latest, now=now, limit=limit)
