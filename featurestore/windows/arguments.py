"""Whether the arguments that a window is declared with fit together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.errors import DefinitionError
from featurestore.timing.duration import parse_duration
from featurestore.values.arguments import integer_of, number_of, wrong_type
from featurestore.values.wording import duration_text
from featurestore.windows.aggregation import OF_QUANTILES, WITHOUT_COLUMN, Aggregation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from featurestore.windows.aggregation import Kind

LIFETIME: Final = "lifetime"
OVER_HINT: Final = 'write over="1h" (us, ms, s, m, h, d, w), a timedelta, over="lifetime", or events=20'
# A longer window holds no more: timestamps have the years 1 to 9999.
LONGEST: Final = datetime.max.replace(tzinfo=UTC) - datetime.min.replace(tzinfo=UTC)
MAX_EVENTS: Final = 2**31 - 1
# The smallest and largest bound that can be declared. With a smaller one a store keeps about as much as the events take.
ERROR_LIMITS: Final[Mapping[Kind, tuple[float, float]]] = {
    "approximate_quantile": (0.001, 0.1),
    "approximate_distinct": (0.01, 0.1),
}
EXAMPLE_ERROR: Final = 0.02


def checked_aggregation(
    kind: Kind,
    column: str | None,
    over: str | timedelta | None,
    events: int | None,
    where: pl.Expr | None,
    *,
    condition: pl.Expr | None = None,
    n: int = 1,
    quantile: float | None = None,
    error: float | None = None,
) -> Aggregation:
    """Check what a window is declared with, and put it together.

    Raises
    ------
    DefinitionError
        If an argument has a wrong type or is out of range, or the window has no length. Names the argument.
    """
    if kind in WITHOUT_COLUMN:
        label: str = kind
    elif isinstance(column, str):
        label = f"{kind} of {column!r}"
    else:
        raise _wrong(kind, "column", column, "the name of a column", _example(kind))
    if over is None and events is None:
        raise DefinitionError(f"{label}: the window has no length", hint=OVER_HINT)
    if events is not None:
        integer_of(f"{label}: events", events, smallest=1, largest=MAX_EVENTS, example="events=20")
    integer_of(f"{label}: n", n, smallest=1, largest=MAX_EVENTS, example="n=3")
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
    if kind in OF_QUANTILES:
        quantile = number_of(f"{label}: quantile", quantile, example="quantile=0.95")
        if not 0 < quantile < 1:
            raise DefinitionError(
                f"{label}: quantile is {quantile}; expected a number above 0 and below 1",
                hint="example: quantile=0.95; windows.min and windows.max are the ends",
            )
    if kind in ERROR_LIMITS:
        error = _error(label, error, *ERROR_LIMITS[kind])
    return Aggregation(kind, column, _duration(label, over), events, where, condition, n, quantile, error)


def _example(kind: Kind) -> str:
    further = {"last_n": "3, "}.get(kind, "0.95, " if kind in OF_QUANTILES else "")
    further += f"error={EXAMPLE_ERROR}, " if kind in ERROR_LIMITS else ""
    return f'windows.{kind}("amount", {further}over="1h")'


def _error(label: str, value: Any, smallest: float, largest: float) -> float:
    error = number_of(f"{label}: error", value, example=f"error={EXAMPLE_ERROR}")
    if not smallest <= error <= largest:
        raise DefinitionError(
            f"{label}: error is {error}; expected a number from {smallest} to {largest}",
            hint=f"example: error={EXAMPLE_ERROR}",
        )
    return error


def _wrong(label: str, argument: str, value: Any, expected: str, example: str) -> DefinitionError:
    text = f"{value!s:.60}" if isinstance(value, pl.Expr) else f"{value!r:.60}"
    return DefinitionError(
        f"{label}: {argument} is {text} ({type(value).__name__}); expected {expected}",
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
        raise wrong_type(f"{label}: over", over, "a duration", hint=OVER_HINT)
    if over <= timedelta(0):
        raise DefinitionError(
            f"{label}: over is {duration_text(over)}; expected more than zero", hint=OVER_HINT
        )
    if over > LONGEST:
        raise DefinitionError(
            f"{label}: over is {duration_text(over)}, but timestamps hold at most {LONGEST.days:,} days",
            hint='write over="lifetime" for the whole past',
        )
    return over
