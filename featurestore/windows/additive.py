"""Counts and exact sums over intervals: two prefix sums, one in the order of beginnings and one in that of ends."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

MAX_KEPT: Final = 4


class Addends:
    """Integers of each event, which are added up over the events that answer a question.

    Windows of several durations add up the same integers in the same order, so the prefix sums of a few parts are kept.

    Parameters
    ----------
    parts
        Gives the parts: Int64, one for each event, and small enough that the sum over all events fits into 64 bits.
    count
        The number of parts.
    """

    def __init__(self, parts: Callable[[], Iterable[NDArray[np.int64]]], count: int = 1) -> None:
        self.parts = parts
        self._is_kept = count <= MAX_KEPT
        self._kept: dict[Order | None, list[NDArray[np.int64]]] = {}

    def prefixes(self, begun: Order, ended: Order) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Give the prefix sums of each part, in the order of the beginnings and in that of the ends."""
        if not self._is_kept:
            for part in self.parts():
                prefix = _prefix(part, begun)
                yield prefix, prefix if ended.key == begun.key else _prefix(part, ended)
            return
        yield from zip(self._of(begun), self._of(ended), strict=True)

    def _of(self, order: Order) -> list[NDArray[np.int64]]:
        if order.key not in self._kept:
            self._kept[order.key] = [_prefix(part, order) for part in self.parts()]
        return self._kept[order.key]


@dataclass(frozen=True, eq=False)
class Order:
    """Events in the order of their positions among the questions.

    Attributes
    ----------
    events
        The numbers of the events in this order. None: they are in order as they are.
    reached
        How many events are at or before each question.
    """

    events: NDArray[np.int64] | None
    reached: NDArray[np.int64]

    @classmethod
    def of(cls, positions: NDArray[np.int64], questions: int) -> Order:
        """Order events by their positions."""
        is_sorted = bool((positions[1:] >= positions[:-1]).all())
        order = None if is_sorted else np.argsort(positions, kind="stable")
        return cls(order, np.cumsum(np.bincount(positions, minlength=questions + 1))[:questions])

    @property
    def key(self) -> Order | None:
        """What is the same for orders of the same events."""
        return self if self.events is not None else None


@dataclass(frozen=True, eq=False)
class Places:
    """The questions that each event answers: from `first` to before `end`, none where they are equal.

    Attributes
    ----------
    first, end
        Int64: positions among the questions, ``first <= end``.
    begun
        The order of `first`.
    questions
        The number of questions.
    """

    first: NDArray[np.int64]
    end: NDArray[np.int64]
    begun: Order
    questions: int

    @cached_property
    def ended(self) -> Order:
        """The order of `end`."""
        return Order.of(self.end, self.questions)

    def sums(self, addends: Addends) -> NDArray[np.int64]:
        """Add up integers over the events that answer a question; shape (parts, questions)."""
        begun, ended = self.begun, self.ended
        return np.stack(
            [started[begun.reached] - left[ended.reached] for started, left in addends.prefixes(begun, ended)]
        )


def _prefix(part: NDArray[np.int64], order: Order) -> NDArray[np.int64]:
    prefix = np.zeros(len(part) + 1, dtype=np.int64)
    np.cumsum(part if order.events is None else part[order.events], out=prefix[1:])
    return prefix
