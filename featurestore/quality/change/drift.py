"""Drift: how far a dataset lies from another, column by column, from their profiles alone.

Measured are effects, not p-values: of five million rows every p-value is 0. `featurestore.quality.change.thresholds` says what each
measure means and from which effect on it counts. A measure decides only where it is also beyond what chance gives for so
many rows (`featurestore.quality.change.distances`), so that two halves of one small sample do not differ; from measures that add
up over many cells, what chance adds on average is taken off first.
"""

from __future__ import annotations

from math import exp, inf, log, sqrt
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from featurestore.quality.change.binning import Histogram, Points, categories, grouped, points_of
from featurestore.quality.change.distances import (
    DEVIATIONS,
    cramers_v,
    jensen_shannon,
    kolmogorov_smirnov,
    kolmogorov_smirnov_floor,
    l_infinity,
    l_infinity_floor,
    psi,
    psi_by_chance,
    share_floor,
    shares,
    wasserstein,
    wasserstein_floor,
)
from featurestore.quality.change.thresholds import size, thresholds_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from featurestore.definitions.contract import Column
    from featurestore.quality.change.thresholds import Threshold
    from featurestore.quality.profile.column_profile import ColumnProfile
    from featurestore.quality.profile.profile import Profile

Severity = Literal["none", "some", "strong"]
SEVERITY: tuple[Severity, ...] = ("none", "some", "strong")


class _Measure(NamedTuple):
    value: float
    effect: float
    floor: float


Measured = dict[str, _Measure]


class ColumnDrift(msgspec.Struct, frozen=True, kw_only=True):
    """How far a column lies from what it was.

    Attributes
    ----------
    measures
        By name (`featurestore.quality.change.thresholds`); ``null_rate`` is signed, ``distinct`` a ratio.
    reasons
        What passed which bound; or why nothing could be measured.
    """

    column: str
    kind: str
    measures: dict[str, float] = {}
    severity: Severity = "none"
    reasons: tuple[str, ...] = ()


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """How far a dataset lies from another.

    Attributes
    ----------
    rows
        Of both sides.
    decided
        The strongest of the columns, and of the slices.
    only_before, only_after
        Columns that the other side lacks; they are not compared.
    by
        The column whose values make the slices.
    slices
        The same for the rows of each value.
    """

    before: str
    after: str
    rows: tuple[int, int]
    severity: Severity
    columns: tuple[ColumnDrift, ...]
    only_before: tuple[str, ...] = ()
    only_after: tuple[str, ...] = ()
    by: str | None = None
    slices: dict[str, Drift] = {}


def drift(before: Profile, after: Profile, columns: Iterable[Column] = ()) -> Drift:
    """Compare two profiles.

    Parameters
    ----------
    columns
        Of the contract, with the bounds that their fields set.
    """
    declared = {column.name: column for column in columns}
    found = tuple(
        _column(
            name,
            one,
            after.columns[name],
            declared.get(name),
            alike=before.engine == after.engine and one.dtype == after.columns[name].dtype,
        )
        for name, one in before.columns.items()
        if name in after.columns
    )
    return Drift(
        before=before.dataset,
        after=after.dataset,
        rows=(before.rows, after.rows),
        severity=strongest(column.severity for column in found),
        columns=found,
        only_before=tuple(name for name in before.columns if name not in after.columns),
        only_after=tuple(name for name in after.columns if name not in before.columns),
    )


def strongest(decisions: Iterable[Severity]) -> Severity:
    """Return the worst of several decisions."""
    return max(decisions, key=SEVERITY.index, default="none")


def _column(
    name: str, before: ColumnProfile, after: ColumnProfile, declared: Column | None, *, alike: bool
) -> ColumnDrift:
    if before.kind != after.kind:
        reason = f"it is {after.dtype}, and was {before.dtype}"
        return ColumnDrift(column=name, kind=after.kind, severity="strong", reasons=(reason,))
    if not before.rows or not after.rows:
        reason = f"no rows {'before' if not before.rows else 'after'}"
        return ColumnDrift(column=name, kind=after.kind, reasons=(reason,))
    measured = _null_rate(before, after)
    cells = None
    if before.kind in ("number", "list"):
        points = points_of(before, after, alike=alike)
        if points is not None:
            cells = grouped(points, before, after)
            measured |= _over_cells(cells) | _over_points(points, before, after)
    elif before.kind != "other":
        cells = categories(before, after, alike=alike)
        if cells is not None:
            measured |= _over_cells(cells) | _of_categories(cells)
    if alike:
        measured |= _distinct(before, after)
    moved = _most_moved(cells) if cells else ""
    severity, reasons = _decide(measured, thresholds_of(declared, before.kind), moved)
    measures = {name: measure.value for name, measure in measured.items()}
    return ColumnDrift(column=name, kind=before.kind, measures=measures, severity=severity, reasons=reasons)


