"""The greatest events over intervals: a table of powers of two, filled by events and read by questions.

An interval of questions is covered by two blocks of one length, a power of two, that may overlap. Each event is put into
its two blocks; then each block hands its greatest down to its two halves. Events may come in any order, and their
intervals may overlap in any way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from featurestore.windows.additive import Places

NONE = -1


def greatest(ranks: NDArray[np.int64], places: Places, n: int = 1) -> NDArray[np.int64]:
    """Find the events of the greatest ranks that answer each question.

    Parameters
    ----------
    ranks
        A rank for each event, all different and not negative. A negative rank: the event does not count.
    places
        The questions that each event answers.
    n
        How many events are asked for.

    Returns
    -------
    NDArray[np.int64]
        Shape (n, questions): the ranks, the greatest first; -1 where there are fewer.
    """
    counts = (places.end > places.first) & (ranks >= 0)
    first, end, rank = places.first[counts], places.end[counts], ranks[counts]
    level = np.frexp((end - first).astype(np.float64))[1] - 1
    table = np.full((n, places.questions), NONE, dtype=np.int64)
    for height in range(int(level.max(initial=0)), -1, -1):
        length = 1 << height
        # Blocks of twice the length hand their events to both halves: the first starts where they do.
        second = np.full_like(table, NONE)
        second[:, length:] = table[:, : max(places.questions - length, 0)]
        table = _merged(table, second)
        here = level == height
        blocks = np.concatenate([first[here], end[here] - length])
        table = _merged(table, _of_blocks(blocks, np.tile(rank[here], 2), n, places.questions))
    return table


def _of_blocks(
    blocks: NDArray[np.int64], ranks: NDArray[np.int64], n: int, questions: int
) -> NDArray[np.int64]:
    """Keep the n greatest different ranks that were put into each block."""
    table = np.full((n, questions), NONE, dtype=np.int64)
    if n == 1:
        np.maximum.at(table[0], blocks, ranks)
        return table
    order = np.lexsort((-ranks, blocks))
    blocks, ranks = blocks[order], ranks[order]
    fresh = np.ones(len(blocks), dtype=bool)
    fresh[1:] = (blocks[1:] != blocks[:-1]) | (ranks[1:] != ranks[:-1])
    blocks, ranks = blocks[fresh], ranks[fresh]
    starts = np.ones(len(blocks), dtype=bool)
    starts[1:] = blocks[1:] != blocks[:-1]
    numbers = np.arange(len(blocks))
    place = numbers - np.maximum.accumulate(np.where(starts, numbers, 0))
    kept = place < n
    table[place[kept], blocks[kept]] = ranks[kept]
    return table


def _merged(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Keep the n greatest different ranks of two tables."""
    n = len(first)
    if n == 1:
        return np.maximum(first, second)
    both = np.sort(np.concatenate([first, second]), axis=0)[::-1]
    both[1:][both[1:] == both[:-1]] = NONE
    return np.sort(both, axis=0)[::-1][:n]
