"""Plots as inline SVG: pure functions of numbers. Equal numbers give equal text.

The style of the page sets the colours.

Text stays outside the plot, as HTML, so that a plot can be stretched to any width. The title says
what the plot shows, and the page has a table with the same numbers. Before and now differ in form,
not only in colour: now is filled, before is a dashed line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featurestore.report.histograms import Bar

WIDTH = 300
HEIGHT = 72
SPARK_WIDTH = 120
SPARK_HEIGHT = 24
_MARGIN = 4


def histogram(bars: Sequence[Bar], *, title: str, gaps: bool = False) -> Markup:
    """Draw the bars of now and the outline of before.

    Parameters
    ----------
    gaps
        True: mark each bar without rows below the base line.
    """
    highest = max((max(bar.now, bar.before or 0) for bar in bars), default=0) or 1
    width = WIDTH / max(len(bars), 1)
    space = min(1.0, width / 6)
    now = "".join(
        f"M{_n(i * width + space / 2)} {HEIGHT}v-{_n(_height(bar.now, highest))}h{_n(width - space)}V{HEIGHT}z"
        for i, bar in enumerate(bars)
        if bar.now
    )
    paths = [f'<path class="now" d="{now}"/>']
    if any(bar.before is not None for bar in bars):
        outline = f"M0 {HEIGHT}" + "".join(
            f"V{_n(HEIGHT - _height(bar.before or 0, highest))}H{_n((i + 1) * width)}"
            for i, bar in enumerate(bars)
        )
        paths.append(f'<path class="before" d="{outline}V{HEIGHT}"/>')
    empty = [i for i, bar in enumerate(bars) if gaps and not bar.now]
    if empty:
        marks = "".join(f"M{_n(i * width + space / 2)} {HEIGHT + 4}h{_n(width - space)}" for i in empty)
        paths.append(f'<path class="gap" d="{marks}"/>')
    paths.append(f'<path class="base" d="M0 {HEIGHT}H{WIDTH}"/>')
    box = f"0 0 {WIDTH} {HEIGHT + 8}"
    return _svg("plot", box, title, "".join(paths), stretched=True)


def bar(now: float, before: float | None, *, title: str) -> Markup:
    """Draw a share as a horizontal bar, and its earlier size as a line across.

    Parameters
    ----------
    now, before
        Shares, 0 to 1.
    """
    shapes = f'<rect class="now" width="{_n(100 * now)}" height="10"/>'
    if before is not None:
        shapes += f'<path class="before" d="M{_n(100 * before)} 0v10"/>'
    return _svg("bar", "0 0 100 10", title, shapes, stretched=True)


def stacked(parts: Sequence[float], *, title: str) -> Markup:
    """Draw the parts of a whole side by side; the first part has class ``p1``."""
    total = sum(parts) or 1
    x = 0.0
    shapes = ""
    for i, part in enumerate(parts, start=1):
        width = 100 * part / total
        if part:
            shapes += f'<rect class="p{i}" x="{_n(x)}" width="{_n(width)}" height="10"/>'
        x += width
    return _svg("bar", "0 0 100 10", title, shapes, stretched=True)


def sparkline(values: Sequence[float | None], *, title: str, refused: Sequence[bool] = ()) -> Markup:
    """Draw one number of each run as a line; the last run is a dot, a refused run a cross."""
    present = [value for value in values if value is not None]
    low = min(present, default=0)
    high = max(present, default=0)
    step = (SPARK_WIDTH - 2 * _MARGIN) / max(len(values) - 1, 1)

    def at(i: int, value: float) -> tuple[float, float]:
        rise = (value - low) / (high - low) if high > low else 0.5
        return _MARGIN + i * step, SPARK_HEIGHT - _MARGIN - rise * (SPARK_HEIGHT - 2 * _MARGIN)

    points = [None if value is None else at(i, value) for i, value in enumerate(values)]
    line = ""
    drawing = False
    for point in points:
        if point is not None:
            line += f"{'L' if drawing else 'M'}{_n(point[0])} {_n(point[1])}"
        drawing = point is not None
    shapes = f'<path class="line" d="{line}"/>' if len(present) > 1 else ""
    crosses = "".join(
        f"M{_n(point[0] - 3)} {_n(point[1] - 3)}l6 6m0-6l-6 6"
        for point, is_refused in zip(points, refused, strict=False)
        if is_refused and point is not None
    )
    if crosses:
        shapes += f'<path class="refused" d="{crosses}"/>'
    if points and points[-1] is not None and not (refused and refused[-1]):
        shapes += f'<circle class="last" cx="{_n(points[-1][0])}" cy="{_n(points[-1][1])}" r="3"/>'
    return _svg("spark", f"0 0 {SPARK_WIDTH} {SPARK_HEIGHT}", title, shapes)


def _height(value: float, highest: float) -> float:
    # Even the smallest value is visible.
    return max(value / highest * (HEIGHT - 2), 1.0) if value else 0.0


def _svg(kind: str, box: str, title: str, shapes: str, *, stretched: bool = False) -> Markup:
    stretch = ' preserveAspectRatio="none"' if stretched else ""
    head = Markup('<svg class="{}" viewBox="{}"{} role="img"><title>{}</title>{}</svg>')
    return head.format(kind, box, Markup(stretch), title, Markup(shapes))  # noqa: S704 - contains numbers only


def _n(number: float) -> str:
    """Write a coordinate to a tenth, without trailing zeros."""
    return f"{number:.1f}".rstrip("0").rstrip(".") if round(number, 1) else "0"
