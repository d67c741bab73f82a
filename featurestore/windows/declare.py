"""What users declare: ``windows.count(over="1h")`` and the like."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from featurestore.errors import DefinitionError
from featurestore.timing.duration import parse_duration
from featurestore.windows.aggregation import Aggregation

if TYPE_CHECKING:
    import polars as pl

    from featurestore.windows.aggregation import Kind

LIFETIME: Final = "lifetime"
OVER_HINT: Final = 'write over="1h" (us, ms, s, m, h, d, w), a timedelta, over="lifetime", or events=20'


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
        If the window has no length, or one that is not above zero.
    """
    return _aggregation("count", None, over, events, where)


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
    return _aggregation("sum", column, over, events, where)


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
    return _aggregation("mean", column, over, events, where)


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
    return _aggregation("min", column, over, events, where)


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
    return _aggregation("max", column, over, events, where)


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
    return _aggregation("first", column, over, events, where)


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
    return _aggregation("last", column, over, events, where)


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
    if n < 1:
        raise DefinitionError(f"last_n of {column!r}: n is {n}, but must be at least 1")
    return _aggregation("last_n", column, over, events, where, n=n)


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
    return _aggregation("variance", column, over, events, where)


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
    return _aggregation("deviation", column, over, events, where)


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
    return _aggregation("share", None, over, events, where, condition=condition)


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
    return _aggregation("distinct", column, over, events, where)


def time_since(
    *, over: str | timedelta | None = LIFETIME, events: int | None = None, where: pl.Expr | None = None
) -> Aggregation:
    """Measure the seconds since the newest event in the window. Float64, null for an empty window.

    Parameters and errors as of `count`.
    """
    return _aggregation("time_since", None, over, events, where)


def _aggregation(
    kind: Kind,
    column: str | None,
    over: str | timedelta | None,
    events: int | None,
    where: pl.Expr | None,
    *,
    condition: pl.Expr | None = None,
    n: int = 1,
) -> Aggregation:
    label = kind if column is None else f"{kind} of {column!r}"
    if over is None and events is None:
        raise DefinitionError(f"{label}: the window has no length", hint=OVER_HINT)
    if events is not None and events < 1:
        raise DefinitionError(f"{label}: events is {events}, but must be at least 1")
    return Aggregation(kind, column, _duration(label, over), events, where, condition, n)


def _duration(label: str, over: str | timedelta | None) -> timedelta | None:
    if over is None or over == LIFETIME:
        return None
    if isinstance(over, str):
        duration = parse_duration(over)
        if duration is None:
            raise DefinitionError(f"{label}: over is {over!r}, which is not a duration", hint=OVER_HINT)
        over = duration
    if over <= timedelta(0):
        raise DefinitionError(f"{label}: over is {over}, but must be above zero", hint=OVER_HINT)
    return over
