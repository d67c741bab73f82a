"""Which of two rows of a key wins: the row with the greater version, ``(event_timestamp, created_timestamp)``.

The fold, the join, the order of the feature files and the bytes in the online stores
(`featurestore.values.codec.version_of`) all follow this rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from featurestore.timing.known_at import Timing, created_or_event

if TYPE_CHECKING:
    from collections.abc import Sequence


def version(timing: Timing) -> tuple[pl.Expr, ...]:
    """Return the expressions that rows of a key are compared by, the first one first.

    A missing created timestamp counts as the event timestamp.
    """
    event = pl.col(EVENT_TIMESTAMP)
    return (event, created_or_event(timing)) if timing.created else (event,)


def version_columns(timing: Timing) -> list[str]:
    """Return the names of the columns that `version` reads."""
    return [EVENT_TIMESTAMP, CREATED_TIMESTAMP] if timing.created else [EVENT_TIMESTAMP]


def in_version_order(rows: pl.LazyFrame, keys: Sequence[str], timing: Timing) -> pl.LazyFrame:
    """Sort rows by key and version: the order of the files that the build writes."""
    return rows.sort([*map(pl.col, keys), *version(timing)])
