"""What users declare: ``windows.count(over="1h")`` and the like."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.errors import DefinitionError
from featurestore.timing.duration import parse_duration
from featurestore.windows.aggregation import Aggregation

if TYPE_CHECKING:
    from featurestore.windows.aggregation import Kind

LIFETIME: Final = "lifetime"
OVER_HINT: Final = 'write over="1h" (us, ms, s, m, h, d, w), a timedelta, over="lifetime", or events=20'
# A longer window holds no more: timestamps have the years 1 to 9999.
LONGEST: Final = datetime.max.replace(tzinfo=UTC) - datetime.min.replace(tzinfo=UTC)
MAX_EVENTS: Final = 2**31 - 1
WITHOUT_COLUMN: Final = frozenset(["count", "share", "time_since"])


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
    if kind in WITHOUT_COLUMN:
        label: str = kind
    elif isinstance(column, str):
        label = f"{kind} of {column!r}"
    else:
        raise _wrong(kind, "column", column, "the name of a column", f'windows.{kind}("amount", over="1h")')
    if over is None and events is None:
        raise DefinitionError(f"{label}: the window has no length", hint=OVER_HINT)
    if events is not None:
        _require_count(label, "events", events)
    _require_count(label, "n", n)
    if where is not None and not isinstance(where, pl.Expr):
        raise _wrong(label, "where", where, "a Polars expression", 'where=pl.col("amount") > 0')
    if kind == "share" and not isinstance(condition, pl.Expr):
        raise _wrong(
            label,
            "condition",
            condition,
            "a Polars expression",
            'windows.share(pl.col("amount") > 0, over="1h")',
        )
    return Aggregation(kind, column, _duration(label, over), events, where, condition, n)


def _require_count(label: str, argument: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(label, argument, value, "a whole number", f"{argument}=20")
    if value < 1:
        raise DefinitionError(
            f"{label}: {argument} is {value}, but must be at least 1", hint=f"write {argument}=20"
        )
    if value > MAX_EVENTS:
        raise DefinitionError(
            f"{label}: {argument} is {value}, but must be at most {MAX_EVENTS}", hint=f"write {argument}=20"
        )


def _wrong(label: str, argument: str, value: Any, expected: str, example: str) -> DefinitionError:
    text = f"{value!s:.60}" if isinstance(value, pl.Expr) else f"{value!r:.60}"
    return DefinitionError(
        f"{label}: {argument} is {text} ({type(value).__name__}), but must be {expected}",
        hint=f"write {example}",
    )


def _duration(label: str, over: Any) -> timedelta | None:
    if over is None or (isinstance(over, str) and over == LIFETIME):
        return None
    if isinstance(over, str):
        duration = parse_duration(over)
        if duration is None:
            raise DefinitionError(f"{label}: over is {over!r}, which is not a duration", hint=OVER_HINT)
        over = duration
    if not isinstance(over, timedelta):
        raise DefinitionError(
            f"{label}: over is {over!r:.60} ({type(over).__name__}), but must be a duration", hint=OVER_HINT
        )
    if over <= timedelta(0):
        raise DefinitionError(f"{label}: over is {over}, but must be above zero", hint=OVER_HINT)
    if over > LONGEST:
        raise DefinitionError(
            f"{label}: over is {over}, but timestamps hold at most {LONGEST.days:,} days",
            hint='write over="lifetime" for the whole past',
        )
    return over
