"""One aggregate of the events in the window of each question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from featurestore.values.exact_integers import as_integers, rounded
from featurestore.windows.events import Events, without_negative_zero

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from featurestore.windows.aggregation import Aggregation
    from featurestore.windows.members import Members

SECOND = 1_000_000


def aggregate(
    aggregation: Aggregation,
    events: Events,
    members: Members,
    counts: NDArray[np.bool_],
    asked: NDArray[np.int64],
) -> pl.Series:
    """Compute an aggregate of the events in the window of each question.

    Parameters
    ----------
    counts
        Which events are in the window at all: ``aggregation.where``.
    asked
        The moment of each question, in microseconds since 1970-01-01 UTC.

    Returns
    -------
    pl.Series
        One value for each question: Int64 for ``count`` and ``distinct``, and for the ``sum`` of integers; the dtype of
        the column for ``min``, ``max``, ``first`` and ``last``, a list of it for ``last_n``; otherwise Float64.

    Raises
    ------
    OverflowError
        If a sum of integers does not fit into 64 bits.
    """
    column = aggregation.column
    if column is None:
        return _of_events(aggregation, events, members, counts, asked)
    present = counts & events.present(column)
    match aggregation.kind:
        case "sum" | "mean" | "variance" | "deviation":
            return _of_numbers(aggregation, events, members, present)
        case "distinct":
            return pl.Series(members.distinct(np.where(present, events.codes(column), -1)))
        case "min" | "max":
            order, ranks = events.order(column), events.ranks(column)
            top = len(events) - 1
            ranks = ranks if aggregation.kind == "max" else top - ranks
            [best] = members.greatest(np.where(present, ranks, -1))
            place = np.where(best < 0, 0, best if aggregation.kind == "max" else top - best)
            found = order[place] if len(events) else place
            values = _taken(events.frame[column], np.where(best < 0, -1, found))
            return without_negative_zero(values)
        case "first":
            last = len(events) - 1
            [best] = members.greatest(np.where(present, last - np.arange(len(events)), -1))
            return _taken(events.frame[column], np.where(best < 0, -1, last - best))
        case "last":
            [best] = members.greatest(np.where(present, np.arange(len(events)), -1))
            return _taken(events.frame[column], best)
        case _:
            return _last_n(aggregation, events.frame[column], members, present)


def _of_events(
    aggregation: Aggregation,
    events: Events,
    members: Members,
    counts: NDArray[np.bool_],
    asked: NDArray[np.int64],
) -> pl.Series:
    if aggregation.kind == "time_since":
        [last] = members.greatest(np.where(counts, np.arange(len(events)), -1))
        moments = events.moments[last] if len(events) else last
        return _where(last >= 0, (asked - moments).astype(np.float64) / SECOND)
    [number] = members.sums([counts.astype(np.int64)])
    if aggregation.kind == "count":
        return pl.Series(number)
    assert aggregation.condition is not None
    holds = events.frame.select(aggregation.condition.fill_null(value=False)).to_series().to_numpy()
    [true] = members.sums([(counts & holds).astype(np.int64)])
    return _where(number > 0, true / np.maximum(number, 1))


def _of_numbers(
    aggregation: Aggregation, events: Events, members: Members, present: NDArray[np.bool_]
) -> pl.Series:
    assert aggregation.column is not None
    exact = events.numbers(aggregation.column)
    digits = members.sums(np.where(present, digit, 0) for digit in exact.digits())
    is_float = events.frame[aggregation.column].dtype.is_float()
    if aggregation.kind == "sum":
        return pl.Series(rounded(digits, exact.exponent)) if is_float else _integers(digits, exact.exponent)
    [number] = members.sums([present.astype(np.int64)])
    if aggregation.kind == "mean":
        return _where(number > 0, rounded(digits, exact.exponent, np.maximum(number, 1)))
    totals = as_integers(digits)
    squares = sum(
        (
            as_integers(members.sums(np.where(present, digit, 0) for digit in part.digits()))
            for part in exact.squares()
        ),
        start=np.zeros(len(number), dtype=object),
    )
    n = np.maximum(number, 2).astype(object)
    quotients = _quotient(n * squares - totals * totals, n * (n - 1), 2 * exact.exponent)
    return _where(number > 1, np.sqrt(quotients) if aggregation.kind == "deviation" else quotients)


def _integers(digits: NDArray[np.int64], exponent: int) -> pl.Series:
    totals = as_integers(digits) << exponent
    return pl.Series(totals.astype(np.int64))


def _quotient(
    numerators: NDArray[np.object_], divisors: NDArray[np.object_], exponent: int
) -> NDArray[np.float64]:
    """Divide whole numbers times ``2**exponent``, rounded once: Python's division of integers is."""
    up, down = 1 << max(exponent, 0), 1 << max(-exponent, 0)
    return np.asarray((numerators * up) / (divisors * down), dtype=np.float64)


def _last_n(
    aggregation: Aggregation, values: pl.Series, members: Members, present: NDArray[np.bool_]
) -> pl.Series:
    assert aggregation.n is not None
    found = members.greatest(np.where(present, np.arange(len(values)), -1), aggregation.n)
    questions = found.shape[1]
    number = (found >= 0).sum(axis=0)
    flat = found.T[found.T >= 0]
    lists = pl.DataFrame({"question": np.repeat(np.arange(questions), number)}).with_columns(
        values.gather(flat).alias("value")
    )
    grouped = lists.group_by("question", maintain_order=True).agg("value")
    every = pl.DataFrame({"question": np.arange(questions)}).join(
        grouped, on="question", how="left", maintain_order="left"
    )
    return every.select(pl.col("value").fill_null(pl.lit([], dtype=pl.List(values.dtype)))).to_series()


def _taken(values: pl.Series, places: NDArray[np.int64]) -> pl.Series:
    return values.gather(pl.Series(places).replace(-1, None).cast(pl.UInt32))


def _where(known: NDArray[np.bool_], values: NDArray[Any]) -> pl.Series:
    return pl.select(pl.when(pl.Series(known)).then(pl.Series(values))).to_series()
