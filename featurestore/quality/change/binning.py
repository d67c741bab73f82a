"""Two profiles of a column counted over the same cells: what measures of drift compare.

The edges are shared because no profile chooses its own: a number's bin depends on the number alone, and a value is known by
its hash. Where only the values of the smallest hashes were kept, those below the smaller of the two limits are compared:
both sides then kept exactly the same values, so their shares compare. (A value that is not among them is seen by neither
side: of a column of many thousand values with one very frequent, the frequent one may be missed.)
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from typing import TYPE_CHECKING, Any

from featurestore.quality.profile.column_profile import MONTH, ColumnProfile, Value, middle

if TYPE_CHECKING:
    from collections.abc import Mapping

TENTHS = 10
COARSE = 24  # of fewer bins than these little is seen: values within 1/32 of each other are one
MIN_EXPECTED = 5  # Cochran's rule: fewer rows in a cell are noise to a chi-square
MISSING, ODD, RARE = "(missing)", "(not finite)", "(rare values)"
_ODD_VALUES = ("nan", "inf", "-inf")


@dataclass(frozen=True)
class Histogram:
    """Rows of both sides by cell.

    Attributes
    ----------
    sizes
        How many rows each side's counts are worth, as a sample.
    """

    names: tuple[str, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]
    sizes: tuple[float, float]


@dataclass(frozen=True)
class Points:
    """Numbers of both sides at the same points, ascending; sizes as of `Histogram`."""

    at: tuple[float, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]
    sizes: tuple[float, float]


def points_of(before: ColumnProfile, after: ColumnProfile, *, alike: bool) -> Points | None:
    """Set numbers (of lists: lengths) beside each other; None: one side has none.

    The values themselves where both sides list all; else the middles of the bins; where the bins are few (moments in
    seconds, prices of one magnitude), the values that both sides kept.

    Parameters
    ----------
    alike
        Whether both sides' hashes are those of the same values.
    """
    one, other = (_numbers(before), _numbers(after)) if alike else (None, None)
    whole = before.values.complete and after.values.complete
    few = len({*before.bins, *after.bins}) < COARSE
    if one is not None and other is not None and (whole or few):
        limit = _limit(before, after)
        found = [{x: n for x, (h, n) in side.items() if limit is None or h < limit} for side in (one, other)]
    else:
        whole = True
        found = [{middle(bin_): n for bin_, n in side.bins.items()} for side in (before, after)]
    if not all(found):
        return None
    at = sorted({*found[0], *found[1]})
    sizes = (_worth(found[0], whole=whole), _worth(found[1], whole=whole))
    return Points(tuple(at), _counts(found[0], at), _counts(found[1], at), sizes)


def grouped(points: Points, before: ColumnProfile, after: ColumnProfile) -> Histogram:
    """Put neighbouring points together into about ten cells of equal weight of `before`, and two beyond its extremes."""
    there = [i for i, count in enumerate(points.before) if count]
    cells: dict[str, list[float]] = {}
    below, whole = 0.0, sum(points.before)
    for i, (b, a) in enumerate(zip(points.before, points.after, strict=True)):
        tenth = floor(TENTHS * (below + b / 2) / whole)
        name = "below" if i < there[0] else "above" if i > there[-1] else str(min(tenth, TENTHS - 1))
        cell = cells.setdefault(name, [0.0, 0.0])
        cell[0] += b
        cell[1] += a
        below += b
    return _with_missing(cells, before, after, points.sizes)


def categories(before: ColumnProfile, after: ColumnProfile, *, alike: bool) -> Histogram | None:
    """Set values beside each other (of moments: days); None: the two sides' values cannot be told alike.

    Values of which fewer than five rows are expected on the smaller side are one cell.
    """
    found = _by_day(before, after) if before.kind == "moment" else _by_value(before, after, alike=alike)
    if found is None:
        return None
    totals = (sum(b for _, b, _ in found), sum(a for _, _, a in found))
    cells: dict[str, list[float]] = {}
    for name, b, a in found:
        share = sum(n / total for n, total in zip((b, a), totals, strict=True) if total) / 2
        cell = cells.setdefault(name if share * min(totals) >= MIN_EXPECTED else RARE, [0.0, 0.0])
        cell[0] += b
        cell[1] += a
    return _with_missing(cells, before, after, totals)


def _numbers(side: ColumnProfile) -> dict[float, tuple[int, int]] | None:
    """Return values with hash and count; None if they are not all told as numbers."""
    if side.kind != "number":
        return None
    told = [(value, h, n) for h, value, n in side.values.counts if value not in _ODD_VALUES]
    if not all(isinstance(value, int | float) for value, _, _ in told):
        return None
    return {float(value): (h, n) for value, h, n in told}  # type: ignore[arg-type]


def _limit(before: ColumnProfile, after: ColumnProfile) -> int | None:
    return min((b for b in (before.values.below, after.values.below) if b is not None), default=None)


def _worth(counts: Mapping[float, int], *, whole: bool) -> float:
    # Of sampled values the rows of one value come or stay away together (Kish's effective size).
    rows = sum(counts.values())
    return rows if whole else rows * rows / sum(n * n for n in counts.values())


def _counts(found: Mapping[Any, int], at: list[Any]) -> tuple[float, ...]:
    return tuple(float(found.get(x, 0)) for x in at)


def _by_day(before: ColumnProfile, after: ColumnProfile) -> list[tuple[str, int, int]]:
    one, other = before.days, after.days
    length = min((len(day) for day in (*one, *other)), default=len(MONTH))
    return _joined([(d[:length], n) for d, n in one.items()], [(d[:length], n) for d, n in other.items()])


def _by_value(
    before: ColumnProfile, after: ColumnProfile, *, alike: bool
) -> list[tuple[str, int, int]] | None:
    sides = [before.values.counts, after.values.counts]
    if alike:
        limit = _limit(before, after)
        known = {h: _name(h, value) for counts in sides for h, value, _ in counts}
        one, other = ([(h, n) for h, _, n in counts if limit is None or h < limit] for counts in sides)
        return [(known[h], b, a) for h, b, a in _joined(one, other)]
    told = [[(repr(value), n) for _, value, n in counts if value is not None] for counts in sides]
    whole = before.values.complete and after.values.complete
    if not whole or [len(counts) for counts in told] != [len(counts) for counts in sides]:
        return None
    return _joined(told[0], told[1])


def _name(hash_: int, value: Value | None) -> str:
    return f"(personal {hash_:016x})" if value is None else repr(value)


def _joined(one: list[tuple[Any, int]], other: list[tuple[Any, int]]) -> list[tuple[Any, int, int]]:
    together: dict[Any, list[int]] = {}
    for side, counts in enumerate((one, other)):
        for key, n in counts:
            together.setdefault(key, [0, 0])[side] += n
    return [(key, b, a) for key, (b, a) in sorted(together.items())]


def _with_missing(
    cells: dict[str, list[float]], before: ColumnProfile, after: ColumnProfile, sizes: tuple[float, float]
) -> Histogram:
    """Add the rows without a value, as many as belong to the rows that are counted."""
    counted = [sum(cell[side] for cell in cells.values()) for side in (0, 1)]
    for name in (MISSING, ODD):
        rest = [side.nulls if name == MISSING else side.odd for side in (before, after)]
        if any(rest):
            cells[name] = [
                n * (here / side.present if side.present else 1.0)
                for n, here, side in zip(rest, counted, (before, after), strict=True)
            ]
    worth = [
        size * (side.rows / side.present) if side.present else float(side.rows)
        for size, side in zip(sizes, (before, after), strict=True)
    ]
    kept = {name: cell for name, cell in cells.items() if any(cell)}
    return Histogram(
        tuple(kept),
        tuple(b for b, _ in kept.values()),
        tuple(a for _, a in kept.values()),
        (worth[0], worth[1]),
    )
