"""Exact sums of columns of floats: whole numbers in digits of 32 bits, rounded once at the end.

A float is a whole number times a power of two. With one power for a whole column, adding is adding whole numbers:
any order, any parts and any prefix sums give the same digits, and a difference of two prefixes is exact too. The
numbers are kept as digits of base 2**32 in Int64, the lowest first, and each digit may have any sign: half of its 64
bits are room for carries, so 2**31 numbers can be added before a digit could overflow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

BITS: Final = 32
BASE: Final = 1 << BITS
MANTISSA: Final = 53
WORD: Final = 64  # bits of a size
MIN_POWER: Final = -1074  # the smallest positive float is 2**-1074
MAX_NUMBERS: Final = 1 << 31


@dataclass(frozen=True)
class ExactColumn:
    """Finite numbers as whole multiples of one power of two.

    Attributes
    ----------
    sizes, signs, shifts
        UInt64, and Int64: a number is ``sign * size * 2**(exponent + shift)``. The sign is -1, 0 or 1, and the shift
        is at least 0.
    exponent
        The power that all numbers are multiples of.
    """

    sizes: NDArray[np.uint64]
    signs: NDArray[np.int64]
    shifts: NDArray[np.int64]
    exponent: int

    @cached_property
    def digit_count(self) -> int:
        """The number of digits of the greatest number; at least 1."""
        bits = np.where(self.signs == 0, 0, bit_lengths(self.sizes) + self.shifts)
        return int(bits.max(initial=1) + BITS - 1) // BITS

    def digits(self) -> Iterator[NDArray[np.int64]]:
        """Give one digit of all numbers after the other, the lowest first. A digit has the sign of its number."""
        for digit in range(self.digit_count):
            up = self.shifts - BITS * digit
            left = self.sizes << np.clip(up, 0, BITS).astype(np.uint64)
            right = self.sizes >> np.clip(-up, 0, 63).astype(np.uint64)
            part = np.where(up >= 0, left, right) & np.uint64(BASE - 1)
            part[(up >= BITS) | (up <= -WORD)] = 0
            yield part.astype(np.int64) * self.signs

    def squares(self) -> tuple[ExactColumn, ExactColumn, ExactColumn]:
        """Give three columns of the same exponent whose sum is the squares of the numbers."""
        half = np.uint64(BITS)
        high, low = self.sizes >> half, self.sizes & np.uint64(BASE - 1)
        sign, shift = np.abs(self.signs), 2 * self.shifts
        products = ((low * low, 0), (low * high, BITS + 1), (high * high, 2 * BITS))
        first, second, third = (
            ExactColumn(size, sign, shift + more, 2 * self.exponent) for size, more in products
        )
        return first, second, third


def exact_column(values: NDArray[np.float64] | NDArray[np.int64]) -> ExactColumn:
    """Split finite floats, or integers of 64 bits, into whole numbers and a common power of two.

    Raises
    ------
    ValueError
        If there are more numbers than `MAX_NUMBERS`, or a float is not finite.
    """
    if values.size >= MAX_NUMBERS:
        raise ValueError(f"{values.size:,} numbers; expected fewer than {MAX_NUMBERS:,}: split them")
    signs = np.sign(values).astype(np.int64)
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise ValueError("a number is not finite")
        fractions, exponents = np.frexp(np.abs(values))
        sizes = np.ldexp(fractions, MANTISSA).astype(np.uint64)
        powers = exponents.astype(np.int64) - MANTISSA
    else:
        sizes = np.abs(values.astype(np.int64)).view(np.uint64)  # of -2**63 too
        powers = np.zeros(values.size, dtype=np.int64)
    if not sizes.any():
        return ExactColumn(sizes, signs, np.zeros_like(powers), 0)
    # Trailing zeros are given to the powers: columns of whole numbers have one or two digits.
    zeros = bit_lengths(sizes & (~sizes + np.uint64(1))) - 1
    sizes, powers = sizes >> np.maximum(zeros, 0).astype(np.uint64), powers + zeros
    exponent = int(powers[signs != 0].min())
    return ExactColumn(sizes, signs, np.where(signs == 0, 0, powers - exponent), exponent)


def bit_lengths(sizes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return how many bits each number has; 0 for zero."""
    # A float of a number above 2**53 can be rounded up to the next power of two, so the halves are asked.
    high, low = sizes >> np.uint64(BITS), sizes & np.uint64(BASE - 1)
    lengths = [np.frexp(half.astype(np.float64))[1].astype(np.int64) for half in (high, low)]
    return np.where(high > 0, lengths[0] + BITS, lengths[1])


