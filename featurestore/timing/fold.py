"""The fold: the rows that the online store holds after the rows of an interval are applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.timing.columns import KNOWN_AT
from featurestore.timing.known_at import Timing, known_at
from featurestore.timing.version import version

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_VERSION = "__version"
_POSITION = "__position"
_LAST = pl.int_range(pl.len()) == pl.len() - 1


def known_rows(
    rows: pl.LazyFrame, timing: Timing, *, until: datetime, after: datetime | None = None
) -> pl.LazyFrame:
    """Keep the rows with ``after < known_at <= until``, and add the column ``known_at``."""
    known = pl.col(KNOWN_AT) <= until
    if after is not None:
        known &= pl.col(KNOWN_AT) > after
    return rows.with_columns(known_at(timing).alias(KNOWN_AT)).filter(known)


def newest_rows(rows: pl.LazyFrame, keys: Sequence[str], timing: Timing) -> pl.LazyFrame:
    """Keep the row with the greatest version of each key, sorted by key."""
    ordered = [part.alias(f"{_VERSION}{i}") for i, part in enumerate(version(timing))]
    # Keys and versions decide which rows win. Features are read for the winners only.
    winners = (
        rows.select(*keys, *ordered)
        .with_row_index(_POSITION)
        .sort([*keys, *(f"{_VERSION}{i}" for i in range(len(ordered)))])
        .filter(pl.any_horizontal(_LAST, *(pl.col(key).ne_missing(pl.col(key).shift(-1)) for key in keys)))
        .select(_POSITION)
    )
    return rows.with_row_index(_POSITION).join(winners, on=_POSITION, how="semi").drop(_POSITION).sort(keys)
