"""Numbers rounded to a few significant bits: the buckets of approximate quantiles.

A number is ``digits * 2**power`` with as many digits in base 2 as the bound asks for, rounded half to even. That is the
bucket of HdrHistogram (Tene, 2012) and of the linear mapping of DDSketch (Masson, Rim and Lee, "DDSketch: a fast and
fully-mergeable quantile sketch with relative-error guarantees", VLDB 2019), without a logarithm, whose last bit differs
between machines. Rounding to b bits moves a number by less than ``2**-b`` of itself, and never changes the order of two
numbers: the quantile of rounded numbers is the rounded quantile.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The power of the smallest float above zero, 2**-1074 as `math.frexp` splits it, has the bucket of the smallest number.
_OFFSET: Final = 1074
_MAX_POWER: Final = 1024


def significant_bits(error: float) -> int:
    """Return how many significant bits keep each number within a relative error, from above 0 to 0.5."""
    return 1 - math.frexp(error)[1]


def nearest_rank(quantile: float, count: int) -> int:
    """Return the rank of a quantile among sorted values, from 1: the smallest whole number of at least ``quantile * count``.

    The quantile is the decimal number that was written: 0.1 of ten values is the first, though the float is above 0.1.
    """
    share = Fraction(str(quantile))
    return -(-share.numerator * count // share.denominator)


def bucket(value: float, bits: int) -> int:
    """Return the number of a bucket: 0 for zero, and of two other values the greater has no smaller number.

    Finite numbers stay finite: the greatest is rounded down. An infinity has a bucket of its own.
    """
    fraction, power = math.frexp(abs(value))
    if not fraction:
        return 0
    last = (_MAX_POWER + 1 + _OFFSET) << (bits - 1)  # of infinity
    if fraction == math.inf:
        number = last
    else:
        digits = round(math.ldexp(fraction, bits))
        number = min(((power + _OFFSET - 1) << (bits - 1)) + digits, last - 1)
    return number if value > 0 else -number


def of_bucket(number: int, bits: int) -> float:
    """Return the number that all values of a bucket are rounded to."""
    power, digits = divmod(abs(number), 1 << (bits - 1))
    power -= _OFFSET
    if not number:
        return 0.0
    size = math.inf if power > _MAX_POWER else math.ldexp(digits + (1 << (bits - 1)), power - bits)
    return math.copysign(size, number)


def rounded_to_bits(values: NDArray[np.float64], bits: int) -> NDArray[np.float64]:
    """Round numbers as ``of_bucket(bucket(value, bits), bits)`` does, to the last bit."""
    fractions, powers = np.frexp(values)
    is_finite = np.isfinite(values)
    digits = np.rint(np.ldexp(np.where(is_finite, fractions, 0.0), bits))
    with np.errstate(over="ignore"):
        result = np.ldexp(digits, powers - bits)
    greatest = math.ldexp((1 << bits) - 1, _MAX_POWER - bits)
    result = np.where(is_finite, np.clip(result, -greatest, greatest), values)
    return np.asarray(result + 0.0, dtype=np.float64)
