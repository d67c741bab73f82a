"""The profile of a column.

Profiles add up exactly: the sum of the profiles of two parts is the profile of both.

Sums are not rounded (`featurestore.quality.profile.partial_sum`). Numbers are counted in fixed bins.
The upper bits of a 64-bit float are its sign, its power of two and one of 32 steps in between, so
the width of a bin is at most 1/32 of its values, and the bins are the same for all data. Of the distinct
values, the profile keeps those with the smallest hashes, each with its exact count (a bottom-k
sketch: Bar-Yossef et al., 2002; Cohen and Kaplan, 2007). If there are few values it keeps all of
them; if there are many it keeps a fair sample, from which it also estimates their number.
"""

from __future__ import annotations

import struct
from itertools import accumulate
from math import ceil, floor, sqrt
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec

from featurestore.quality.profile.partial_sum import ExactSum

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_VALUES = 1024
MAX_DAYS = 4_000
MONTH = "2013-07"
# Bits below a bin. Of the 52 bits of the fraction 5 remain, which are 32 steps for each power of two.
STEPS = 47
_SIGN = 1 << (63 - STEPS)
_HASHES = 2.0**64

K = TypeVar("K", int, float)
Value = int | float | str | bool
Kind = Literal["number", "timestamp", "boolean", "text", "list", "other"]
NumberType = Literal["integer", "float", "decimal", "duration"]
MAX_BITS = 1000  # the largest float has 1,024
HUGE_BITS = 600
WHOLE = ("integer", "duration")


class Values(msgspec.Struct, frozen=True):
    """The distinct values of a column with their counts.

    Attributes
    ----------
    counts
        ``(hash, value, count)``, ordered by hash. Personal values are replaced by None.
    below
        Only values with a smaller hash are listed; None: all values are listed.
    """

    counts: tuple[tuple[int, Value | None, int], ...] = ()
    below: int | None = None

    @property
    def complete(self) -> bool:
        """Whether all values are listed."""
        return self.below is None

    @property
    def distinct(self) -> float:
        """The number of distinct values: exact if all are listed, else within about 3%."""
        return len(self.counts) if self.below is None else (len(self.counts) - 1) * _HASHES / self.below

    def top(self, limit: int) -> list[tuple[Value | None, int]]:
        """Return the most frequent of the listed values with their counts.

        Equal counts are ordered by value.
        """
        ranked = sorted(self.counts, key=lambda entry: (-entry[2], str(entry[1])))
        return [(value, count) for _, value, count in ranked[:limit]]

    def __add__(self, other: Values) -> Values:
        below = min((b for b in (self.below, other.below) if b is not None), default=None)
        counts: dict[int, tuple[Value | None, int]] = {}
        for hash_, value, count in (*self.counts, *other.counts):
            if below is None or hash_ < below:
                counts[hash_] = (value, counts.get(hash_, (None, 0))[1] + count)
        return Values.smallest(((h, v, c) for h, (v, c) in counts.items()), below)

    @classmethod
    def smallest(cls, counts: Iterable[tuple[int, Value | None, int]], below: int | None) -> Values:
        """Keep the values with the smallest hashes."""
        ordered = sorted(counts, key=lambda entry: entry[0])
        if len(ordered) > MAX_VALUES:
            below = ordered[MAX_VALUES][0]
            ordered = ordered[:MAX_VALUES]
        return cls(tuple(ordered), below)


