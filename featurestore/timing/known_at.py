"""When a row is known, and when a value is expired: the semantics of all engines and stores.

Durations are `datetime.timedelta`, and timestamps are Datetime('us', 'UTC'). The online store
applies the same rules to integers: microseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from featurestore.timing.epoch import MICROSECOND


@dataclass(frozen=True)
class Timing:
    """When the rows of a feature view are known and how long they live.

    Attributes
    ----------
    delay
        Time from an event until its row is available.
    every
        Cadence of materialization. None: rows can be read as soon as they are available.
    ttl
        Maximum age of a value that is alive. None: values do not expire.
    created
        True if rows have a ``created_timestamp``.
    """

    delay: timedelta = timedelta(0)
    every: timedelta | None = None
    ttl: timedelta | None = None
    created: bool = False

    @property
    def in_order(self) -> bool:
        """Whether rows become known in the order of their events, so that no row can be late."""
        return not self.created


def created_or_event(timing: Timing) -> pl.Expr:
    """Return the created timestamp, or the event timestamp where the former is missing."""
    if not timing.created:
        return pl.col(EVENT_TIMESTAMP)
    return pl.coalesce(CREATED_TIMESTAMP, EVENT_TIMESTAMP)


def known_at(timing: Timing) -> pl.Expr:
    """Return the first timestamp at which serving could have read a row.

    ``ceil_to(max(event_timestamp + delay, created_timestamp or event_timestamp), every)``

    Returns
    -------
    pl.Expr
        Datetime('us', 'UTC'). It is null only where the event timestamp is null.
    """
    available = pl.col(EVENT_TIMESTAMP) + pl.lit(timing.delay, dtype=pl.Duration("us"))
    if timing.created:
        available = pl.max_horizontal(available, created_or_event(timing))
    if timing.every is None:
        return available
    step = timing.every // MICROSECOND
    # Integer arithmetic is exact, also before 1970, where floor division rounds towards the past.
    instant = available.dt.epoch("us")
    return (-((-instant) // step) * step).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def is_expired(timing: Timing, as_of: pl.Expr, event: pl.Expr) -> pl.Expr:
    """Return whether a value is expired `as_of` a timestamp.

    At an age of exactly `ttl` it is alive.
    """
    if timing.ttl is None:
        return pl.lit(value=False)
    return (as_of - event) > pl.lit(timing.ttl, dtype=pl.Duration("us"))
