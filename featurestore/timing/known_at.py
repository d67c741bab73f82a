"""When a row is known, which row wins, and when a value is expired: the semantics every engine and store shares.

All durations are `datetime.timedelta`, all moments Datetime('us', 'UTC'). In integers (microseconds since
1970-01-01 UTC) the same rules hold for the online store.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP

MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Timing:
    """When the rows of a feature view are known and how long they live.

    Attributes
    ----------
    delay
        Availability delay after the event.
    every
        Cadence of materialization; None where rows are readable as soon as they are available.
    ttl
        Greatest age of a value that is alive; None for no expiry.
    created
        True where rows carry a ``created_timestamp``.
    """

    delay: timedelta = timedelta(0)
    every: timedelta | None = None
    ttl: timedelta | None = None
    created: bool = False

    @property
    def in_order(self) -> bool:
        """True where rows become known in the order of their events, so that no row can be late."""
        return not self.created


def created_or_event(timing: Timing) -> pl.Expr:
    """Return the created timestamp, or the event timestamp where there is none."""
    if not timing.created:
        return pl.col(EVENT_TIMESTAMP)
    return pl.coalesce(CREATED_TIMESTAMP, EVENT_TIMESTAMP)


def known_at(timing: Timing) -> pl.Expr:
    """Return the first moment at which serving could have read a row.

    ``ceil_to(max(event_timestamp + delay, created_timestamp or event_timestamp), every)``

    Returns
    -------
    pl.Expr
        Datetime('us', 'UTC'), never null where the event timestamp is not.
    """
    available = pl.col(EVENT_TIMESTAMP) + pl.lit(timing.delay, dtype=pl.Duration("us"))
    if timing.created:
        available = pl.max_horizontal(available, created_or_event(timing))
    if timing.every is None:
        return available
    step = timing.every // MICROSECOND
    # Integer arithmetic: exact for moments before 1970 too, where floor division rounds towards the past.
    instant = available.dt.epoch("us")
    return (-((-instant) // step) * step).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def is_expired(timing: Timing, moment: pl.Expr, event: pl.Expr) -> pl.Expr:
    """Say whether a value is expired when read at `moment`; an age equal to the ttl is still alive."""
    if timing.ttl is None:
        return pl.lit(value=False)
    return (moment - event) > pl.lit(timing.ttl, dtype=pl.Duration("us"))
