"""Sums and means that are rounded once: the same for any order of the rows, any parts and any engine."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence


def exact_sum(values: pl.Expr) -> pl.Expr:
    """Add up numbers without rounding on the way; the result is the Float64 nearest to the true sum.

    It can be used in `select`, in `group_by(...).agg`, with `over`, and in `rolling(...).agg`. Nulls
    do not count; the sum of no numbers is 0. NaN and infinities give what IEEE 754 says. It calls
    Python once for each group, so it is slower than `sum`.

    Parameters
    ----------
    values
        Floats or integers.

    Raises
    ------
    polars.exceptions.PolarsError
        When the expression runs, if the values are not floats or integers.
    """
    return values.map_batches(_sum, return_dtype=pl.Float64, returns_scalar=True)


def exact_mean(values: pl.Expr) -> pl.Expr:
    """Divide the exact sum of numbers by their count; the result is the Float64 nearest to the true mean.

    As `exact_sum`; the mean of no numbers is null.

    Parameters
    ----------
    values
        Floats or integers.

    Raises
    ------
    polars.exceptions.PolarsError
        When the expression runs, if the values are not floats or integers.
    """
    return values.map_batches(_mean, return_dtype=pl.Float64, returns_scalar=True)


def _sum(values: pl.Series) -> float:
    numbers = _numbers(values)
    return _rounded(numbers, 1)


def _mean(values: pl.Series) -> float | None:
    numbers = _numbers(values)
    return _rounded(numbers, len(numbers)) if numbers else None


def _numbers(values: pl.Series) -> list[float]:
    if not (values.dtype.is_float() or values.dtype.is_integer()):
        raise pl.exceptions.InvalidOperationError(
            f"an exact sum of {values.dtype}; expected floats or integers: cast the column first"
        )
    return values.drop_nulls().to_list()


def _rounded(numbers: Sequence[float], count: int) -> float:
    """Return the sum over a count, rounded once."""
    if not_finite := [number for number in numbers if not math.isfinite(number)]:
        return sum(not_finite)
    return nearest(exact_total(numbers) / count)


def nearest(number: Fraction) -> float:
    """Return the float nearest to a fraction; beyond the range of floats, an infinity."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def exact_total(numbers: Sequence[float]) -> Fraction:
    """Return the true sum: `fsum`, and then what each rounding left over, until nothing is left."""
    if any(isinstance(number, int) for number in numbers):
        return Fraction(sum(int(number) for number in numbers))
    parts: list[float] = []
    try:
        while rest := math.fsum((*numbers, *(-part for part in parts))):
            parts.append(rest)
    except OverflowError:  # a partial sum is larger than any float
        return sum(map(Fraction, numbers), Fraction())
    return sum(map(Fraction, parts), Fraction())