def rounded(
    digits: NDArray[np.int64], exponent: int, divisors: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Divide exact sums by whole numbers, and round each quotient once, to the nearest float and ties to even.

    Parameters
    ----------
    digits
        Int64, shape (digits, numbers): the digits of each sum, the lowest first.
    exponent
        The power of two that the sums are multiples of.
    divisors
        From 1 to 2**31 - 1, one for each sum. None: 1.

    Returns
    -------
    NDArray[np.float64]
        The quotients. A sum of zero gives 0.0, never -0.0. Quotients beyond the range of floats are infinite.
    """
    positive, negative = _normal(digits)
    if divisors is not None:
        # Three more digits below hold at least 64 bits of each quotient that is not zero.
        lower = np.zeros((3, digits.shape[1]), dtype=np.uint64)
        positive, rest = _divided(np.concatenate([lower, positive]), divisors.astype(np.uint64))
        exponent -= 3 * BITS
    else:
        rest = np.zeros(digits.shape[1], dtype=bool)
    sizes = _nearest(positive, exponent, rest)
    return np.where(negative & (sizes != 0), -sizes, sizes)


def as_integers(digits: NDArray[np.int64]) -> NDArray[np.object_]:
    """Give the sums as Python integers, in multiples of their power of two."""
    total = np.zeros(digits.shape[1], dtype=object)
    for digit in digits[::-1]:
        total = (total << BITS) + digit.astype(object)
    return total


def _normal(digits: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Carry: digits from 0 to BASE - 1 of the sizes of the sums, one digit more, and which sums are negative."""
    carried = _carried(digits)
    negative = carried[-1] < 0
    if negative.any():
        carried = _carried(np.where(negative, -carried, carried))
    return carried.astype(np.uint64), negative


def _carried(digits: NDArray[np.int64]) -> NDArray[np.int64]:
    result = np.empty((len(digits) + 1, digits.shape[1]), dtype=np.int64)
    carry = np.zeros(digits.shape[1], dtype=np.int64)
    for position, digit in enumerate(digits):
        total = digit + carry
        result[position] = total & (BASE - 1)
        carry = total >> BITS
    result[-1] = carry
    return result


def _divided(
    digits: NDArray[np.uint64], divisors: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Divide digit by digit, the highest first; also whether anything is left over."""
    quotient = np.empty_like(digits)
    rest = np.zeros(digits.shape[1], dtype=np.uint64)
    for position in range(len(digits) - 1, -1, -1):
        part = (rest << np.uint64(BITS)) | digits[position]
        quotient[position], rest = np.divmod(part, divisors)
    return quotient, rest != 0


def _nearest(digits: NDArray[np.uint64], exponent: int, rest: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Round whole numbers times ``2**exponent`` to floats. `rest`: something below the lowest digit is left over."""
    columns = np.arange(digits.shape[1])
    padded = np.concatenate([np.zeros((3, digits.shape[1]), dtype=np.uint64), digits])
    is_set = padded != 0
    top = np.maximum(len(padded) - 1 - np.argmax(is_set[::-1], axis=0), 3)  # 3: also for a sum of zero
    high, middle, low = (padded[top - down, columns] for down in range(3))
    below = rest | np.logical_or.accumulate(is_set, axis=0)[top - 3, columns]
    # The highest 64 bits, the first of them set.
    free = np.uint64(BITS) - np.frexp(high.astype(np.float64))[1].astype(np.uint64)
    lead = ((high << np.uint64(BITS)) | middle) << free
    lead |= np.where(free > 0, low >> (np.uint64(BITS) - free), np.uint64(0))
    left = (low << free) & np.uint64(BASE - 1)
    below |= left != 0
    power = exponent + BITS * (top - 3 - 1).astype(np.int64) - free.astype(np.int64)
    # Subnormal floats have fewer bits.
    drop = np.maximum(WORD - MANTISSA, MIN_POWER - power)
    dropped = np.clip(drop, 0, WORD)
    none_left = dropped == WORD
    shift = np.where(none_left, 63, dropped).astype(np.uint64)
    kept = np.where(none_left, np.uint64(0), lead >> shift)
    half = np.where(none_left, np.uint64(1) << np.uint64(63), np.uint64(1) << (shift - np.uint64(1)))
    tail = np.where(none_left, lead, lead & ((np.uint64(1) << shift) - np.uint64(1)))
    up = (tail > half) | ((tail == half) & (below | ((kept & np.uint64(1)) == 1)))
    up &= drop <= WORD
    with np.errstate(over="ignore"):
        sizes: NDArray[np.float64] = np.ldexp(
            (kept + up).astype(np.float64), (power + np.minimum(drop, 4000)).astype(np.int32)
        )
    return np.where(high != 0, sizes, 0.0)
