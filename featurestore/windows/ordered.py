"""The event of any rank among those of an interval of questions: what quantiles are made of.

The values are split in two halves, again and again, as a wavelet matrix does (Claude, Navarro and Ordóñez, "The wavelet matrix",
2015): of the events of a window, those in the lower half are the ones that began there by the time of the question, less the
ones that ended. So each question knows in which half its event is, and follows it: two prefix sums a bit, and no row for each pair of
question and event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from featurestore.windows.additive import Order

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from featurestore.windows.additive import Places


def smallest(ranks: NDArray[np.int64], places: Places, wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Find of the events that answer each question the one that has a place in the order of ranks.

    Parameters
    ----------
    ranks
        A rank for each event, all different and not negative. A negative rank: the event does not count.
    places
        The questions that each event answers.
    wanted
        The place that is asked for, from 1 to the number of events that answer the question; 0: none.

    Returns
    -------
    NDArray[np.int64]
        The rank of the event of each question; -1 where none is asked for.
    """
    counts = (places.end > places.first) & (ranks >= 0)
    ordered = np.sort(ranks[counts])
    if not len(ordered):
        return np.full(places.questions, -1, dtype=np.int64)
    numbers = np.searchsorted(ordered, ranks[counts]).astype(np.int32)
    begun, begun_by = _ordered(numbers, places.first[counts], places.questions)
    ended, ended_by = _ordered(numbers, places.end[counts], places.questions)
    left = np.maximum(wanted - 1, 0)
    result = np.zeros(places.questions, dtype=np.int64)
    for bit in reversed(range((len(ordered) - 1).bit_length())):
        begun, lower_begun = _halves(begun, bit)
        ended, lower_ended = _halves(ended, bit)
        lower = lower_begun[begun_by] - lower_ended[ended_by]
        is_upper = left >= lower
        begun_by = _followed(begun_by, lower_begun, is_upper=is_upper)
        ended_by = _followed(ended_by, lower_ended, is_upper=is_upper)
        left = np.where(is_upper, left - lower, left)
        result |= is_upper.astype(np.int64) << bit
    return np.where(wanted > 0, ordered[np.minimum(result, len(ordered) - 1)], -1)


def _ordered(
    numbers: NDArray[np.int32], positions: NDArray[np.int64], questions: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return numbers in the order of positions, and how many of them are at or before each question."""
    order = Order.of(positions, questions)
    return numbers if order.events is None else numbers[order.events], order.reached


def _halves(numbers: NDArray[np.int32], bit: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Put the numbers without a bit before those with it; also how many of the first ones are without it."""
    is_upper = (numbers >> bit & 1).astype(bool)
    lower = np.zeros(len(numbers) + 1, dtype=np.int64)
    np.cumsum(~is_upper, out=lower[1:])
    return np.concatenate([numbers[~is_upper], numbers[is_upper]]), lower


def _followed(
    positions: NDArray[np.int64], lower: NDArray[np.int64], *, is_upper: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return where positions are after the halves were put apart."""
    before = lower[positions]
    return np.where(is_upper, lower[-1] + positions - before, before)
