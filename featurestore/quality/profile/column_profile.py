"""What is known of a column's values: exactly mergeable, so that parts and their whole are told alike.

Sums are not rounded (`featurestore.quality.profile.exact_sum`). Numbers are counted in fixed bins: the upper bits of a 64-bit float are
its sign, its power of two and one of 32 steps in between, so a bin is no wider than 1/32 of its values, the same for all
data and all times. Of the distinct values those with the smallest hashes are kept, each with its exact count (a bottom-k
sketch: Bar-Yossef et al., 2002; Cohen and Kaplan, 2007): all of them while there are few; of many, a fair sample that also
tells how many there are.
"""

from __future__ import annotations

import struct
from itertools import accumulate
from math import sqrt
from typing import TYPE_CHECKING, Any

import msgspec

from featurestore.quality.profile.exact_sum import ExactSum

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_VALUES = 1024
MAX_DAYS = 4_000
MONTH = "2013-07"
STEPS = 47  # bits below a bin: 5 of the fraction's 52 remain, 32 steps for each power of two
_SIGN = 1 << (63 - STEPS)
_HASHES = 2.0**64

Value = int | float | str | bool


class Values(msgspec.Struct, frozen=True):
    """Distinct values, each with how often it occurs.

    Attributes
    ----------
    counts
        ``(hash, value, count)``, by hash. A personal value is kept as None.
    below
        Only values of a smaller hash are listed; None: all are.
    """

    counts: tuple[tuple[int, Value | None, int], ...] = ()
    below: int | None = None

    @property
    def complete(self) -> bool:
        """Whether all values are listed."""
        return self.below is None

    @property
    def distinct(self) -> float:
        """How many values there are: exactly if all are listed, else estimated, to about 3 %."""
        return len(self.counts) if self.below is None else (len(self.counts) - 1) * _HASHES / self.below

    def top(self, most: int) -> list[tuple[Value | None, int]]:
        """List the most frequent values (of those that are listed), then by value."""
        ranked = sorted(self.counts, key=lambda told: (-told[2], str(told[1])))
        return [(value, count) for _, value, count in ranked[:most]]

    def __add__(self, other: Values) -> Values:
        below = min((b for b in (self.below, other.below) if b is not None), default=None)
        together: dict[int, tuple[Value | None, int]] = {}
        for hash_, value, count in (*self.counts, *other.counts):
            if below is None or hash_ < below:
                together[hash_] = (value, together.get(hash_, (None, 0))[1] + count)
        return Values.kept(((h, v, c) for h, (v, c) in together.items()), below)

    @classmethod
    def kept(cls, counts: Iterable[tuple[int, Value | None, int]], below: int | None) -> Values:
        """Keep the values of the smallest hashes."""
        ordered = sorted(counts, key=lambda told: told[0])
        if len(ordered) > MAX_VALUES:
            below, ordered = ordered[MAX_VALUES][0], ordered[:MAX_VALUES]
        return cls(tuple(ordered), below)


