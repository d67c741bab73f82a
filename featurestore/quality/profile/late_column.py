"""The column that may say when a row became known: of several timestamps, the one that comes after the event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.values.table import UTC_MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

# The share of rows in which the later column may come first: rows that are wrong.
MAX_REVERSED: Final = 0.05


@dataclass(frozen=True)
class LateColumn:
    """A timestamp that comes after another one.

    Attributes
    ----------
    column
        The column that is mostly the last.
    event
        The column that is mostly the first.
    later, rows
        In how many rows `column` is after `event`, of those that have both.
    is_complete
        Whether no value of `column` is missing.
    """

    column: str
    event: str
    later: int
    rows: int
    is_complete: bool

    @property
    def known(self) -> str | tuple[str, str]:
        """What a schema would declare as ``known``."""
        return self.column if self.is_complete else (self.column, self.event)


def late_column(rows: pl.DataFrame, names: Sequence[str]) -> LateColumn | None:
    """Find the timestamp at which rows may have become known. None: no column is later than another one.

    Parameters
    ----------
    names
        The columns to look at; those that hold no UTC timestamps in microseconds do not count, as ``known`` cannot name them.
    """
    times = [name for name in names if rows.schema[name] == UTC_MICROSECONDS]
    if len(times) < 2:  # noqa: PLR2004 - an event, and a later time
        return None
    counts = {
        end: rows.select((pl.col(name) == end(times)).sum().alias(name) for name in times).row(0)
        for end in (pl.min_horizontal, pl.max_horizontal)
    }
    # Of equal columns the first is the event, and the last the later one.
    event = times[_place(counts[pl.min_horizontal])]
    column = times[-1 - _place(counts[pl.max_horizontal][::-1])]
    both = rows.select(event, column).drop_nulls() if event != column else rows.head(0)
    later = both.filter(pl.col(column) > pl.col(event)).height if both.height else 0
    before = both.filter(pl.col(column) < pl.col(event)).height if both.height else 0
    if not later or before > MAX_REVERSED * both.height:
        return None
    return LateColumn(column, event, later, both.height, rows[column].null_count() == 0)


def _place(counts: Sequence[int]) -> int:
    return max(range(len(counts)), key=counts.__getitem__)
