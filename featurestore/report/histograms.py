"""Histograms for plots: the fixed bins of profiles joined to a few bars."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil, floor, log10
from typing import TYPE_CHECKING

from featurestore.quality.profile.column_profile import MONTH, edge
from featurestore.report.formatting import number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from featurestore.quality.profile.column_profile import ColumnProfile

MAX_BARS = 30
MAX_DAY_BARS = 62
_TAIL = 0.005
_FAR = 4
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_INTEGER_STEPS = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True)
class Bar:
    """One bar of a histogram.

    Attributes
    ----------
    label
        The values that the bar covers, such as ``0 to 5``.
    before, now
        Numbers: the share of the values. Days: the count of rows. `before` is None without an
        earlier profile.
    """

    label: str
    before: float | None
    now: float


def number_histogram(
    before: ColumnProfile | None, now: ColumnProfile, limit: int = MAX_BARS
) -> tuple[Bar, ...]:
    """Join the fixed bins of a column to about `limit` bars of equal width.

    The first and the last bar also cover values far out, so that one outlier does not
    flatten the others.
    """
    integers = now.kind != "number" or now.number_type == "integer"
    sides = {"before": before, "now": now}
    spans = {name: _spans(column, integers=integers) for name, column in sides.items() if column is not None}
    if not spans["now"]:
        return ()
    all_spans = sorted(span for of_side in spans.values() for span in of_side)
    low = all_spans[0][0]
    high = max(span[1] for span in all_spans)
    central_low, central_high = _central(all_spans)
    below = above = False
    if central_high > central_low and high - low > _FAR * (central_high - central_low):
        below = low < central_low
        above = high > central_high
        low = max(low, central_low)
        high = min(high, central_high)
    step = _step((high - low) / limit, _INTEGER_STEPS if integers else _STEPS)
    if integers:
        step = max(step, 1.0)
    first = floor(low / step)
    bars = max(1, floor(high / step) - first + 1 if integers else ceil(high / step - 1e-9) - first)
    shares = {name: _shares(of_side, step, first, bars) for name, of_side in spans.items()}
    labels = [_label(first + i, step, integers=integers) for i in range(bars)]
    if below:
        labels[0] = f"below {number((first + 1) * step)}"
    if above:
        labels[-1] = f"{number((first + bars - 1) * step)} and above"
    shares_before = shares.get("before")
    return tuple(
        Bar(label, None if shares_before is None else shares_before[i], shares["now"][i])
        for i, label in enumerate(labels)
    )


def day_histogram(before: ColumnProfile | None, now: ColumnProfile) -> tuple[Bar, ...]:
    """Count rows by day, week, month or year: the shortest period with few enough bars."""
    sides = {"before": before, "now": now}
    days = {name: column.days for name, column in sides.items() if column is not None}
    all_days = sorted({day for of_side in days.values() for day in of_side})
    if not all_days:
        return ()
    period = _period(all_days)
    labels = list(dict.fromkeys(map(period, _calendar(all_days))))
    counts = {name: dict.fromkeys(labels, 0) for name in days}
    for name, of_side in days.items():
        for day, rows in of_side.items():
            counts[name][period(day)] += rows
    counts_before = counts.get("before")
    return tuple(
        Bar(label, counts_before[label] if counts_before else None, counts["now"][label]) for label in labels
    )


def days_without_rows(now: ColumnProfile) -> tuple[int, int]:
    """Count the days from the first to the last, and those of them without rows.

    If the profile counts by month, months take the place of days.
    """
    calendar = _calendar(sorted(now.days)) if now.days else []
    return len(calendar), len(calendar) - len(now.days)


def _spans(column: ColumnProfile, *, integers: bool) -> list[tuple[float, float, int]]:
    """List the ranges of the values: the lower and the upper end, and the count."""
    if column.kind == "number" and column.values.complete:
        return [(value, value, rows) for value, rows in column.distribution()]
    minimum = float(column.min or 0)
    maximum = float(column.max or 0)
    spans = []
    for bin_, rows in column.bins.items():
        low, high = (edge(bin_), edge(bin_ + 1)) if bin_ >= 0 else (edge(bin_ - 1), edge(bin_))
        if integers:
            # From the first to the last whole number in the bin.
            low, high = float(ceil(low)), float(max(ceil(low), ceil(high) - 1))
        spans.append((min(max(low, minimum), maximum), min(max(high, minimum), maximum), rows))
    return spans


def _central(spans: Sequence[tuple[float, float, int]]) -> tuple[float, float]:
    """Return the range of the values without the tails."""
    tail = sum(rows for *_, rows in spans) * _TAIL
    return _beyond(spans, tail)[0], _beyond(spans[::-1], tail)[1]


def _beyond(spans: Iterable[tuple[float, float, int]], rows: float) -> tuple[float, float]:
    """Return the first range that is, at least in part, beyond a number of rows."""
    counted = 0
    for low, high, of_span in spans:
        counted += of_span
        if counted > rows:
            return low, high
    return 0.0, 0.0


def _step(minimum: float, steps: tuple[float, ...]) -> float:
    """Round a width up to a round number."""
    if minimum <= 0:
        return 1.0
    ten = 10.0 ** floor(log10(minimum))
    return next(step * ten for step in (*steps, 20.0) if step * ten >= minimum * (1 - 1e-9))


def _shares(
    spans: Iterable[tuple[float, float, int]], step: float, first: int, bars: int
) -> tuple[float, ...]:
    """Divide the rows of each range among its bars, as if they were spread evenly in it."""
    rows = [0.0] * bars
    for low, high, of_span in spans:
        start = low / step - first
        end = high / step - first
        first_bar, last_bar = (min(max(floor(at + 1e-9), 0), bars - 1) for at in (start, end))
        if first_bar == last_bar:
            rows[first_bar] += of_span
            continue
        for i in range(first_bar, last_bar + 1):
            inside = min(end, i + 1) - max(start, i) if i < last_bar else end - max(start, i)
            rows[i] += of_span * max(inside, 0.0) / (end - start)
    total = sum(rows)
    return tuple(row / total if total else 0.0 for row in rows)


def _label(place: int, step: float, *, integers: bool) -> str:
    if integers and step == 1:
        return number(place)
    return f"{number(place * step)} to {number((place + 1) * step - integers)}"


def _calendar(days: Sequence[str]) -> list[str]:
    """List all days (or months) from the first to the last."""
    if len(days[0]) == len(MONTH):
        first, last = (int(day[:4]) * 12 + int(day[5:]) - 1 for day in (days[0], days[-1]))
        return [f"{month // 12:04d}-{month % 12 + 1:02d}" for month in range(first, last + 1)]
    start = date.fromisoformat(days[0])
    end = date.fromisoformat(days[-1])
    return [(start + timedelta(days=n)).isoformat() for n in range((end - start).days + 1)]


def _period(days: Sequence[str]) -> Callable[[str], str]:
    """Return the function that gives the label of the period of a day."""
    calendar = _calendar(days)
    if len(calendar) <= MAX_DAY_BARS:
        return str
    if len(days[0]) > len(MONTH) and len(calendar) <= 7 * MAX_DAY_BARS:
        start = date.fromisoformat(days[0])

        def week(day: str) -> str:
            elapsed = (date.fromisoformat(day) - start).days
            return f"week of {start + timedelta(days=elapsed - elapsed % 7)}"

        return week
    months = len({day[:7] for day in calendar})
    return lambda day: day[: 7 if months <= MAX_DAY_BARS else 4]
