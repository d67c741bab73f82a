"""What users declare: ``windows.count(over="1h")`` and the like."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.windows.arguments import LIFETIME, checked_aggregation

if TYPE_CHECKING:
    from datetime import timedelta

    import polars as pl

    from featurestore.windows.aggregation import Aggregation


def count(
    *, over: str | timedelta | None = None, events: int | None = None, where: pl.Expr | None = None
) -> Aggregation:
    """Count the events in the window. Int64, 0 for an empty window.

    Parameters
    ----------
    over
        The length of the window: ``"15m"``, ``"1h"``, ``"30d"``, a timedelta, or ``"lifetime"``. It may be left out if
        `events` is given.
    events
        The window holds only this many of the newest events.
    where
        Only events for which the expression holds are in the window.

    Raises
    ------
    DefinitionError
        If the window has no length, one that is not above zero, or one beyond what timestamps can hold; or an argument
        has a wrong type. Names the argument.
    """
    return checked_aggregation("count", None, over, events, where)


def sum(  # noqa: A001 - windows.sum, as polars.sum
    column: str,
    *,
    over: str | timedelta | None = None,
    events: int | None = None,
    where: pl.Expr | None = None,
) -> Aggregation:
    """Add up the values in the window, rounded once. Int64 or Float64, as the column; 0 for an empty window.

    Parameters and errors as of `count`.
    """
    return checked_aggregation("sum", column, over, events, where)


def mean(
    column: str,
    *,
    over: str | timedelta | None = None,
    events: int | None = None,
    where: pl.Expr | None = None,
) -> Aggregation:
    """Take the mean of the values in the window, rounded once. Float64, null without values.

    Parameters and errors as of `count`.
    """
    return checked_aggregation("mean", column, over, events, where)


def min(  # noqa: A001 - windows.min, as polars.min
    column: str,
    *,
    over: str | timedelta | None = None,
    events: int | None = None,
    where: pl.Expr | None = None,
) -> Aggregation:
    """Take the smallest value in the window; the dtype of the column, null without values.

    Parameters and errors as of `count`.
    """
    return checked_aggregation("min", column, over, events, where)


def max(  # noqa: A001 - windows.max, as polars.max
    column: str,
    *,
    over: str | timedelta | None = None,
    events: int | None = None,
    where: pl.Expr | None = None,
) -> Aggregation:
    """Take the largest value in the window; the dtype of the column, null without values.

    Parameters and errors as of `count`.
    """
    return checked_aggregation("max", column, over, events, where)


def first(
    column: str,
    *,
    over: str | timedelta | None = None,
    events: int | None = None,
    where: pl.Expr | None = None,
) -> Aggregation:
    """Take the oldest value in the window; the dtype of the column, null without values.

    Parameters and errors as of `count`.
    """
    return checked_aggregation("first", column, over, events, where)


def last(
    column: str,
    *,
    over: str | timedelta | None = None,
    events: int | None = None,
    where: pl.Expr | None = None,
) -> Aggregation:
    """Take the newest value in the window; the dtype of the column, null without values.

    Parameters and errors as of `count`.
    """
    return checked_aggregation("last", column, over, events, where)


def last_n(
    column: str,
    n: int,
    *,
    over: str | timedelta | None = None,
    events: int | None = None,
    where: pl.Expr | None = None,
) -> Aggregation:
    """List the newest `n` values in the window, the newest first; a list of the column's dtype, empty without values.

    Parameters and errors as of `count`.
    """
    return checked_aggregation("last_n", column, over, events, where, n=n)


def variance(
    column: str,
    *,
    over: str | timedelta | None = None,
    events: int | None = None,
    where: pl.Expr | None = None,
) -> Aggregation:
    """Take the variance of the values in the window, divided by their number less one, and rounded once.

    Float64, null for fewer than two values. Parameters and errors as of `count`.
    """
    return checked_aggregation("variance", column, over, events, where)


def deviation(
    column: str,
    *,
    over: str | timedelta | None = None,
    events: int | None = None,
    where: pl.Expr | None = None,
) -> Aggregation:
    """Take the standard deviation of the values in the window: the square root of `variance`.

    Float64, null for fewer than two values. Parameters and errors as of `count`.
    """
    return checked_aggregation("deviation", column, over, events, where)


def share(
    condition: pl.Expr,
    *,
    over: str | timedelta | None = None,
    events: int | None = None,
    where: pl.Expr | None = None,
) -> Aggregation:
    """Divide the number of events for which `condition` holds by the number of events in the window.

    Float64, null for an empty window. Parameters and errors as of `count`.
    """
    return checked_aggregation("share", None, over, events, where, condition=condition)


def distinct(
    column: str,
    *,
    over: str | timedelta | None = None,
    events: int | None = None,
    where: pl.Expr | None = None,
) -> Aggregation:
    """Count the different values in the window, exactly. Int64, 0 for an empty window.

    Parameters and errors as of `count`.
    """
    return checked_aggregation("distinct", column, over, events, where)


def approximate_distinct(
    column: str,
    *,
    error: float,
    over: str | timedelta | None = None,
    events: int | None = None,
    where: pl.Expr | None = None,
) -> Aggregation:
    """Count the different values in the window, approximately. Int64, 0 for an empty window.

    The online store keeps hashes and HyperLogLog registers and not all values (`featurestore.windows.cardinality`). The result
    depends on the set of values alone, and is exact for few of them.

    Parameters
    ----------
    error
        The relative standard error, from 0.01 to 0.1: two results of three are within it, and 95 % within twice of it.
        With 0.02 up to 512 different values are counted exactly, with 0.1 up to 16.
    over, events, where
        As of `count`.

    Raises
    ------
    DefinitionError
        As `count` does, and if `error` is not a number in its range.
    """
    return checked_aggregation("approximate_distinct", column, over, events, where, error=error)


def quantile(
    column: str,
    quantile: float,
    *,
    over: str | timedelta | None = None,
    events: int | None = None,
    where: pl.Expr | None = None,
) -> Aggregation:
    """Take the smallest value in the window that at least a share of the values do not exceed: 0.5 is the median.

    The dtype of the column, null without values. It is the value at the nearest rank, as ``percentile_disc`` of SQL: always a value
    of an event, and of two middle values the smaller one.

    Parameters
    ----------
    quantile
        The share: above 0 and below 1. It is taken as the decimal number that is written.
    over, events, where
        As of `count`.

    Raises
    ------
    DefinitionError
        As `count` does, and if `quantile` is not a number in its range.
    """
    return checked_aggregation("quantile", column, over, events, where, quantile=quantile)


def approximate_quantile(
    column: str,
    quantile: float,
    *,
    error: float,
    over: str | timedelta | None = None,
    events: int | None = None,
    where: pl.Expr | None = None,
) -> Aggregation:
    """Take the `quantile` of the values in the window, rounded to as many significant bits as a bound asks for.

    Float64, null without values. The online store keeps how many values are in each bucket and not all values
    (`featurestore.windows.significant`). The result depends on the values alone.

    Parameters
    ----------
    quantile
        As of `quantile`.
    error
        The bound of the relative error, from 0.001 to 0.1: with 0.01, the result is within 1 % of the exact quantile, always.
        Whole numbers of up to 128 are exact then.
    over, events, where
        As of `count`.

    Raises
    ------
    DefinitionError
        As `count` does, and if `quantile` or `error` is not a number in its range.
    """
    return checked_aggregation(
        "approximate_quantile", column, over, events, where, quantile=quantile, error=error
    )


def time_since(
    *, over: str | timedelta | None = LIFETIME, events: int | None = None, where: pl.Expr | None = None
) -> Aggregation:
    """Measure the seconds since the newest event in the window. Float64, null for an empty window.

    Parameters and errors as of `count`.
    """
    return checked_aggregation("time_since", None, over, events, where)