class ColumnProfile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a column. ``a + b`` is what is known of the rows of both.

    Attributes
    ----------
    rows, nulls, zeros, odd
        Counts: all rows; missing; zero; floats that are NaN or infinite.
    least, most
        Of numbers, as they are; of moments and dates, ISO 8601; of text and lists, their lengths.
    total, squares
        Sums of the numbers and of their squares (of moments: none).
    bins
        How many numbers (of text and lists: lengths) lie in each bin.
    days
        How many moments lie on each day (``2013-07-04``) in UTC; of more than 4,000 days, in each month (``2013-07``).
    values
        Distinct values.
    """

    dtype: str
    kind: str
    rows: int = 0
    nulls: int = 0
    zeros: int = 0
    odd: int = 0
    least: Value | None = None
    most: Value | None = None
    total: ExactSum = ExactSum()
    squares: ExactSum = ExactSum()
    bins: dict[int, int] = {}
    days: dict[str, int] = {}
    values: Values = Values()

    @property
    def present(self) -> int:
        """Values that are there, and finite."""
        return self.rows - self.nulls - self.odd

    @property
    def null_share(self) -> float:
        """Share of the rows in which it is missing."""
        return self.nulls / self.rows if self.rows else 0.0

    @property
    def mean(self) -> float | None:
        """The mean of the numbers, rounded once."""
        return self.total.over(self.present) if self.present and self.kind == "number" else None

    @property
    def deviation(self) -> float | None:
        """The standard deviation of the numbers, of a whole population."""
        if self.mean is None:
            return None
        total, n = self.total, self.present
        square = ExactSum.of(int(total.digits) ** 2, 2 * total.exponent).over(n * n)
        return sqrt(max(self.squares.over(n) - square, 0.0))

    def quantile(self, share: float) -> float | None:
        """Estimate the number below which a share of them lies: exactly if all values are listed, else to 1/64."""
        ordered = self.distribution()
        if not ordered:
            return None
        wanted = share * sum(count for _, count in ordered)
        below = accumulate(count for _, count in ordered)
        return next(
            (x for (x, _), sum_ in zip(ordered, below, strict=True) if sum_ >= wanted), ordered[-1][0]
        )

    def distribution(self) -> list[tuple[float, int]]:
        """List numbers with their counts, ascending: the values if all are listed, else the middles of the bins."""
        if self.kind != "number":
            return []
        listed = [(value, count) for _, value, count in self.values.counts if isinstance(value, int | float)]
        if self.values.complete and sum(count for _, count in listed) == self.present:
            return sorted((float(value), count) for value, count in listed)
        return [(self._inside(middle(b)), self.bins[b]) for b in sorted(self.bins)]

    def __add__(self, other: ColumnProfile) -> ColumnProfile:
        if (self.dtype, self.kind) != (other.dtype, other.kind):
            raise ValueError(f"{self.dtype} and {other.dtype} are not told alike")
        return ColumnProfile(
            dtype=self.dtype,
            kind=self.kind,
            rows=self.rows + other.rows,
            nulls=self.nulls + other.nulls,
            zeros=self.zeros + other.zeros,
            odd=self.odd + other.odd,
            least=_first(min, self.least, other.least),
            most=_first(max, self.most, other.most),
            total=self.total + other.total,
            squares=self.squares + other.squares,
            bins=_added(self.bins, other.bins),
            days=coarse(_days_added(self.days, other.days)),
            values=self.values + other.values,
        )

    def _inside(self, number: float) -> float:
        low, high = (x if isinstance(x, int | float) else number for x in (self.least, self.most))
        return float(min(max(number, low), high))


def signed(bin_: int) -> int:
    """Give a bin a number, so that bins of larger numbers have larger numbers."""
    return bin_ if bin_ < _SIGN else _SIGN - 1 - bin_


def edge(bin_: int) -> float:
    """Return the number of smallest magnitude in a bin."""
    word = bin_ if bin_ >= 0 else _SIGN - 1 - bin_
    return float(struct.unpack("<d", struct.pack("<Q", word << STEPS))[0])


def middle(bin_: int) -> float:
    """Return the number in the middle of a bin."""
    word = bin_ if bin_ >= 0 else _SIGN - 1 - bin_
    if word % _SIGN == 0:
        return 0.0
    return float(struct.unpack("<d", struct.pack("<Q", (word << STEPS) + (1 << STEPS - 1)))[0])


def coarse(days: dict[str, int]) -> dict[str, int]:
    """Count by month what are too many days."""
    return days if len(days) <= MAX_DAYS else _by_month(days)


def _by_month(days: dict[str, int]) -> dict[str, int]:
    return _added(*({day[: len(MONTH)]: count} for day, count in days.items()))


def _days_added(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    # Both by day, or both by month.
    if any(len(day) == len(MONTH) for days in (one, other) for day in days):
        return _added(_by_month(one), _by_month(other))
    return _added(one, other)


def _added(*tables: dict[Any, int]) -> dict[Any, int]:
    together: dict[Any, int] = {}
    for table in tables:
        for key, count in table.items():
            together[key] = together.get(key, 0) + count
    return {key: together[key] for key in sorted(together)}


def _first(choose: Any, one: Any, other: Any) -> Any:
    return choose((x for x in (one, other) if x is not None), default=None)
