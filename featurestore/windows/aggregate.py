"""One aggregate of the events in the window of each question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from featurestore.values.bits import without_negative_zero
from featurestore.values.exact_integers import as_integers, rounded
from featurestore.windows.cardinality import estimate, exact_limit, precision_of, registers_and_levels
from featurestore.windows.significant import nearest_rank, rounded_to_bits, significant_bits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from featurestore.windows.aggregation import Aggregation, Kind
    from featurestore.windows.events import Events
    from featurestore.windows.members import Members

SECOND = 1_000_000
MIN_VALUES: Final = 2  # of a variance


@dataclass(frozen=True)
class Window:
    """A window of the events of each question.

    Attributes
    ----------
    members
        Which events are in the window of each question, of those that `where` holds for.
    where
        The number of the filter in `events`.
    as_of
        The timestamp of each question, in microseconds since 1970-01-01 UTC.
    """

    events: Events
    members: Members
    where: int
    as_of: NDArray[np.int64]

    def present(self, column: str | None) -> NDArray[np.bool_]:
        """Return which events count: those that pass the filter and have a value."""
        return self.events.present(column, self.where)

    def number(self, column: str | None = None) -> NDArray[np.int64]:
        """Count the events, or the values of a column."""
        number: NDArray[np.int64] = self.members.sums(self.events.ones(column, self.where))[0]
        return number

    def best(self, ranks: NDArray[np.int64], column: str | None) -> NDArray[np.int64]:
        """Return the greatest rank of the events that count; -1 where there is none."""
        best: NDArray[np.int64] = self.members.greatest(np.where(self.present(column), ranks, -1))[0]
        return best


def aggregate(aggregation: Aggregation, window: Window) -> pl.Series:
    """Compute an aggregate of the events in the window of each question.

    Returns
    -------
    pl.Series
        One value for each question: Int64 for ``count``, ``distinct`` and ``approximate_distinct``, and for the ``sum``
        of integers; the dtype of the column for ``min``, ``max``, ``first``, ``last`` and ``quantile``, a list of it for
        ``last_n``; otherwise Float64.

    Raises
    ------
    OverflowError
        If a sum of integers does not fit into 64 bits, or a variance into Float64.
    """
    if aggregation.column is not None and aggregation.quantile is not None:
        return _quantile(window, aggregation.column, aggregation.quantile, aggregation.error)
    if aggregation.column is not None and aggregation.error is not None:
        return _approximate_distinct(window, aggregation.column, precision_of(aggregation.error))
    if aggregation.column is not None:
        limit = max(1, min(aggregation.n, len(window.events)))
        return _OF_VALUES[aggregation.kind](window, aggregation.column, limit)
    if aggregation.condition is not None:
        return _share(window, aggregation.condition)
    return pl.Series(window.number()) if aggregation.kind == "count" else _time_since(window)


def _quantile(window: Window, column: str, quantile: float, error: float | None) -> pl.Series:
    """Return the value at the nearest rank; rounded, which is the quantile of rounded values, if it has an error."""
    events = window.events
    counts, places = np.unique(window.number(column), return_inverse=True)
    wanted = np.array([nearest_rank(quantile, int(count)) for count in counts], dtype=np.int64)[places]
    ranks = np.where(window.present(column), events.ranks(column), -1)
    values = _of_ranks(events, column, window.members.smallest(ranks, wanted))
    if error is None:
        return values
    numbers = values.cast(pl.Float64).fill_null(0.0).to_numpy()
    return _where(wanted > 0, rounded_to_bits(numbers, significant_bits(error)))


def _approximate_distinct(window: Window, column: str, precision: int) -> pl.Series:
    events, present, limit = window.events, window.present(column), exact_limit(precision)
    number = window.members.distinct(np.where(present, events.hash_codes(column), -1))
    if not (number > limit).any():
        return pl.Series(number)
    registers, levels = registers_and_levels(events.hashes(column), precision)
    codes = (events.keys << precision) + registers
    reached = [
        window.members.distinct(np.where(present & (levels >= level), codes, -1))
        for level in range(1, int(levels[present].max()) + 1)
    ]
    estimates = np.maximum(np.rint(estimate(reached, 1 << precision)).astype(np.int64), limit + 1)
    return pl.Series(np.where(number > limit, estimates, number))


def _share(window: Window, condition: pl.Expr) -> pl.Series:
    number = window.number()
    [holding] = window.members.sums(window.events.holding(condition, window.where))
    return _where(number > 0, holding / np.maximum(number, 1))


def _time_since(window: Window) -> pl.Series:
    events = window.events
    last = window.best(np.arange(len(events)), None)
    timestamps = events.timestamps[last] if len(events) else last
    return _where(last >= 0, (window.as_of - timestamps).astype(np.float64) / SECOND)


def _sum(window: Window, column: str, _: int) -> pl.Series:
    exact = window.events.numbers(column)
    digits = window.members.sums(window.events.digits(column, window.where))
    if window.events.frame[column].dtype.is_float():
        return pl.Series(rounded(digits, exact.exponent))
    totals = as_integers(digits) << exact.exponent
    return pl.Series(totals.astype(np.int64))


def _mean(window: Window, column: str, _: int) -> pl.Series:
    exact, number = window.events.numbers(column), window.number(column)
    digits = window.members.sums(window.events.digits(column, window.where))
    return _where(number > 0, rounded(digits, exact.exponent, np.maximum(number, 1)))


def _variances(window: Window, column: str) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return where there are enough values, and the variances."""
    events, number = window.events, window.number(column)
    exponent = events.numbers(column).exponent
    totals = as_integers(window.members.sums(events.digits(column, window.where)))
    squares = sum(
        (as_integers(window.members.sums(part)) for part in events.squares(column, window.where)),
        start=np.zeros(len(number), dtype=object),
    )
    n = np.maximum(number, MIN_VALUES).astype(object)
    variances = _quotient(n * squares - totals * totals, n * (n - 1), 2 * exponent)
    return number >= MIN_VALUES, variances


