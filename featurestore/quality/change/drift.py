"""Drift: how far the columns of two datasets differ, computed from their profiles.

Drift is measured by effect sizes, not by p-values: with five million rows every p-value is 0.
`featurestore.quality.change.thresholds` describes each measure and the thresholds of its severity.
A measure counts only if it also exceeds what chance alone produces for the number of rows
(`featurestore.quality.change.distances`), so two halves of a small sample do not drift. Measures
that add up over many bins are first reduced by their average under chance.
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

Severity = Literal["none", "minor", "major"]
SEVERITIES: tuple[Severity, ...] = ("none", "minor", "major")
MAX_EXPONENT = 700.0  # the exponential of more has no float


class _Measure(NamedTuple):
    value: float
    effect: float
    floor: float


Measures = dict[str, _Measure]


class ColumnDrift(msgspec.Struct, frozen=True, kw_only=True):
    """How far a column differs from what it was.

    Attributes
    ----------
    measures
        The measures by name (see `featurestore.quality.change.thresholds`). ``null_rate`` has a
        sign, ``distinct`` is a ratio.
    reasons
        The measures that reached a threshold, as text; or why nothing could be measured.
    """

    column: str
    kind: str
    measures: dict[str, float] = {}
    severity: Severity = "none"
    reasons: tuple[str, ...] = ()


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """How far a dataset differs from another.

    Attributes
    ----------
    rows
        The number of rows before and after.
    severity
        The highest severity of all columns and slices.
    only_before, only_after
        Columns that the other side lacks. They are not compared.
    by
        The column whose values define the slices.
    slices
        The drift of the rows with each value of `by`.
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
        The columns of the contract; their metadata may set thresholds.
    """
    declared = {column.name: column for column in columns}
    drifts = tuple(
        _column(
            name,
            column,
            after.columns[name],
            declared.get(name),
            same_hashes=before.engine == after.engine and column.dtype == after.columns[name].dtype,
        )
        for name, column in before.columns.items()
        if name in after.columns
    )
    return Drift(
        before=before.dataset,
        after=after.dataset,
        rows=(before.rows, after.rows),
        severity=max_severity(column.severity for column in drifts),
        columns=drifts,
        only_before=tuple(name for name in before.columns if name not in after.columns),
        only_after=tuple(name for name in after.columns if name not in before.columns),
    )


def max_severity(severities: Iterable[Severity]) -> Severity:
    """Return the highest of several severities."""
    return max(severities, key=SEVERITIES.index, default="none")


def _column(
    name: str, before: ColumnProfile, after: ColumnProfile, declared: Column | None, *, same_hashes: bool
) -> ColumnDrift:
    if before.kind != after.kind:
        reason = f"it is {after.dtype}, and was {before.dtype}"
        return ColumnDrift(column=name, kind=after.kind, severity="major", reasons=(reason,))
    if not before.rows or not after.rows:
        reason = f"no rows {'before' if not before.rows else 'after'}"
        return ColumnDrift(column=name, kind=after.kind, reasons=(reason,))
    measures = _null_rate(before, after)
    histogram = None
    if before.kind in ("number", "list"):
        points = points_of(before, after, same_hashes=same_hashes)
        if points is not None:
            histogram = grouped(points, before, after)
            measures |= _over_bins(histogram) | _over_points(points, before, after)
    elif before.kind != "other":
        histogram = categories(before, after, same_hashes=same_hashes)
        if histogram is not None:
            measures |= _over_bins(histogram) | _over_categories(histogram)
    if same_hashes:
        measures |= _distinct(before, after)
    largest_move = _largest_move(histogram) if histogram else ""
    severity, reasons = _severity(measures, thresholds_of(declared, before.kind), largest_move)
    values = {name: measure.value for name, measure in measures.items()}
    return ColumnDrift(column=name, kind=before.kind, measures=values, severity=severity, reasons=reasons)


def _severity(
    measures: Measures, thresholds: dict[str, Threshold], largest_move: str
) -> tuple[Severity, tuple[str, ...]]:
    severities: list[Severity] = []
    reasons = []
    for name, (value, effect, floor) in measures.items():
        minor, major = thresholds.get(name, (inf, inf))
        if effect < minor or effect <= floor:
            continue
        severities.append("major" if effect >= major else "minor")
        threshold = (major if effect >= major else minor) + (name == "distinct")
        reason = f"{name} {value:.3g} ({severities[-1]} from {threshold:.3g})"
        reasons.append(reason + largest_move if name == "l_infinity" else reason)
    return max_severity(severities), tuple(reasons)


def _null_rate(before: ColumnProfile, after: ColumnProfile) -> Measures:
    pooled = (before.nulls + after.nulls) / (before.rows + after.rows)
    return _measure(
        "null_rate", after.null_share - before.null_share, share_floor(pooled, (before.rows, after.rows))
    )


def _measure(name: str, value: float, floor: float) -> Measures:
    return {name: _Measure(value, size(name, value), floor)}


def _over_bins(histogram: Histogram) -> Measures:
    index = psi(histogram.before, histogram.after)
    average, floor = psi_by_chance(len(histogram.names), histogram.sizes)
    distance = jensen_shannon(histogram.before, histogram.after)
    return {
        "psi": _Measure(index, index - average, floor),
        "js": _root_of_psi(distance, average, floor, part=8 * log(2)),
    }


def _over_categories(histogram: Histogram) -> Measures:
    bins = len(histogram.names)
    v = cramers_v(histogram.before, histogram.after)
    max_difference = l_infinity(histogram.before, histogram.after)
    return {
        "chi_square": _root_of_psi(v, *psi_by_chance(bins, histogram.sizes), part=4),
        **_measure("l_infinity", max_difference, l_infinity_floor(bins, histogram.sizes)),
    }


def _root_of_psi(value: float, average: float, floor: float, *, part: float) -> _Measure:
    """Return a measure whose square is the given part of the index."""
    return _Measure(value, sqrt(max(value * value - average / part, 0.0)), sqrt(floor / part))


def _over_points(points: Points, before: ColumnProfile, after: ColumnProfile) -> Measures:
    distance = wasserstein(points.at, points.before, points.after)
    floor = wasserstein_floor(points.at, points.before, points.after, points.sizes)
    if before.mean is not None and after.mean is not None:
        # The distance is never less than the difference of the means, and the means are exact.
        distance = max(distance, abs(after.mean - before.mean))
    ks = kolmogorov_smirnov(points.before, points.after)
    measures = _measure("ks", ks, kolmogorov_smirnov_floor(points.sizes))
    measures |= _measure("wasserstein", distance, floor)
    if before.deviation:
        measures |= _measure("wasserstein_scaled", distance / before.deviation, floor / before.deviation)
    return measures


def _distinct(before: ColumnProfile, after: ColumnProfile) -> Measures:
    """Compare the numbers of distinct values in equally many rows.

    In m of n rows, ``sum(1 - (1 - m/n) ** count)`` values are expected (rarefaction: Hurlbert,
    1971). By chance, the logarithm of the ratio has a variance of about the number of values that
    occur once or twice, over the square of the number of all values, summed over both sides.
    """
    rows = min(before.present, after.present)
    if not rows or not before.values.counts or not after.values.counts:
        return {}
    expected = []
    variance = 0.0
    for side in (before, after):
        part = rows / side.present
        listed = len(side.values.counts)
        thinned = sum(1 - (1 - part) ** count for _, _, count in side.values.counts)
        scarce = 1 + sum(count * part <= 2 for _, _, count in side.values.counts)  # noqa: PLR2004 - once or twice
        variance += scarce / thinned**2 + (0 if side.values.complete else 1 / listed)
        expected.append(thinned * side.values.distinct / listed)
    ratio = expected[1] / expected[0]
    return _measure("distinct", ratio, exp(min(DEVIATIONS * sqrt(variance), MAX_EXPONENT)) - 1)


def _largest_move(histogram: Histogram) -> str:
    bins = list(zip(histogram.names, shares(histogram.before), shares(histogram.after), strict=True))
    name, before, after = max(bins, key=lambda of_bin: (abs(of_bin[2] - of_bin[1]), of_bin[2]))
    return f": {name} {after:.1%}, was {before:.1%}"