class ColumnProfile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The profile of a column. ``a + b`` is the profile of the rows of both.

    Attributes
    ----------
    dtype
        The Polars dtype, as Polars prints it.
    number_type
        The type of the numbers; None for other kinds of columns. Durations are profiled as
        microseconds.
    rows, nulls, zeros, non_finite
        The numbers of all rows, of nulls, of zeros (of booleans: false), and of floats that are NaN
        or infinite.
    min, max
        Numbers: as they are. Timestamps and dates: in ISO 8601. Text and lists: the lengths. None:
        there are no values, or they are personal.
    total, squares
        The sums of the numbers and of their squares.
    bins
        The count of numbers (of text and lists: of lengths) in each bin.
    days
        The count of timestamps on each day in UTC (``2013-07-04``); with more than 4,000 days, in
        each month (``2013-07``).
    values
        The distinct values.
    """

    dtype: str
    kind: Kind
    number_type: NumberType | None = None
    rows: int = 0
    nulls: int = 0
    zeros: int = 0
    non_finite: int = 0
    min: Value | None = None
    max: Value | None = None
    total: ExactSum = ExactSum()
    squares: ExactSum = ExactSum()
    bins: dict[int, int] = {}
    days: dict[str, int] = {}
    values: Values = Values()

    @property
    def present(self) -> int:
        """The number of values that are neither missing nor NaN or infinite."""
        return self.rows - self.nulls - self.non_finite

    @property
    def null_share(self) -> float:
        """The share of missing values."""
        return self.nulls / self.rows if self.rows else 0.0

    @property
    def day_unit(self) -> str:
        """The unit in which `days` counts: ``days`` or ``months``."""
        return "months" if any(len(day) == len(MONTH) for day in self.days) else "days"

    @property
    def mean(self) -> float | None:
        """The mean of the numbers, rounded once; None if there are none."""
        return self.total.over(self.present) if self.present and self.kind == "number" else None

    @property
    def deviation(self) -> float | None:
        """The population standard deviation of the numbers; None if there are none."""
        if self.mean is None:
            return None
        n = self.present
        # The square of a float above 1e150 is above the largest float: it is computed in a smaller unit.
        is_huge = int(self.squares.digits).bit_length() + self.squares.exponent > MAX_BITS
        unit = HUGE_BITS if is_huge else 0
        squares = ExactSum.of(int(self.squares.digits), self.squares.exponent - 2 * unit)
        square = ExactSum.of(int(self.total.digits) ** 2, 2 * (self.total.exponent - unit))
        return sqrt(max(squares.over(n) - square.over(n * n), 0.0)) * 2.0**unit

    def quantile(self, share: float) -> float | None:
        """Return a quantile; `is_exact` says whether it is exact. Otherwise it is within 1/64 of it."""
        at = self._quantile(share)
        return None if at is None else at[0]

    def is_exact(self, share: float) -> bool:
        """Return whether a quantile is exact.

        It is, if all values are listed, or if the values of its bin can be only one: zero, or a whole number where
        numbers are whole.
        """
        at = self._quantile(share)
        return at is None or at[1]

    def _quantile(self, share: float) -> tuple[float, bool] | None:
        if self.kind != "number":
            return None
        listed = self._listed()
        if listed is not None:
            value = _reached(listed, share)
            return None if value is None else (value, True)
        bin_ = _reached(sorted(self.bins.items()), share)
        return None if bin_ is None else self._point(bin_)

    def distribution(self) -> list[tuple[float, int]]:
        """Return numbers and counts, ascending: all values, or the middles of the bins."""
        if self.kind != "number":
            return []
        listed = self._listed()
        if listed is not None:
            return listed
        return [(self._point(bin_)[0], count) for bin_, count in sorted(self.bins.items())]

    def _listed(self) -> list[tuple[float, int]] | None:
        """Return the numbers with their counts, ascending; None if not all are listed."""
        if not self.values.complete:
            return None
        listed = [
            (float(value), count) for _, value, count in self.values.counts if isinstance(value, int | float)
        ]
        return sorted(listed) if sum(count for _, count in listed) == self.present else None

    def _point(self, bin_: int) -> tuple[float, bool]:
        """Return the number that stands for the values of a bin, and whether it is exact."""
        low, high = sorted((edge(bin_), middle(bin_) * 2 - edge(bin_)))
        # Personal numbers have no extremes, and no value of theirs is shown.
        if self.number_type in WHOLE and self.min is not None:
            integer = ceil(low) if low >= 0 else floor(high)
            if high - low <= 1:
                return float(integer), True
            return float(round(self._inside(middle(bin_)))), self.min == self.max
        is_zero = middle(bin_) == 0 and self.bins[bin_] == self.zeros
        return self._inside(middle(bin_)), is_zero or self.min == self.max

    def __add__(self, other: ColumnProfile) -> ColumnProfile:
        if (self.dtype, self.kind) != (other.dtype, other.kind):
            raise ValueError(f"profiles of {self.dtype} and {other.dtype} do not add up")
        return ColumnProfile(
            dtype=self.dtype,
            kind=self.kind,
            number_type=self.number_type,
            rows=self.rows + other.rows,
            nulls=self.nulls + other.nulls,
            zeros=self.zeros + other.zeros,
            non_finite=self.non_finite + other.non_finite,
            min=_extreme(min, self.min, other.min),
            max=_extreme(max, self.max, other.max),
            total=self.total + other.total,
            squares=self.squares + other.squares,
            bins=_added(self.bins, other.bins),
            days=coarse(_days_added(self.days, other.days)),
            values=self.values + other.values,
        )

    def _inside(self, number: float) -> float:
        low, high = (x if isinstance(x, int | float) else number for x in (self.min, self.max))
        return float(min(max(number, low), high))


def _reached(counts: list[tuple[K, int]], share: float) -> K | None:
    """Return the first entry at which a share of the sum of all counts is reached; None if there are no entries."""
    wanted = share * sum(count for _, count in counts)
    sums = accumulate(count for _, count in counts)
    reached = (entry for (entry, _), sum_ in zip(counts, sums, strict=True) if sum_ >= wanted)
    return next(reached, counts[-1][0] if counts else None)


def signed(bin_: int) -> int:
    """Return the number of a bin; bins of larger numbers have larger numbers."""
    return bin_ if bin_ < _SIGN else _SIGN - 1 - bin_


def edge(bin_: int) -> float:
    """Return the number with the smallest magnitude in a bin."""
    word = bin_ if bin_ >= 0 else _SIGN - 1 - bin_
    return float(struct.unpack("<d", struct.pack("<Q", word << STEPS))[0])


def middle(bin_: int) -> float:
    """Return the number in the middle of a bin."""
    word = bin_ if bin_ >= 0 else _SIGN - 1 - bin_
    if word % _SIGN == 0:
        return 0.0
    return float(struct.unpack("<d", struct.pack("<Q", (word << STEPS) + (1 << STEPS - 1)))[0])


def coarse(days: dict[str, int]) -> dict[str, int]:
    """Count by month instead of by day if there are too many days."""
    return days if len(days) <= MAX_DAYS else _by_month(days)


def _by_month(days: dict[str, int]) -> dict[str, int]:
    return _added(*({day[: len(MONTH)]: count} for day, count in days.items()))


def _days_added(left: dict[str, int], right: dict[str, int]) -> dict[str, int]:
    # Both by day, or both by month.
    if any(len(day) == len(MONTH) for days in (left, right) for day in days):
        return _added(_by_month(left), _by_month(right))
    return _added(left, right)


def _added(*tables: dict[Any, int]) -> dict[Any, int]:
    sums: dict[Any, int] = {}
    for table in tables:
        for key, count in table.items():
            sums[key] = sums.get(key, 0) + count
    return {key: sums[key] for key in sorted(sums)}


def _extreme(choose: Any, left: Any, right: Any) -> Any:
    return choose((x for x in (left, right) if x is not None), default=None)
