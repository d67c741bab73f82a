"""Plots as inline SVG: pure functions of numbers, the same text each time, coloured by the page's style.

Words stand outside, as HTML, so that a plot may be stretched to any width; what it shows is said in its title, and a table
stands behind it. Then and now differ by form, not by colour alone: now is filled, then is a dashed line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featurestore.report.bars import Bar

WIDTH = 300
HEIGHT = 72
SPARK_WIDTH = 120
SPARK_HEIGHT = 24
_MARGIN = 4


def histogram(bars: Sequence[Bar], *, title: str, gaps: bool = False) -> Markup:
    """Draw bars of now and the outline of then.

    Parameters
    ----------
    gaps
        True: mark each bar without a row below the base line.
    """
    most = max((max(bar.now, bar.then or 0) for bar in bars), default=0) or 1
    wide = WIDTH / max(len(bars), 1)
    gap = min(1.0, wide / 6)
    now = "".join(
        f"M{_n(i * wide + gap / 2)} {HEIGHT}v-{_n(_tall(bar.now, most))}h{_n(wide - gap)}V{HEIGHT}z"
        for i, bar in enumerate(bars)
        if bar.now
    )
    drawn = [f'<path class="now" d="{now}"/>']
    if any(bar.then is not None for bar in bars):
        then = f"M0 {HEIGHT}" + "".join(
            f"V{_n(HEIGHT - _tall(bar.then or 0, most))}H{_n((i + 1) * wide)}" for i, bar in enumerate(bars)
        )
        drawn.append(f'<path class="then" d="{then}V{HEIGHT}"/>')
    missing = [i for i, bar in enumerate(bars) if gaps and not bar.now]
    if missing:
        marks = "".join(f"M{_n(i * wide + gap / 2)} {HEIGHT + 4}h{_n(wide - gap)}" for i in missing)
        drawn.append(f'<path class="gap" d="{marks}"/>')
    drawn.append(f'<path class="base" d="M0 {HEIGHT}H{WIDTH}"/>')
    box = f"0 0 {WIDTH} {HEIGHT + 8}"
    return _svg("plot", box, title, "".join(drawn), stretched=True)


def bar(now: float, then: float | None, *, title: str) -> Markup:
    """Draw a part as a bar lying down, and what it was as a line across."""
    drawn = f'<rect class="now" width="{_n(100 * now)}" height="10"/>'
    if then is not None:
        drawn += f'<path class="then" d="M{_n(100 * then)} 0v10"/>'
    return _svg("bar", "0 0 100 10", title, drawn, stretched=True)


def stacked(parts: Sequence[float], *, title: str) -> Markup:
    """Draw shares of a whole side by side; class ``p1`` is the first part."""
    total, at, drawn = sum(parts) or 1, 0.0, ""
    for i, part in enumerate(parts, start=1):
        wide = 100 * part / total
        if part:
            drawn += f'<rect class="p{i}" x="{_n(at)}" width="{_n(wide)}" height="10"/>'
        at += wide
    return _svg("bar", "0 0 100 10", title, drawn, stretched=True)


def sparkline(values: Sequence[float | None], *, title: str, refused: Sequence[bool] = ()) -> Markup:
    """Draw one number of each run as a line; the last run is a dot, a refused one a cross."""
    there = [value for value in values if value is not None]
    low, high = min(there, default=0), max(there, default=0)
    step = (SPARK_WIDTH - 2 * _MARGIN) / max(len(values) - 1, 1)

    def at(i: int, value: float) -> tuple[float, float]:
        rise = (value - low) / (high - low) if high > low else 0.5
        return _MARGIN + i * step, SPARK_HEIGHT - _MARGIN - rise * (SPARK_HEIGHT - 2 * _MARGIN)

    points = [None if value is None else at(i, value) for i, value in enumerate(values)]
    line, drawing = "", False
    for point in points:
        if point is not None:
            line += f"{'L' if drawing else 'M'}{_n(point[0])} {_n(point[1])}"
        drawing = point is not None
    drawn = f'<path class="line" d="{line}"/>' if len(there) > 1 else ""
    crosses = "".join(
        f"M{_n(point[0] - 3)} {_n(point[1] - 3)}l6 6m0-6l-6 6"
        for point, bad in zip(points, refused, strict=False)
        if bad and point is not None
    )
    if crosses:
        drawn += f'<path class="refused" d="{crosses}"/>'
    if points and points[-1] is not None and not (refused and refused[-1]):
        drawn += f'<circle class="last" cx="{_n(points[-1][0])}" cy="{_n(points[-1][1])}" r="3"/>'
    return _svg("spark", f"0 0 {SPARK_WIDTH} {SPARK_HEIGHT}", title, drawn)


def _tall(value: float, most: float) -> float:
    # What is there is seen, however little.
    return max(value / most * (HEIGHT - 2), 1.0) if value else 0.0


def _svg(kind: str, box: str, title: str, drawn: str, *, stretched: bool = False) -> Markup:
    free = ' preserveAspectRatio="none"' if stretched else ""
    head = Markup('<svg class="{}" viewBox="{}"{} role="img"><title>{}</title>{}</svg>')
    return head.format(kind, box, Markup(free), title, Markup(drawn))  # noqa: S704 - made of numbers alone


def _n(number: float) -> str:
    """Write a coordinate to a tenth, without what a reader does not need."""
    return f"{number:.1f}".rstrip("0").rstrip(".") if round(number, 1) else "0"
