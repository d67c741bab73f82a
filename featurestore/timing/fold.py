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
    return (
        rows.with_columns(created_or_event(timing).alias(_CREATED))
        .sort([*keys, EVENT_TIMESTAMP, _CREATED])
        .unique(keys, keep="last", maintain_order=True)
        .drop(_CREATED)
    )
