"""How far two distributions lie apart: pure functions over counts.

All are effect sizes: they tell how much the shares differ, whatever the number of rows. Beside each stands its floor, what
it reaches by chance alone for two samples of one population of independent rows: about once in 100,000 times, as a normal
variable exceeds `DEVIATIONS` standard deviations.
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
_HALF_A_ROW = 0.5  # Jeffreys' prior: an empty cell stands for less than one row, so its logarithm is finite


def shares(counts: Counts) -> list[float]:
    """Divide by the sum."""
    whole = sum(counts)
    return [count / whole for count in counts]


def _pairs(before: Counts, after: Counts) -> Iterator[tuple[float, float]]:
    return zip(shares(before), shares(after), strict=True)


def psi(before: Counts, after: Counts) -> float:
    """Return the population stability index: the symmetric Kullback-Leibler divergence, half a row added to each cell."""
    pairs = _pairs([b + _HALF_A_ROW for b in before], [a + _HALF_A_ROW for a in after])
    return sum((a - b) * log(a / b) for b, a in pairs)


def jensen_shannon(before: Counts, after: Counts) -> float:
    """Return the Jensen-Shannon distance to base 2: 0 for equal shares, 1 where no cell is shared."""
    divergence = 0.0
    for b, a in _pairs(before, after):
        middle = (a + b) / 2
        divergence += sum(p * log2(p / middle) for p in (a, b) if p > 0) / 2
    return sqrt(max(divergence, 0.0))


def cramers_v(before: Counts, after: Counts) -> float:
    """Return Cramér's V of the two-row table of shares.

    Both sides count alike, however many rows they have: a day of serving beside years of training would otherwise give a
    V near zero whatever that day holds.
    """
    half = sum((a - b) ** 2 / (a + b) for b, a in _pairs(before, after) if a + b > 0)
    return sqrt(half / 2)


def l_infinity(before: Counts, after: Counts) -> float:
    """Return the largest difference of a share."""
    return max((abs(a - b) for b, a in _pairs(before, after)), default=0.0)


def kolmogorov_smirnov(before: Counts, after: Counts) -> float:
    """Return the largest difference of the shares up to a point; counts are by point, ascending."""
    return max((abs(a - b) for b, a in _up_to(before, after)), default=0.0)


def wasserstein(points: Counts, before: Counts, after: Counts) -> float:
    """Return how far the average row has to move to make one distribution of the other; points ascend."""
    apart = zip(_up_to(before, after), _widths(points), strict=True)
    return sum(abs(a - b) * width for (b, a), width in apart)


def _up_to(before: Counts, after: Counts) -> Iterator[tuple[float, float]]:
    wholes = (sum(before), sum(after))
    return (
        (b / wholes[0], a / wholes[1]) for b, a in zip(accumulate(before), accumulate(after), strict=True)
    )


def _widths(points: Counts) -> list[float]:
    return [*(b - a for a, b in pairwise(points)), 0.0]


def _noise(sizes: tuple[float, float]) -> float:
    """Return the variance of a difference of two means, of a variable of variance one."""
    return 1 / sizes[0] + 1 / sizes[1]


def psi_by_chance(cells: int, sizes: tuple[float, float]) -> tuple[float, float]:
    """Return what the index is on average by chance, and its floor: ``(1/n + 1/m)`` times chi-square.

    Of one degree of freedom less than the cells (Yurdakul and Naranjo, Statistical properties of the population stability
    index, 2020). The Jensen-Shannon divergence (in nats) is an eighth of the index where both are small, and Cramér's V
    squared a quarter.
    """
    return (cells - 1) * _noise(sizes), chi_square_bound(cells - 1) * _noise(sizes)


def kolmogorov_smirnov_floor(sizes: tuple[float, float]) -> float:
    """Return Smirnov's bound: ``sqrt(ln(2 / rare) / 2) * sqrt(1/n + 1/m)``."""
    return sqrt(log(2 / _RARE) / 2 * _noise(sizes))


def l_infinity_floor(cells: int, sizes: tuple[float, float]) -> float:
    """Return Hoeffding's bound for the largest of so many differences of shares."""
    return sqrt(log(2 * max(cells, 1) / _RARE) / 2 * _noise(sizes))


def wasserstein_floor(points: Counts, before: Counts, after: Counts, sizes: tuple[float, float]) -> float:
    """Return `DEVIATIONS` times the integral of the standard deviation of the difference of the shares up to a point."""
    spread = 0.0
    for (b, a), width in zip(_up_to(before, after), _widths(points), strict=True):
        below = (a + b) / 2
        spread += sqrt(max(below * (1 - below), 0.0)) * width
    return DEVIATIONS * spread * sqrt(_noise(sizes))


def share_floor(share: float, sizes: tuple[float, float]) -> float:
    """Return what two observed shares of a population in which the share is `share` differ by."""
    return DEVIATIONS * sqrt(share * (1 - share) * _noise(sizes))


def chi_square_bound(degrees: int) -> float:
    """Return what a chi-square variable exceeds by chance as rarely (Wilson and Hilferty's cube)."""
    if degrees < 1:
        return 0.0
    part = 2 / (9 * degrees)
    return float(degrees * (1 - part + DEVIATIONS * sqrt(part)) ** 3)
