"""Two profiles of a column counted over the same bins, so that measures of drift can compare them.

Both profiles share their bins, because no profile chooses its own: the bin of a number depends on
the number alone, and a value is identified by its hash. Where a profile kept only the values with
the smallest hashes, the comparison uses the values below the smaller of the two limits. Both sides
kept exactly those values, so their shares compare. (Neither side sees other values: in a column of
many thousand values, one very frequent value may be missed.)
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from typing import TYPE_CHECKING, Any

from featurestore.quality.profile.column_profile import MONTH, ColumnProfile, Value, middle

if TYPE_CHECKING:
    from collections.abc import Mapping

TENTHS = 10
MIN_BINS = 24  # fewer bins hide too much: values within 1/32 of each other share a bin
MIN_EXPECTED = 5  # Cochran's rule: a bin of fewer rows is noise to a chi-square
MISSING = "(missing)"
NON_FINITE = "(not finite)"
RARE = "(rare values)"
_NON_FINITE_VALUES = ("nan", "inf", "-inf")


@dataclass(frozen=True)
class Histogram:
    """The rows of both sides by bin.

    Attributes
    ----------
    names
        The name of each bin.
    before, after
        The number of rows in each bin.
    sizes
        The effective sample size of each side, in rows.
    """

    names: tuple[str, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]
    sizes: tuple[float, float]


@dataclass(frozen=True)
class Points:
    """The rows of both sides by number.

    Attributes
    ----------
    at
        The numbers, ascending.
    before, after
        The number of rows at each of them.
    sizes
        As in `Histogram`.
    """

    at: tuple[float, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]
    sizes: tuple[float, float]


def points_of(before: ColumnProfile, after: ColumnProfile, *, same_hashes: bool) -> Points | None:
    """Count both sides at the same numbers (for lists: lengths); None if a side has no numbers.

    The numbers are the values themselves if both profiles list all of them. Otherwise they are the
    middles of the bins. If there are few bins (such as for times in seconds, or prices of one
    magnitude), they are the values that both profiles kept.

    Parameters
    ----------
    same_hashes
        Whether equal values have equal hashes on both sides.
    """
    values = (_numbers(before), _numbers(after)) if same_hashes else (None, None)
    complete = before.values.complete and after.values.complete
    few_bins = len({*before.bins, *after.bins}) < MIN_BINS
    if values[0] is not None and values[1] is not None and (complete or few_bins):
        limit = _hash_limit(before, after)
        counts = [
            {number: n for number, (hash_, n) in side.items() if limit is None or hash_ < limit}
            for side in (values[0], values[1])
        ]
    else:
        complete = True
        counts = [{middle(bin_): n for bin_, n in side.bins.items()} for side in (before, after)]
    if not all(counts):
        return None
    at = sorted({*counts[0], *counts[1]})
    sizes = (_sample_size(counts[0], complete=complete), _sample_size(counts[1], complete=complete))
    return Points(tuple(at), _counts_at(counts[0], at), _counts_at(counts[1], at), sizes)


def grouped(points: Points, before: ColumnProfile, after: ColumnProfile) -> Histogram:
    """Group points into about ten bins of equal weight in `before`, and two beyond its range."""
    occupied = [i for i, count in enumerate(points.before) if count]
    bins: dict[str, list[float]] = {}
    below = 0.0
    rows = sum(points.before)
    for i, (b, a) in enumerate(zip(points.before, points.after, strict=True)):
        tenth = floor(TENTHS * (below + b / 2) / rows)
        name = "below" if i < occupied[0] else "above" if i > occupied[-1] else str(min(tenth, TENTHS - 1))
        counts = bins.setdefault(name, [0.0, 0.0])
        counts[0] += b
        counts[1] += a
        below += b
    return _with_missing(bins, before, after, points.sizes)


def categories(before: ColumnProfile, after: ColumnProfile, *, same_hashes: bool) -> Histogram | None:
    """Count both sides by value (timestamps: by day).

    None if the values of the two sides cannot be matched, or no value of a side can be compared.

    Values with fewer than five expected rows on the smaller side share one bin.

    Parameters
    ----------
    same_hashes
        Whether equal values have equal hashes on both sides.
    """
    if before.kind == "timestamp":
        counted: list[tuple[str, int, int]] | None = _by_day(before, after)
    else:
        counted = _by_value(before, after, same_hashes=same_hashes)
    if counted is None:
        return None
    totals = (sum(b for _, b, _ in counted), sum(a for _, _, a in counted))
    if any(side.present and not total for side, total in zip((before, after), totals, strict=True)):
        return None  # none of its few values has a hash below the limit of the other side
    bins: dict[str, list[float]] = {}
    for name, b, a in counted:
        share = sum(n / total for n, total in zip((b, a), totals, strict=True) if total) / 2
        counts = bins.setdefault(name if share * min(totals) >= MIN_EXPECTED else RARE, [0.0, 0.0])
        counts[0] += b
        counts[1] += a
    return _with_missing(bins, before, after, totals)


def _numbers(side: ColumnProfile) -> dict[float, tuple[int, int]] | None:
    """Return the hash and the count of each value.

    None if a value is hidden or the column holds no numbers.
    """
    if side.kind != "number":
        return None
    finite = [(value, h, n) for h, value, n in side.values.counts if value not in _NON_FINITE_VALUES]
    if not all(isinstance(value, int | float) for value, _, _ in finite):
        return None
    return {float(value): (h, n) for value, h, n in finite}  # type: ignore[arg-type]


def _hash_limit(before: ColumnProfile, after: ColumnProfile) -> int | None:
    return min((b for b in (before.values.below, after.values.below) if b is not None), default=None)


def _sample_size(counts: Mapping[float, int], *, complete: bool) -> float:
    # In a sample of values, all rows of a value are in it or none (Kish's effective sample size).
    rows = sum(counts.values())
    return rows if complete else rows * rows / sum(n * n for n in counts.values())


def _counts_at(counts: Mapping[Any, int], at: list[Any]) -> tuple[float, ...]:
    return tuple(float(counts.get(x, 0)) for x in at)


def _by_day(before: ColumnProfile, after: ColumnProfile) -> list[tuple[str, int, int]]:
    length = min((len(day) for day in (*before.days, *after.days)), default=len(MONTH))
    sides = [[(day[:length], n) for day, n in side.days.items()] for side in (before, after)]
    return _joined(sides[0], sides[1])


def _by_value(
    before: ColumnProfile, after: ColumnProfile, *, same_hashes: bool
) -> list[tuple[str, int, int]] | None:
    counts = [before.values.counts, after.values.counts]
    if same_hashes:
        limit = _hash_limit(before, after)
        names = {h: _name(h, value) for side in counts for h, value, _ in side}
        hashed = [[(h, n) for h, _, n in side if limit is None or h < limit] for side in counts]
        return [(names[h], b, a) for h, b, a in _joined(hashed[0], hashed[1])]
    shown = [[(repr(value), n) for _, value, n in side if value is not None] for side in counts]
    complete = before.values.complete and after.values.complete
    if not complete or [len(side) for side in shown] != [len(side) for side in counts]:
        return None
    return _joined(shown[0], shown[1])


def _name(hash_: int, value: Value | None) -> str:
    return f"(personal {hash_:016x})" if value is None else repr(value)


def _joined(before: list[tuple[Any, int]], after: list[tuple[Any, int]]) -> list[tuple[Any, int, int]]:
    counts: dict[Any, list[int]] = {}
    for side, pairs in enumerate((before, after)):
        for key, n in pairs:
            counts.setdefault(key, [0, 0])[side] += n
    return [(key, b, a) for key, (b, a) in sorted(counts.items())]


def _with_missing(
    bins: dict[str, list[float]], before: ColumnProfile, after: ColumnProfile, sizes: tuple[float, float]
) -> Histogram:
    """Add bins for missing and non-finite values, in proportion to the counted rows."""
    counted = [sum(counts[side] for counts in bins.values()) for side in (0, 1)]
    for name in (MISSING, NON_FINITE):
        rows = [side.nulls if name == MISSING else side.non_finite for side in (before, after)]
        if any(rows):
            bins[name] = [
                n * (in_bins / side.present if side.present else 1.0)
                for n, in_bins, side in zip(rows, counted, (before, after), strict=True)
            ]
    scaled = [
        size * (side.rows / side.present) if side.present else float(side.rows)
        for size, side in zip(sizes, (before, after), strict=True)
    ]
    occupied = {name: counts for name, counts in bins.items() if any(counts)}
    return Histogram(
        tuple(occupied),
        tuple(b for b, _ in occupied.values()),
        tuple(a for _, a in occupied.values()),
        (scaled[0], scaled[1]),
    )
