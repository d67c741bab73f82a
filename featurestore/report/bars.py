"""The few bars of a plot, from the many fixed bins of a profile: the same bars for then and now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil, floor, log10
from typing import TYPE_CHECKING

from featurestore.quality.profile.column_profile import MONTH, edge
from featurestore.report.words import number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from featurestore.quality.profile.column_profile import ColumnProfile

MAX_BARS = 30
MAX_DAY_BARS = 62
_TAIL = 0.005
_FAR = 4
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_WHOLE_STEPS = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True)
class Bar:
    """What lies between two bounds: of numbers a share, of days a count of rows. Without a profile before, none then."""

    label: str
    then: float | None
    now: float


def number_bars(then: ColumnProfile | None, now: ColumnProfile, most: int = MAX_BARS) -> tuple[Bar, ...]:
    """Join the fixed bins (of text and lists: of their lengths) to at most about `most` of one width.

    What lies far out is gathered in the first and the last bar, so that a single outlier does not flatten the others.
    """
    whole = now.kind != "number" or "Int" in now.dtype
    spans = {name: _spans(column, whole=whole) for name, column in (("then", then), ("now", now)) if column}
    if not spans["now"]:
        return ()
    together = sorted(span for each in spans.values() for span in each)
    low, high = together[0][0], max(span[1] for span in together)
    least, greatest = _central(together)
    below, above = greatest > least and high - low > _FAR * (greatest - least), False
    if below:
        below, above, low, high = low < least, high > greatest, max(low, least), min(high, greatest)
    step = _step((high - low) / most, _WHOLE_STEPS if whole else _STEPS)
    if whole:
        step = max(step, 1.0)
    first = floor(low / step)
    bars = max(1, floor(high / step) - first + 1 if whole else ceil(high / step - 1e-9) - first)
    shares = {name: _joined(each, step, first, bars) for name, each in spans.items()}
    labels = [_label(first + i, step, whole=whole) for i in range(bars)]
    if below:
        labels[0] = f"below {number((first + 1) * step)}"
    if above:
        labels[-1] = f"{number((first + bars - 1) * step)} and above"
    before = shares.get("then")
    return tuple(
        Bar(label, None if before is None else before[i], shares["now"][i]) for i, label in enumerate(labels)
    )


def day_bars(then: ColumnProfile | None, now: ColumnProfile) -> tuple[Bar, ...]:
    """Count rows by day, week, month or year, whichever gives a bar for each of not too many."""
    days = {name: column.days for name, column in (("then", then), ("now", now)) if column}
    every = sorted({day for each in days.values() for day in each})
    if not every:
        return ()
    period = _period(every)
    names = list(dict.fromkeys(map(period, _calendar(every))))
    counts = {name: dict.fromkeys(names, 0) for name in days}
    for name, each in days.items():
        for day, rows in each.items():
            counts[name][period(day)] += rows
    before = counts.get("then")
    return tuple(Bar(name, before[name] if before else None, counts["now"][name]) for name in names)


def days_without_rows(now: ColumnProfile) -> tuple[int, int]:
    """Count the days (months, where they are told by month) from the first to the last, and those without rows."""
    calendar = _calendar(sorted(now.days)) if now.days else []
    return len(calendar), len(calendar) - len(now.days)


def _spans(column: ColumnProfile, *, whole: bool) -> list[tuple[float, float, int]]:
    """List where the values lie: from, to, how many."""
    if column.kind == "number" and column.values.complete:
        return [(value, value, rows) for value, rows in column.distribution()]
    least, most = float(column.least or 0), float(column.most or 0)
    spans = []
    for bin_, rows in column.bins.items():
        low, high = (edge(bin_), edge(bin_ + 1)) if bin_ >= 0 else (edge(bin_ - 1), edge(bin_))
        if whole:
            # Of whole numbers, those from the first to the last that lie in the bin.
            low, high = float(ceil(low)), float(max(ceil(low), ceil(high) - 1))
        spans.append((min(max(low, least), most), min(max(high, least), most), rows))
    return spans


def _central(spans: Sequence[tuple[float, float, int]]) -> tuple[float, float]:
    """Find the bounds between which all but the tails lie."""
    wanted = sum(rows for *_, rows in spans) * _TAIL
    return _after(spans, wanted)[0], _after(spans[::-1], wanted)[1]


def _after(spans: Iterable[tuple[float, float, int]], rows: float) -> tuple[float, float]:
    seen = 0
    for low, high, here in spans:
        seen += here
        if seen > rows:
            return low, high
    return 0.0, 0.0


def _step(least: float, steps: tuple[float, ...]) -> float:
    """Round a width up to one that people count in."""
    if least <= 0:
        return 1.0
    ten = 10.0 ** floor(log10(least))
    return next(step * ten for step in (*steps, 20.0) if step * ten >= least * (1 - 1e-9))


def _joined(
    spans: Iterable[tuple[float, float, int]], step: float, first: int, bars: int
) -> tuple[float, ...]:
    """Share out the rows of each span over the bars that it touches, as if they lay evenly in it."""
    rows = [0.0] * bars
    for low, high, here in spans:
        start, end = low / step - first, high / step - first
        one, last = (min(max(floor(at + 1e-9), 0), bars - 1) for at in (start, end))
        if one == last:
            rows[one] += here
            continue
        for i in range(one, last + 1):
            inside = min(end, i + 1) - max(start, i) if i < last else end - max(start, i)
            rows[i] += here * max(inside, 0.0) / (end - start)
    total = sum(rows)
    return tuple(row / total if total else 0.0 for row in rows)


def _label(place: int, step: float, *, whole: bool) -> str:
    if whole and step == 1:
        return number(place)
    return f"{number(place * step)} to {number((place + 1) * step - whole)}"


def _calendar(days: Sequence[str]) -> list[str]:
    """List all days (or months) from the first to the last."""
    if len(days[0]) == len(MONTH):
        (first, last) = (int(day[:4]) * 12 + int(day[5:]) - 1 for day in (days[0], days[-1]))
        return [f"{month // 12:04d}-{month % 12 + 1:02d}" for month in range(first, last + 1)]
    start, end = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
    return [(start + timedelta(days=n)).isoformat() for n in range((end - start).days + 1)]


def _period(days: Sequence[str]) -> Callable[[str], str]:
    """Choose the period by which days are counted."""
    calendar = _calendar(days)
    if len(calendar) <= MAX_DAY_BARS:
        return str
    if len(days[0]) > len(MONTH) and len(calendar) <= 7 * MAX_DAY_BARS:
        start = date.fromisoformat(days[0])

        def week(day: str) -> str:
            since = (date.fromisoformat(day) - start).days
            return f"week of {start + timedelta(days=since - since % 7)}"

        return week
    months = len({day[:7] for day in calendar})
    return lambda day: day[: 7 if months <= MAX_DAY_BARS else 4]
