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
    level = (np.frexp((end - first).astype(np.float64))[1] - 1).astype(np.int8)
    order = np.argsort(level, kind="stable")
    first, end, rank = first[order], end[order], rank[order]
    bounds = np.concatenate([[0], np.cumsum(np.bincount(level, minlength=1))])
    table = np.full((n, places.questions), NONE, dtype=np.int64)
    for height in range(len(bounds) - 2, -1, -1):
        length, here = 1 << height, slice(bounds[height], bounds[height + 1])
        _hand_down(table, length)
        _put(table, first[here], rank[here])
        _put(table, end[here] - length, rank[here])
    return table


def _hand_down(table: NDArray[np.int64], length: int) -> None:
    """Hand the events of blocks of twice the length to both halves: the first starts where they do."""
    if length >= table.shape[1]:
        return
    second, handed = table[:, length:], table[:, :-length]
    if len(table) == 1:
        np.maximum(second, handed, out=second)
    else:
        second[:] = _merged(second, handed)


def _put(table: NDArray[np.int64], blocks: NDArray[np.int64], ranks: NDArray[np.int64]) -> None:
    """Put events into blocks, which keep the greatest ones."""
    if len(table) == 1:
        np.maximum.at(table[0], blocks, ranks)
    elif len(blocks):
        table[:] = _merged(table, _of_blocks(blocks, ranks, *table.shape))


def _of_blocks(
    blocks: NDArray[np.int64], ranks: NDArray[np.int64], n: int, questions: int
) -> NDArray[np.int64]:
    """Keep the n greatest different ranks that were put into each block."""
    table = np.full((n, questions), NONE, dtype=np.int64)
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
    both = np.sort(np.concatenate([first, second]), axis=0)[::-1]
    both[1:][both[1:] == both[:-1]] = NONE
    return np.sort(both, axis=0)[::-1][:n]
