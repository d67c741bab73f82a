"""Distances between two distributions: pure functions over counts.

All of them are effect sizes: they measure how much the shares differ, and do not grow with the
number of rows. Each distance has a floor: the value that two samples of independent rows from one
population reach by chance about once in 100,000 times, as often as a normal variable exceeds
`DEVIATIONS` standard deviations.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from math import log, log2, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Counts = Sequence[float]

DEVIATIONS = 4.5
_RARE = 1e-5
_HALF_A_ROW = 0.5  # Jeffreys' prior: an empty bin counts as less than one row, so its logarithm is finite


def shares(counts: Counts) -> list[float]:
    """Divide by the sum."""
    total = sum(counts)
    return [count / total for count in counts]


def _pairs(before: Counts, after: Counts) -> Iterator[tuple[float, float]]:
    return zip(shares(before), shares(after), strict=True)


def psi(before: Counts, after: Counts) -> float:
    """Return the population stability index.

    It is the symmetric Kullback-Leibler divergence, with half a row added to each bin.
    """
    pairs = _pairs([b + _HALF_A_ROW for b in before], [a + _HALF_A_ROW for a in after])
    return sum((a - b) * log(a / b) for b, a in pairs)


def jensen_shannon(before: Counts, after: Counts) -> float:
    """Return the Jensen-Shannon distance, base 2: 0 for equal, 1 for disjoint distributions."""
    divergence = 0.0
    for b, a in _pairs(before, after):
        middle = (a + b) / 2
        divergence += sum(p * log2(p / middle) for p in (a, b) if p > 0) / 2
    return sqrt(max(divergence, 0.0))


def cramers_v(before: Counts, after: Counts) -> float:
    """Return Cramér's V of the two-row table of shares.

    Both sides have equal weight, however many rows they have. Otherwise the V of one day of serving
    and years of training would always be near zero.
    """
    half = sum((a - b) ** 2 / (a + b) for b, a in _pairs(before, after) if a + b > 0)
    return sqrt(half / 2)


def l_infinity(before: Counts, after: Counts) -> float:
    """Return the largest difference of a share."""
    return max((abs(a - b) for b, a in _pairs(before, after)), default=0.0)


def kolmogorov_smirnov(before: Counts, after: Counts) -> float:
    """Return the largest difference between the cumulative shares.

    Counts are by point, ascending.
    """
    return max((abs(a - b) for b, a in _cumulative(before, after)), default=0.0)


def wasserstein(points: Counts, before: Counts, after: Counts) -> float:
    """Return how far the average row has to move to turn one distribution into the other.

    Points ascend.
    """
    differences = zip(_cumulative(before, after), _widths(points), strict=True)
    return sum(abs(a - b) * width for (b, a), width in differences if a != b)


def _cumulative(before: Counts, after: Counts) -> Iterator[tuple[float, float]]:
    totals = (sum(before), sum(after))
    return (
        (b / totals[0], a / totals[1]) for b, a in zip(accumulate(before), accumulate(after), strict=True)
    )


def _widths(points: Counts) -> list[float]:
    return [*(b - a for a, b in pairwise(points)), 0.0]


def _noise(sizes: tuple[float, float]) -> float:
    """Return the variance of the difference of two sample means of a variable with variance one."""
    return 1 / sizes[0] + 1 / sizes[1]


def psi_by_chance(bins: int, sizes: tuple[float, float]) -> tuple[float, float]:
    """Return the average of the index by chance, and its floor.

    By chance the index is ``(1/n + 1/m)`` times a chi-square variable with one degree of freedom
    less than there are bins (Yurdakul and Naranjo, Statistical properties of the population
    stability index, 2020). Where both are small, the Jensen-Shannon divergence (in nats) is an
    eighth of the index, and the square of Cramér's V is a quarter of it.
    """
    return (bins - 1) * _noise(sizes), chi_square_bound(bins - 1) * _noise(sizes)


def kolmogorov_smirnov_floor(sizes: tuple[float, float]) -> float:
    """Return Smirnov's bound: ``sqrt(ln(2 / rare) / 2) * sqrt(1/n + 1/m)``."""
    return sqrt(log(2 / _RARE) / 2 * _noise(sizes))


def l_infinity_floor(bins: int, sizes: tuple[float, float]) -> float:
    """Return Hoeffding's bound for the largest difference of a share among a number of bins."""
    return sqrt(log(2 * max(bins, 1) / _RARE) / 2 * _noise(sizes))


def wasserstein_floor(points: Counts, before: Counts, after: Counts, sizes: tuple[float, float]) -> float:
    """Return the floor of the Wasserstein distance.

    It is `DEVIATIONS` times the integral of the standard deviation of the difference of the
    cumulative shares.
    """
    spread = 0.0
    for (b, a), width in zip(_cumulative(before, after), _widths(points), strict=True):
        below = (a + b) / 2
        if 0 < below < 1:  # the distance of the largest floats is infinite, and no number times zero
            spread += sqrt(below * (1 - below)) * width
    return DEVIATIONS * spread * sqrt(_noise(sizes))


def share_floor(share: float, sizes: tuple[float, float]) -> float:
    """Return the floor of a difference of shares, if the population has the share `share`."""
    return DEVIATIONS * sqrt(share * (1 - share) * _noise(sizes))


def chi_square_bound(degrees: int) -> float:
    """Return the floor of a chi-square variable (Wilson and Hilferty's approximation)."""
    if degrees < 1:
        return 0.0
    part = 2 / (9 * degrees)
    return float(degrees * (1 - part + DEVIATIONS * sqrt(part)) ** 3)
