"""What a windowed feature computes of the events of a key: plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from datetime import timedelta

    import polars as pl

Kind: TypeAlias = Literal[
    "count",
    "sum",
    "mean",
    "min",
    "max",
    "first",
    "last",
    "last_n",
    "variance",
    "deviation",
    "share",
    "distinct",
    "time_since",
    "quantile",
    "approximate_quantile",
    "approximate_distinct",
]
# Kinds that compute with numbers, and do not take a value from an event.
NUMERIC: Final = frozenset(["sum", "mean", "variance", "deviation"])


@dataclass(frozen=True, eq=False)
class Aggregation:
    """An aggregate of the events in a window. Values that are missing do not count.

    Attributes
    ----------
    kind
        ``variance`` and ``deviation`` divide by the number of values less one; ``share`` is the share of the events
        for which `condition` holds; ``time_since`` is the time since the last event, in seconds.
    column
        The column of the events; None for ``count``, ``share`` and ``time_since``.
    duration
        The length of the window. None: the whole past.
    events
        The window holds this many of the newest events (of those in `duration`). None: all.
    where
        Only events for which it holds are in the window. None: all.
    condition
        The condition of ``share``.
    n
        The number of values of ``last_n``, the newest first.
    quantile
        Which value ``quantile`` and ``approximate_quantile`` take: that below which this share of the values is.
    error
        The bound of an approximate aggregate: the relative error of the value of a quantile, and the relative standard
        error of a number of different values.
    """

    kind: Kind
    column: str | None = None
    duration: timedelta | None = None
    events: int | None = None
    where: pl.Expr | None = None
    condition: pl.Expr | None = None
    n: int = 1
    quantile: float | None = None
    error: float | None = None
