"""How many values are in each bucket (`featurestore.windows.significant`): what online stores keep for approximate quantiles."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

from featurestore.windows.significant import bucket, nearest_rank, of_bucket

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Histogram: TypeAlias = "Mapping[int, int]"


def histogram(values: Iterable[float], bits: int) -> Histogram:
    """Count the values of each bucket."""
    return Counter(bucket(value, bits) for value in values)


def merged(first: Histogram, second: Histogram) -> Histogram:
    """Add up the counts of two parts."""
    large, small = (first, second) if len(first) >= len(second) else (second, first)
    counts = dict(large)
    for number, count in small.items():
        counts[number] = counts.get(number, 0) + count
    return counts


def packed(counts: Histogram) -> list[int]:
    """Return how far each bucket is from the one before it, and its count, which are small numbers."""
    flat: list[int] = []
    before = 0
    for number, count in sorted(counts.items()):
        flat += (number - before, count)
        before = number
    return flat


def unpacked(flat: Sequence[int]) -> Histogram:
    """Return the counts from their packed form."""
    return dict(zip(accumulate(flat[::2]), flat[1::2], strict=True))


def quantile_of(counts: Histogram, quantile: float, bits: int) -> float | None:
    """Return the number that the value of a quantile is rounded to; None without values."""
    if not counts:
        return None
    numbers = sorted(counts)
    ranks = list(accumulate(map(counts.__getitem__, numbers)))
    return of_bucket(numbers[bisect_left(ranks, nearest_rank(quantile, ranks[-1]))], bits)
