"""Sums of the parts of a profile, without rounding: the same for any order and any grouping of the rows.

A finite 64-bit float is an integer times a power of two. Floats are grouped by their upper bits,
and their lower bits are added as integers. The groups are added as integers of Python, which have
no upper limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable

FRACTION = 52  # bits of a float's fraction
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


def bits(values: pl.Expr) -> pl.Expr:
    """Return the bits of 64-bit floats; -0.0 has the bits of 0.0."""
    return pl.when(values == 0).then(0.0).otherwise(values).reinterpret(dtype=pl.UInt64)


def binned(values: pl.Series, upper: int) -> pl.DataFrame:
    """Group finite floats by their bits above `upper`.

    Returns
    -------
    pl.DataFrame
        ``bin`` (UInt64), ``count``, and ``rest``, the sum of the lower bits (Int128).
    """
    word = bits(pl.col("x"))
    return (
        values.alias("x")
        .to_frame()
        .select(word.alias("word"))
        .group_by(bin=pl.col("word") // (1 << upper))
        .agg(count=pl.len().cast(pl.Int64), rest=(pl.col("word") % (1 << upper)).cast(pl.Int128).sum())
        .sort("bin")
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