def _variance(window: Window, column: str, _: int) -> pl.Series:
    return _where(*_variances(window, column))


def _deviation(window: Window, column: str, _: int) -> pl.Series:
    enough, variances = _variances(window, column)
    return _where(enough, np.sqrt(variances))


def _quotient(
    numerators: NDArray[np.object_], divisors: NDArray[np.object_], exponent: int
) -> NDArray[np.float64]:
    """Divide whole numbers times ``2**exponent``, rounded once: Python's division of integers is."""
    up, down = 1 << max(exponent, 0), 1 << max(-exponent, 0)
    return np.asarray((numerators * up) / (divisors * down), dtype=np.float64)


def _min(window: Window, column: str, _: int) -> pl.Series:
    events = window.events
    highest = len(events) - 1
    best = window.best(highest - events.ranks(column), column)
    return _of_ranks(events, column, np.where(best < 0, -1, highest - best))


def _max(window: Window, column: str, _: int) -> pl.Series:
    return _of_ranks(window.events, column, window.best(window.events.ranks(column), column))


def _of_ranks(events: Events, column: str, ranks: NDArray[np.int64]) -> pl.Series:
    order = events.order(column)
    numbers = np.where(ranks < 0, -1, order[np.maximum(ranks, 0)]) if len(events) else ranks
    return without_negative_zero(_taken(events.frame[column], numbers))


def _first(window: Window, column: str, _: int) -> pl.Series:
    highest = len(window.events) - 1
    best = window.best(highest - np.arange(len(window.events)), column)
    return _taken(window.events.frame[column], np.where(best < 0, -1, highest - best))


def _last(window: Window, column: str, _: int) -> pl.Series:
    best = window.best(np.arange(len(window.events)), column)
    return _taken(window.events.frame[column], best)


def _distinct(window: Window, column: str, _: int) -> pl.Series:
    codes = np.where(window.present(column), window.events.codes(column), -1)
    return pl.Series(window.members.distinct(codes))


def _last_n(window: Window, column: str, n: int) -> pl.Series:
    values = window.events.frame[column]
    numbers = np.where(window.present(column), np.arange(len(values)), -1)
    numbers = window.members.greatest(numbers, n)
    questions = numbers.shape[1]
    number = (numbers >= 0).sum(axis=0)
    flat = numbers.T[numbers.T >= 0]
    lists = pl.DataFrame({"question": np.repeat(np.arange(questions), number)}).with_columns(
        values.gather(flat).alias("value")
    )
    grouped = lists.group_by("question", maintain_order=True).agg("value")
    every = pl.DataFrame({"question": np.arange(questions)}).join(
        grouped, on="question", how="left", maintain_order="left"
    )
    return every.select(pl.col("value").fill_null(pl.lit([], dtype=pl.List(values.dtype)))).to_series()


_OF_VALUES: Final[Mapping[Kind, Callable[[Window, str, int], pl.Series]]] = {
    "sum": _sum,
    "mean": _mean,
    "variance": _variance,
    "deviation": _deviation,
    "min": _min,
    "max": _max,
    "first": _first,
    "last": _last,
    "distinct": _distinct,
    "last_n": _last_n,
}


def _taken(values: pl.Series, places: NDArray[np.int64]) -> pl.Series:
    # -1 is not a UInt32: it becomes null.
    return values[pl.Series(places).cast(pl.UInt32, strict=False)]


def _where(known: NDArray[np.bool_], values: NDArray[Any]) -> pl.Series:
    column = pl.Series(values)
    return column.zip_with(pl.Series(known), pl.Series([None], dtype=column.dtype))
