"""The reference implementation of quantiles and of what is declared with a bound: slow and obvious."""

from __future__ import annotations

import math
import sys
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.windows.cardinality import hashes

if TYPE_CHECKING:
    from collections.abc import Sequence

HASH_BITS: Final = 64


def approximate(values: Sequence[Any], error: float, quantile: float | None) -> Any:
    """Compute a quantile within an error, or without one the number of different values."""
    if quantile is None:
        return approximate_distinct(values, error)
    return rounded_to_error(value_at(quantile, values), error)


def value_at(quantile: float, values: Sequence[Any]) -> Any:
    """Return the smallest value that at least a share of the values do not exceed; None without values."""
    share = Fraction(Decimal(str(quantile)))
    for number, value in enumerate(sorted(values), start=1):
        if number >= share * len(values):
            return value + 0.0 if isinstance(value, float) else value
    return None


def rounded_to_error(value: float | None, error: float) -> float | None:
    """Round a number to the fewest significant bits, half to even, that keep it within a relative error."""
    if value is None or not value or not math.isfinite(value):
        return None if value is None else float(value)
    bits = next(bits for bits in range(1, 60) if Fraction(1, 2**bits) <= Fraction(error))
    size = Fraction(abs(float(value)))
    unit = Fraction(2) ** (math.frexp(size)[1] - bits)
    rounded = round(size / unit) * unit
    greatest = (2**bits - 1) * Fraction(2) ** (sys.float_info.max_exp - bits)
    return math.copysign(float(min(rounded, greatest)), value)


def approximate_distinct(values: Sequence[Any], error: float) -> int:
    """Count different values: exactly up to an eighth of the registers, by HyperLogLog beyond."""
    bits = next(bits for bits in range(60) if 1.04 / math.sqrt(2**bits) <= error)
    different = set(values)
    if len(different) <= 2**bits // 8:
        return len(different)
    registers = [0] * 2**bits
    for number in _hashes(list(different)):
        text = f"{number:0{HASH_BITS}b}"
        register, rest = int(text[:bits], 2), text[bits:]
        registers[register] = max(registers[register], (rest + "1").index("1") + 1)
    above_exact: int = 2**bits // 8 + 1
    return max(round(_estimate(registers)), above_exact)


def _estimate(registers: Sequence[int]) -> float:
    """Estimate by algorithm 6 of Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", 2017."""
    count = len(registers)
    total = 0.0
    for level in range(HASH_BITS, 0, -1):
        total = (total + registers.count(level)) / 2
    x = registers.count(0) / count
    y, z = 1.0, x
    while True:
        x *= x
        before, z = z, z + x * y
        y += y
        if z == before:
            break
    return count * count / (2 * math.log(2)) / (total + count * z)


def _hashes(values: Sequence[Any]) -> list[int]:
    """Return the pinned hashes of values; decimals are hashed as text."""
    texts = [format(value, "f") if isinstance(value, Decimal) else value for value in values]
    hashed: list[int] = hashes(pl.Series(texts)).tolist()
    return hashed
