"""Windows that slide: aggregates of the events of a key, at any timestamp.

Declared beside a feature view whose rows are events: ``windows={"orders_30d": windows.count(over="30d")}``.

An event counts in a window from the timestamp it is known until it leaves the window, is replaced or is deleted: one
interval of time (`intervals`). A feature at a timestamp is an aggregate of the events whose intervals hold it.
"""

from featurestore.windows.declare import (
    approximate_distinct,
    approximate_quantile,
    count,
    deviation,
    distinct,
    first,
    last,
    last_n,
    max,  # noqa: A004 - windows.max, as polars.max
    mean,
    min,  # noqa: A004
    quantile,
    share,
    sum,  # noqa: A004
    time_since,
    variance,
)

__all__ = [
    "approximate_distinct",
    "approximate_quantile",
    "count",
    "deviation",
    "distinct",
    "first",
    "last",
    "last_n",
    "max",
    "mean",
    "min",
    "quantile",
    "share",
    "sum",
    "time_since",
    "variance",
]
