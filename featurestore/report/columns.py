"""The card of a column on a page: its figures before and now, and a plot with a table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from featurestore.report import svg
from featurestore.report.formatting import NO_VALUE, count, number, share, short
from featurestore.report.histograms import Bar, day_histogram, days_without_rows, number_histogram

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from markupsafe import Markup

    from featurestore.definitions.contract import Column
    from featurestore.quality.profile.column_profile import ColumnProfile, Kind

MAX_VALUES = 10
MAX_GONE = 3
MAX_DESCRIPTION = 240
Text: TypeAlias = "Callable[[ColumnProfile], str]"


@dataclass(frozen=True)
class Figure:
    """One figure of a column before and now.

    Attributes
    ----------
    before
        None: the column is not compared.
    detail
        True: the page shows it only on request.
    """

    name: str
    before: str | None
    now: str
    detail: bool = False

    @property
    def changed(self) -> bool:
        """Whether the figure reads differently than before."""
        return self.before is not None and self.before != self.now


@dataclass(frozen=True)
class Frequency:
    """The frequency of one value, as shares of the values that are present, 0 to 1."""

    value: str
    before: float | None
    now: float
    bar: Markup


@dataclass(frozen=True)
class Plot:
    """A plot with its bars as numbers.

    Attributes
    ----------
    image
        The plot as SVG.
    shares
        True: the bars are shares, False: they are counts of rows by day.
    """

    image: Markup
    bars: tuple[Bar, ...]
    shares: bool

    @property
    def ends(self) -> tuple[str, str]:
        """The labels of the first and of the last bar."""
        return self.bars[0].label, self.bars[-1].label


@dataclass(frozen=True)
class Distribution:
    """How the values of a column are distributed: a plot, or the most frequent values, and a note.

    Attributes
    ----------
    note
        What the plot does not show; None: nothing.
    single_value
        True: all values are equal, and the note names the value.
    """

    plot: Plot | None = None
    values: tuple[Frequency, ...] = ()
    note: str | None = None
    single_value: bool = False


@dataclass(frozen=True)
class ColumnCard:
    """What a page shows about a column."""

    name: str
    dtype: str
    unit: str | None
    description: str | None
    personal: bool
    figures: tuple[Figure, ...]
    distribution: Distribution = Distribution()

    @property
    def plotted(self) -> bool:
        """Whether the card has more than figures."""
        d = self.distribution
        return d.plot is not None or bool(d.values) or d.note is not None

    @property
    def details(self) -> list[Figure]:
        """The figures that the page shows only on request."""
        return [figure for figure in self.figures if figure.detail]


def column_card(
    name: str, column: Column | None, before: ColumnProfile | None, now: ColumnProfile, *, plotted: bool
) -> ColumnCard:
    """Describe a column.

    Of a personal column, only the missing and the distinct values are counted.

    Parameters
    ----------
    column
        The column in its contract; None if the contract does not have it.
    before
        The earlier profile of the column. A profile of another dtype is not compared.
    plotted
        False: figures only.
    """
    if before is not None and before.dtype != now.dtype:
        before = None
    personal = column is not None and column.personal
    distribution = Distribution(note="personal: values are not shown" if personal else None)
    if plotted and not personal:
        distribution = _distribution(name, before, now)
    figures = _COUNTS if personal else (*_COUNTS, *_FIGURES.get(now.kind, ()))
    if now.non_finite and not personal:
        figures = (*figures, _NON_FINITE)
    if distribution.single_value and (before is None or before.min == before.max == now.min):
        figures = _COUNTS  # all other figures are the single value again
    return ColumnCard(
        name=name,
        dtype=re.sub(r"\w+=|'", "", now.dtype),
        unit="µs" if now.number_type == "duration" else column.unit if column else None,
        description=short(column.description, MAX_DESCRIPTION) if column and column.description else None,
        personal=personal,
        figures=tuple(
            Figure(label, None if before is None else text(before), text(now), detail)
            for label, text, detail in figures
        ),
        distribution=distribution,
    )


def quantile(column: ColumnProfile, at: float) -> str:
    """Write a quantile; ``≈`` marks one that is not exact."""
    return f"{'' if column.is_exact(at) else '≈ '}{number(column.quantile(at))}"


_COUNTS: tuple[tuple[str, Text, bool], ...] = (
    ("missing", lambda c: share(c.null_share), False),
    ("distinct", lambda c: f"{'' if c.values.complete else '≈ '}{count(c.values.distinct)}", False),
)
_NON_FINITE: tuple[str, Text, bool] = ("NaN or infinite", lambda c: count(c.non_finite), False)
_LENGTHS: tuple[tuple[str, Text, bool], ...] = (
    ("shortest", lambda c: number(c.min), False),
    ("longest", lambda c: number(c.max), False),
)
_FIGURES: dict[Kind, tuple[tuple[str, Text, bool], ...]] = {
    "number": (
        ("min", lambda c: number(c.min), False),
        ("5th percentile", lambda c: quantile(c, 0.05), True),
        ("median", lambda c: quantile(c, 0.5), False),
        ("mean", lambda c: number(c.mean), False),
        ("95th percentile", lambda c: quantile(c, 0.95), True),
        ("max", lambda c: number(c.max), False),
        ("standard deviation", lambda c: number(c.deviation), True),
        ("zeros", lambda c: share(c.zeros / c.present if c.present else 0.0), True),
    ),
    "timestamp": (
        ("first", lambda c: _minute(c.min), False),
        ("last", lambda c: _minute(c.max), False),
    ),
    "text": _LENGTHS,
    "list": _LENGTHS,
}


def _distribution(name: str, before: ColumnProfile | None, now: ColumnProfile) -> Distribution:
    if now.kind in ("text", "boolean"):
        return _values(before, now)
    if now.kind == "timestamp":
        return _days(name, before, now)
    if now.kind == "list" and not now.bins:
        return Distribution()
    bars = number_histogram(before, now)
    if len(bars) == 1 and now.kind == "number":
        single = now.min == now.max
        return Distribution(note=f"one value: {number(now.min)}" if single else None, single_value=single)
    values = "lengths" if now.kind == "list" else "values"
    return Distribution(_plot(bars, f"distribution of the {values} of {name}", shares=True))


def _values(before: ColumnProfile | None, now: ColumnProfile) -> Distribution:
    values = _frequencies(before, now)
    if now.values.complete and len(now.values.counts) == now.present > MAX_VALUES:
        listing = ", ".join(value.value for value in values[:MAX_GONE])
        return Distribution(note=f"all values differ, such as {listing}")
    note = None if now.values.complete else "estimated from a fair sample of the values"
    return Distribution(values=values, note=note)


def _days(name: str, before: ColumnProfile | None, now: ColumnProfile) -> Distribution:
    bars = day_histogram(before, now)
    days, empty = days_without_rows(now)
    note = f"{count(days)} {now.day_unit}" + (f", {count(empty)} of them without rows" if empty else "")
    plot = _plot(bars, f"rows by day of {name}, {note}", shares=False)
    return Distribution(plot, note=note if bars else None)


def _plot(bars: tuple[Bar, ...], title: str, *, shares: bool) -> Plot | None:
    if not bars:
        return None
    highest = max(bars, key=lambda bar: bar.now)
    peak = f"highest {highest.label} ({share(highest.now) if shares else f'{count(highest.now)} rows'})"
    ends = f"first bar {bars[0].label}, last {bars[-1].label}" if len(bars) > 1 else bars[0].label
    image = svg.histogram(bars, title=f"{title}: {ends}, {peak}", gaps=not shares)
    return Plot(image, bars, shares)


def _frequencies(before: ColumnProfile | None, now: ColumnProfile) -> tuple[Frequency, ...]:
    """Return the most frequent values, and frequent earlier values that no longer occur."""
    counts_before = {} if before is None else {value: rows for _, value, rows in before.values.counts}
    listed: Sequence[tuple[object, int]] = now.values.top(MAX_VALUES)
    current = {value for _, value, _ in now.values.counts}
    if before is not None and now.values.complete:
        gone = [(value, 0) for value, _ in before.values.top(MAX_VALUES) if value not in current]
        listed = [*listed, *gone[:MAX_GONE]]
    shares: list[tuple[str, float | None, float]] = []
    for value, rows in listed:
        share_before = None
        if before is not None and before.present and (value in counts_before or before.values.complete):
            share_before = counts_before.get(value, 0) / before.present  # type: ignore[call-overload]
        text = short(value) if value != "" else "(empty)"
        shares.append((text, share_before, rows / now.present if now.present else 0.0))
    highest = max((max(part, earlier or 0.0) for _, earlier, part in shares), default=0.0) or 1.0
    frequencies = []
    for text, earlier, part in shares:
        title = f"{text}: {share(part)}" + ("" if earlier is None else f", before {share(earlier)}")
        image = svg.bar(part / highest, None if earlier is None else earlier / highest, title=title)
        frequencies.append(Frequency(text, earlier, part, image))
    return tuple(frequencies)


def _minute(text: object) -> str:
    return NO_VALUE if text is None else str(text)[:16].replace("T", " ")
