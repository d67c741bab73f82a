"""The fold: what rows that became known in a span of time leave in the online store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.timing.columns import EVENT_TIMESTAMP, KNOWN_AT
from featurestore.timing.known_at import Timing, created_or_event, known_at

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_CREATED = "__created"
_PLACE = "__place"
_LAST = pl.int_range(pl.len()) == pl.len() - 1


def known_rows(
    rows: pl.LazyFrame, timing: Timing, *, until: datetime, after: datetime | None = None
) -> pl.LazyFrame:
    """Keep the rows with ``after < known_at <= until``, and add ``known_at``."""
    known = pl.col(KNOWN_AT) <= until
    if after is not None:
        known &= pl.col(KNOWN_AT) > after
    return rows.with_columns(known_at(timing).alias(KNOWN_AT)).filter(known)


def newest_rows(rows: pl.LazyFrame, keys: Sequence[str], timing: Timing) -> pl.LazyFrame:
    """Keep of each key the row with the greatest ``(event_timestamp, created_timestamp)``, sorted by key."""
    # Which rows win is decided on keys and versions alone; features are read for the winners.
    winners = (
        rows.select(*keys, EVENT_TIMESTAMP, created_or_event(timing).alias(_CREATED))
        .with_row_index(_PLACE)
        .sort([*keys, EVENT_TIMESTAMP, _CREATED])
        .filter(pl.any_horizontal(pl.col(key).ne_missing(pl.col(key).shift(-1)) for key in keys) | _LAST)
        .select(_PLACE)
    )
    return rows.with_row_index(_PLACE).join(winners, on=_PLACE, how="semi").drop(_PLACE).sort(keys)
