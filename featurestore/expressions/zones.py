"""Offsets of time zones, read from Polars, which carries a time zone database of its own."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.expressions.runtime import NeedsPolarsError

if TYPE_CHECKING:
    from collections.abc import Callable

_FIRST, _LAST = datetime(1972, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
# No zone has changed its offset twice within six hours in these years, nor within a minute of the clock.
_STEP: Final = timedelta(hours=6)
_MINUTE: Final = timedelta(minutes=1)


@lru_cache(maxsize=64)
def offset_of(zone: str) -> Callable[[int], int]:
    """Return the function from a timestamp in seconds (UTC) to the offset of a zone, in seconds.

    The function leaves a row to Polars outside the years 1972 to 2099.
    """
    steps = _changes(pl.datetime_range(_FIRST, _LAST, _STEP, closed="left", eager=True), zone)
    minutes = pl.concat(
        [pl.datetime_range(at - _STEP + _MINUTE, at, _MINUTE, eager=True) for at in steps["at"].to_list()[1:]]
        or [steps["at"].head(0)]
    )
    # The first value of `minutes` after a gap is compared with the end of the step before: the offset between is the same.
    changes = pl.concat([steps.head(1), _changes(minutes, zone)]).unique(maintain_order=True)
    starts = changes["at"].dt.epoch("s").to_list()
    offsets: list[int] = changes["offset"].to_list()
    last = int(_LAST.timestamp())

    def offset(second: int) -> int:
        if not starts[0] <= second < last:
            raise NeedsPolarsError
        return offsets[bisect_right(starts, second) - 1]

    return offset


def _changes(instants: pl.Series, zone: str) -> pl.DataFrame:
    """Return the first instant, and each whose offset differs from the one before."""
    local = pl.col("at").dt.convert_time_zone(zone)
    offset = (local.dt.base_utc_offset() + local.dt.dst_offset()).dt.total_seconds()
    rows = pl.DataFrame({"at": instants}).with_columns(offset=offset)
    return rows.filter((pl.col("offset") != pl.col("offset").shift()).fill_null(value=True))
