"""The number of values in each bucket (`featurestore.windows.significant`), which stores keep for a quantile."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from featurestore.windows.significant import bucket, nearest_rank, of_bucket

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Histogram: TypeAlias = "Mapping[int, int]"
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(list[int])


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


def packed(counts: Histogram) -> bytes:
    """Encode how far each bucket is from the one before it, and its count, which are small numbers.

    They are bytes, so that a row with many of them is read without a list of numbers for each.
    """
    flat: list[int] = []
    before = 0
    for number, count in sorted(counts.items()):
        flat += (number - before, count)
        before = number
    return _ENCODER.encode(flat)


def unpacked(data: bytes) -> Histogram:
    """Return the counts from their packed form."""
    flat = _DECODER.decode(data)
    return dict(zip(accumulate(flat[::2]), flat[1::2], strict=True))


def quantile_of(counts: Histogram, quantile: float, bits: int) -> float | None:
    """Return the number that the value of a quantile is rounded to; None without values."""
    if not counts:
        return None
    numbers = sorted(counts)
    ranks = list(accumulate(map(counts.__getitem__, numbers)))
    return of_bucket(numbers[bisect_left(ranks, nearest_rank(quantile, ranks[-1]))], bits)
