"""Sums of the parts of a profile, without rounding: the same for any order and any grouping of the rows.

A finite 64-bit float is an integer times a power of two. Floats are grouped by their upper bits,
and their lower bits are added as integers. The groups are added as integers of Python, which have
no upper limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

FRACTION: Final = 52  # bits of a float's fraction
_HALF: Final = 26  # bits whose sum over 2**27 values a float holds without rounding
_SMALLEST = -1074  # the exponent of the smallest float
_EXPONENT = 0x7FF


class ExactSum(msgspec.Struct, frozen=True):
    """A sum without rounding.

    Attributes
    ----------
    digits
        The sum in units of ``2 ** exponent``, as a decimal integer in text, because readers of JSON
        differ on large numbers.
    """

    digits: str = "0"
    exponent: int = 0

    @classmethod
    def of(cls, number: int, exponent: int = 0) -> ExactSum:
        """Return the normalized sum: without trailing zero bits."""
        if number == 0:
            return cls()
        zeros = (number & -number).bit_length() - 1
        return cls(str(number >> zeros), exponent + zeros)

    def __add__(self, other: ExactSum) -> ExactSum:
        low = min(self.exponent, other.exponent)
        return ExactSum.of(self._scaled(low) + other._scaled(low), low)

    def over(self, count: int) -> float:
        """Divide by a count; the result is rounded once."""
        number, exponent = int(self.digits), self.exponent
        return (number << exponent) / count if exponent >= 0 else number / (count << -exponent)

    def _scaled(self, exponent: int) -> int:
        return int(self.digits) << (self.exponent - exponent)


def bits(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Return the bits of floats; -0.0 has the bits of 0.0."""
    return (values + 0.0).view(np.uint64)


def binned(values: NDArray[np.float64], upper: int) -> pl.DataFrame:
    """Group finite floats by their bits above `upper`.

    NumPy counts in one thread: many threads do this at once, each with its own rows.

    Returns
    -------
    pl.DataFrame
        ``bin`` (UInt64), ``count``, and ``rest``, the sum of the lower bits (Int128), ordered by ``bin``.
    """
    words = bits(values)
    bins = (words >> np.uint64(upper)).view(np.int64)
    counts = np.bincount(bins)
    found = np.flatnonzero(counts)
    lower = (words & np.uint64((1 << upper) - 1)).view(np.int64)
    low, high = (
        np.bincount(bins, weights=half.astype(np.float64))[found].astype(np.int64)
        for half in (lower & ((1 << _HALF) - 1), lower >> _HALF)
    )
    return pl.DataFrame(
        {
            "bin": found.astype(np.uint64),
            "count": counts[found],
            "rest": pl.Series(high).cast(pl.Int128) * pl.Series([1 << _HALF], dtype=pl.Int128)
            + pl.Series(low),
        }
    )


def added(groups: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Add up what `binned` grouped of several parts."""
    return pl.concat(groups).group_by("bin").agg(pl.col("count", "rest").sum()).sort("bin")


def total(groups: Iterable[tuple[int, int, int]], upper: int) -> ExactSum:
    """Add up the floats that `binned` grouped."""
    number = 0
    for bin_, count, rest in groups:
        word = bin_ << upper
        exponent, fraction = word >> FRACTION & _EXPONENT, word & ((1 << FRACTION) - 1)
        significand = count * (fraction | (bool(exponent) << FRACTION)) + rest
        scaled = significand << (max(exponent, 1) - 1)
        number += -scaled if word >> 63 else scaled
    return ExactSum.of(number, _SMALLEST)
