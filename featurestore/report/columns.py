"""What is told of a column: its figures then and now, and a plot with the table behind it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from featurestore.report import svg
from featurestore.report.bars import Bar, day_bars, days_without_rows, number_bars
from featurestore.report.words import NOTHING, count, number, share, short

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from markupsafe import Markup

    from featurestore.definitions.contract import Column
    from featurestore.quality.profile.column_profile import ColumnProfile

MAX_VALUES = 10
MAX_GONE = 3
ONE = "one value"
FURTHER = ("5 % below", "95 % below", "deviation", "zero")
Tell: TypeAlias = "Callable[[ColumnProfile], str]"


@dataclass(frozen=True)
class Figure:
    """One figure, then and now; one of those that are told only to who asks for more, or not."""

    name: str
    then: str | None
    now: str
    more: bool = False

    @property
    def moved(self) -> bool:
        """Whether it reads otherwise than before."""
        return self.then is not None and self.then != self.now


@dataclass(frozen=True)
class Frequency:
    """How frequent one value is, as shares of the values that are there."""

    value: str
    then: float | None
    now: float
    bar: Markup


@dataclass(frozen=True)
class Plot:
    """A plot, what stands at its ends, and the bars as numbers for the table behind it."""

    drawn: Markup
    bars: tuple[Bar, ...]
    shares: bool

    @property
    def ends(self) -> tuple[str, str]:
        """What the first and the last bar stand for."""
        return self.bars[0].label, self.bars[-1].label


@dataclass(frozen=True)
class Story:
    """What is told of a column.

    Attributes
    ----------
    note
        What a plot would not tell.
    """

    name: str
    dtype: str
    unit: str | None
    description: str | None
    personal: bool
    figures: tuple[Figure, ...]
    plot: Plot | None = None
    values: tuple[Frequency, ...] = ()
    note: str | None = None

    @property
    def more(self) -> list[Figure]:
        """The further figures."""
        return [figure for figure in self.figures if figure.more]


def story(
    name: str, column: Column | None, then: ColumnProfile | None, now: ColumnProfile, *, plotted: bool
) -> Story:
    """Tell of a column; of a personal one, how much is missing and how many values differ, and no value.

    Parameters
    ----------
    column
        What its contract says; None: nothing.
    then
        Its profile before; None, or of another dtype: it is not compared.
    plotted
        False: figures only.
    """
    if then is not None and then.dtype != now.dtype:
        then = None
    personal = column is not None and column.personal
    plot: Plot | None = None
    values: tuple[Frequency, ...] = ()
    note = "personal: no value is shown" if personal else None
    if plotted and not personal:
        plot, values, note = _seen(name, then, now)
    figures = _figures(now.kind, personal=personal, odd=bool(now.odd))
    if note and note.startswith(ONE) and (then is None or then.least == then.most == now.least):
        figures = figures[:2]  # the others would say the one value again
    return Story(
        name=name,
        dtype=re.sub(r"\w+=|'", "", now.dtype),
        unit="µs" if now.dtype.startswith("Duration") else column.unit if column else None,
        description=short(column.description, 240) if column and column.description else None,
        personal=personal,
        figures=tuple(
            Figure(word, None if then is None else tell(then), tell(now), more=word in FURTHER)
            for word, tell in figures
        ),
        plot=plot,
        values=values,
        note=note,
    )


def _figures(kind: str, *, personal: bool, odd: bool) -> list[tuple[str, Tell]]:
    figures: list[tuple[str, Tell]] = [
        ("missing", lambda c: share(c.null_share)),
        ("distinct", lambda c: f"{'' if c.values.complete else '≈ '}{count(c.values.distinct)}"),
    ]
    if personal:
        return figures
    if kind == "number":
        figures += [
            ("least", lambda c: number(c.least)),
            ("5 % below", lambda c: number(c.quantile(0.05))),
            ("median", lambda c: number(c.quantile(0.5))),
            ("mean", lambda c: number(c.mean)),
            ("95 % below", lambda c: number(c.quantile(0.95))),
            ("most", lambda c: number(c.most)),
            ("deviation", lambda c: number(c.deviation)),
            ("zero", lambda c: share(c.zeros / c.present if c.present else 0.0)),
        ]
    elif kind == "moment":
        figures += [("first", lambda c: _moment(c.least)), ("last", lambda c: _moment(c.most))]
    elif kind in ("text", "list"):
        figures += [("shortest", lambda c: number(c.least)), ("longest", lambda c: number(c.most))]
    if odd:
        figures.append(("NaN or infinite", lambda c: count(c.odd)))
    return figures


def _seen(
    name: str, then: ColumnProfile | None, now: ColumnProfile
) -> tuple[Plot | None, tuple[Frequency, ...], str | None]:
    if now.kind in ("text", "truth"):
        values = _frequencies(then, now)
        different = now.values.complete and len(now.values.counts) == now.present > MAX_VALUES
        listed = ", ".join(value.value for value in values[:MAX_GONE])
        if different:
            return None, (), f"all values differ, such as {listed}"
        return None, values, None if now.values.complete else "of a fair sample of the values"
    if now.kind == "moment":
        bars = day_bars(then, now)
        days, without = days_without_rows(now)
        unit = "days" if all(len(day) > len("2013-07") for day in now.days) else "months"
        note = (
            f"{count(days)} {unit}, {count(without)} of them without a row"
            if without
            else f"{count(days)} {unit}"
        )
        return _plot(bars, f"rows of {name} by day, {note}", shares=False), (), note if bars else None
    if now.kind == "list" and not now.bins:
        return None, (), None
    bars = number_bars(then, now)
    if len(bars) == 1 and now.kind == "number":
        return None, (), f"{ONE}: {number(now.least)}" if now.least == now.most else None
    what = "lengths" if now.kind == "list" else "values"
    return _plot(bars, f"distribution of the {what} of {name}", shares=True), (), None


def _plot(bars: tuple[Bar, ...], title: str, *, shares: bool) -> Plot | None:
    if not bars:
        return None
    most = max(bars, key=lambda bar: bar.now)
    peak = f"highest {most.label} ({share(most.now) if shares else f'{count(most.now)} rows'})"
    ends = f"first bar {bars[0].label}, last {bars[-1].label}" if len(bars) > 1 else bars[0].label
    drawn = svg.histogram(bars, title=f"{title}: {ends}, {peak}", gaps=not shares)
    return Plot(drawn, bars, shares)


def _frequencies(then: ColumnProfile | None, now: ColumnProfile) -> tuple[Frequency, ...]:
    """List the most frequent values of now, and the frequent ones of then that are gone."""
    before = {} if then is None else {value: rows for _, value, rows in then.values.counts}
    listed: Sequence[tuple[object, int]] = now.values.top(MAX_VALUES)
    there = {value for _, value, _ in now.values.counts}
    if then is not None and now.values.complete:
        gone = [(value, 0) for value, _ in then.values.top(MAX_VALUES) if value not in there]
        listed = [*listed, *gone[:MAX_GONE]]
    shares: list[tuple[str, float | None, float]] = []
    for value, rows in listed:
        past = None
        if then is not None and then.present and (value in before or then.values.complete):
            past = before.get(value, 0) / then.present  # type: ignore[call-overload]
        text = short(value) if value != "" else "(empty)"
        shares.append((text, past, rows / now.present if now.present else 0.0))
    most = max((max(part, past or 0.0) for _, past, part in shares), default=0.0) or 1.0
    told = []
    for text, past, part in shares:
        title = f"{text}: {share(part)}" + ("" if past is None else f", before {share(past)}")
        drawn = svg.bar(part / most, None if past is None else past / most, title=title)
        told.append(Frequency(text, past, part, drawn))
    return tuple(told)


def _moment(text: object) -> str:
    return NOTHING if text is None else str(text)[:16].replace("T", " ")
