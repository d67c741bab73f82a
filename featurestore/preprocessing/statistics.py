"""Means, deviations and quantiles that are the same for any order of the rows."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from featurestore.values.exact_integers import as_integers, exact_column
from featurestore.values.exact_sum import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import polars as pl
    from numpy.typing import NDArray

    from featurestore.values.exact_integers import ExactColumn


class MeanAndVariance(NamedTuple):
    """The mean and the variance (divided by the count) of numbers, each rounded once."""

    mean: float
    variance: float


def mean_and_variance(values: pl.Series) -> MeanAndVariance:
    """Compute the true mean and variance of Float64 without nulls, and round each once."""
    numbers = values.to_numpy()
    column = exact_column(numbers)
    count = len(numbers)
    total = _total([column])
    squares = _total(column.squares())
    spread = count * squares - total * total
    return MeanAndVariance(
        mean=_scaled(total, column.exponent, count),
        variance=_scaled(spread, 2 * column.exponent, count * count),
    )


def _total(columns: Iterable[ExactColumn]) -> int:
    """Add up whole numbers; all columns have one power of two."""
    total = 0
    for column in columns:
        sums = np.array([[digit.sum()] for digit in column.digits()], dtype=np.int64)
        total += int(as_integers(sums)[0])
    return total


def _scaled(number: int, exponent: int, divisor: int) -> float:
    power = Fraction(2) ** exponent
    return nearest(Fraction(number, divisor) * power)


def deviation(variance: float, mean: float, count: int) -> float:
    """Return the square root of a variance; 1 where the values do not differ, so that nothing is divided by zero."""
    # As scikit-learn: a spread of the size of the rounding of the mean is none.
    rounding = count * np.finfo(np.float64).eps * variance + (count * mean * np.finfo(np.float64).eps) ** 2
    return math.sqrt(variance) if variance > rounding else 1.0


def median(values: pl.Series) -> float:
    """Return the middle number, or the mean of the two middle ones, rounded once."""
    numbers = values.sort()
    middle = (numbers[(len(numbers) - 1) // 2], numbers[len(numbers) // 2])
    return nearest((Fraction(middle[0]) + Fraction(middle[1])) / 2)


def quantiles(values: pl.Series, shares: Sequence[float]) -> list[float]:
    """Return quantiles, each on the straight line between the two nearest numbers."""
    result: NDArray[np.float64] = np.quantile(values.sort().to_numpy(), shares, method="linear")
    return [float(value) for value in result]