def _decide(measured: Measured, bounds: dict[str, Threshold], moved: str) -> tuple[Severity, tuple[str, ...]]:
    severity: list[Severity] = []
    reasons = []
    for name, (value, effect, floor) in measured.items():
        some, strong = bounds.get(name, (inf, inf))
        if effect < some or effect <= floor:
            continue
        severity.append("strong" if effect >= strong else "some")
        bound = (strong if effect >= strong else some) + (name == "distinct")
        reason = f"{name} {value:.3g} ({severity[-1]} from {bound:.3g})"
        reasons.append(reason + moved if name == "l_infinity" else reason)
    return strongest(severity), tuple(reasons)


def _null_rate(before: ColumnProfile, after: ColumnProfile) -> Measured:
    pooled = (before.nulls + after.nulls) / (before.rows + after.rows)
    return _plain(
        "null_rate", after.null_share - before.null_share, share_floor(pooled, (before.rows, after.rows))
    )


def _plain(name: str, value: float, floor: float) -> Measured:
    return {name: _Measure(value, size(name, value), floor)}


def _over_cells(cells: Histogram) -> Measured:
    index = psi(cells.before, cells.after)
    usual, floor = psi_by_chance(len(cells.names), cells.sizes)
    return {
        "psi": _Measure(index, index - usual, floor),
        "js": _rooted(jensen_shannon(cells.before, cells.after), usual, floor, part=8 * log(2)),
    }


def _of_categories(cells: Histogram) -> Measured:
    v = cramers_v(cells.before, cells.after)
    most = l_infinity(cells.before, cells.after)
    return {
        "chi_square": _rooted(v, *psi_by_chance(len(cells.names), cells.sizes), part=4),
        **_plain("l_infinity", most, l_infinity_floor(len(cells.names), cells.sizes)),
    }


def _rooted(value: float, usual: float, floor: float, *, part: float) -> _Measure:
    """Tell a measure whose square is a part of the index."""
    return _Measure(value, sqrt(max(value * value - usual / part, 0.0)), sqrt(floor / part))


def _over_points(points: Points, before: ColumnProfile, after: ColumnProfile) -> Measured:
    moved = wasserstein(points.at, points.before, points.after)
    chance = wasserstein_floor(points.at, points.before, points.after, points.sizes)
    if before.mean is not None and after.mean is not None:
        # No distribution is nearer to another than their means, and those are exact.
        moved = max(moved, abs(after.mean - before.mean))
    apart = kolmogorov_smirnov(points.before, points.after)
    found = _plain("ks", apart, kolmogorov_smirnov_floor(points.sizes)) | _plain("wasserstein", moved, chance)
    if before.deviation:
        found |= _plain("wasserstein_scaled", moved / before.deviation, chance / before.deviation)
    return found


def _distinct(before: ColumnProfile, after: ColumnProfile) -> Measured:
    """Compare how many values occur in equally many rows: twice the rows have more values without any drift.

    Expected are ``sum(1 - (1 - m/n) ** count)`` values in m of n rows (rarefaction: Hurlbert, 1971). By chance the
    logarithm of the ratio has a variance of about the values seen once or twice over the square of all, of each side.
    """
    rows = min(before.present, after.present)
    if not rows or not before.values.counts or not after.values.counts:
        return {}
    expected, variance = [], 0.0
    for side in (before, after):
        part, listed = rows / side.present, len(side.values.counts)
        thinned = sum(1 - (1 - part) ** count for _, _, count in side.values.counts)
        scarce = 1 + sum(count * part <= 2 for _, _, count in side.values.counts)  # noqa: PLR2004 - seen once or twice
        variance += scarce / thinned**2 + (0 if side.values.complete else 1 / listed)
        expected.append(thinned * side.values.distinct / listed)
    ratio = expected[1] / expected[0]
    return _plain("distinct", ratio, exp(DEVIATIONS * sqrt(variance)) - 1)


def _most_moved(cells: Histogram) -> str:
    moved = list(zip(cells.names, shares(cells.before), shares(cells.after), strict=True))
    name, before, after = max(moved, key=lambda cell: (abs(cell[2] - cell[1]), cell[2]))
    return f": {name} {after:.1%}, was {before:.1%}"
