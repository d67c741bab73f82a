"""Which events are in the window of each question, in two forms that answer the same few requests."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from featurestore.windows.additive import Addends, Order, Places
from featurestore.windows.extremes import NONE, greatest
from featurestore.windows.ordered import smallest

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Members(Protocol):
    """The events in the window of each question."""

    def sums(self, addends: Addends) -> NDArray[np.int64]:
        """Add up integers of the events; shape (parts, questions)."""

    def greatest(self, ranks: NDArray[np.int64], n: int = 1) -> NDArray[np.int64]:
        """Return the n greatest ranks, of those that are not negative; -1 where there are fewer."""

    def smallest(self, ranks: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rank at a place, from 1, among those that are not negative; -1 where the place is 0."""

    def distinct(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Count the different codes, of those that are not negative."""


@dataclass(frozen=True)
class OfDurations:
    """The events of windows of several durations: each answers an interval of questions.

    The questions of the first window come first, then those of the second one. NumPy works on all of them at once: threads
    that compute other parts wait less for Python.
    """

    places: tuple[Places, ...]

    def sums(self, addends: Addends) -> NDArray[np.int64]:
        """Add up integers of the events; shape (parts, questions)."""
        return np.concatenate([places.sums(addends) for places in self.places], axis=1)

    def greatest(self, ranks: NDArray[np.int64], n: int = 1) -> NDArray[np.int64]:
        """Return the n greatest ranks, of those that are not negative; -1 where there are fewer."""
        return greatest(np.concatenate([ranks] * len(self.places)), *self._intervals, n)

    def smallest(self, ranks: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rank at a place, from 1, among those that are not negative; -1 where the place is 0."""
        of_windows = np.split(wanted, len(self.places))
        return np.concatenate(
            [smallest(ranks, places, each) for places, each in zip(self.places, of_windows, strict=True)]
        )

    def distinct(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Count the different codes, of those that are not negative."""
        return np.concatenate([_distinct(codes, places) for places in self.places])

    @cached_property
    def _intervals(self) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
        """The first question and the end of each event in each window, and the number of questions of all windows."""
        starts = np.cumsum([0, *(places.questions for places in self.places)]).tolist()
        first, end = (
            np.concatenate(
                [getattr(places, name) + start for places, start in zip(self.places, starts, strict=False)]
            )
            for name in ("first", "end")
        )
        return first, end, starts[-1]


@dataclass(frozen=True)
class OfLast:
    """The last events: their numbers, shape (events, questions), -1 where there are fewer."""

    events: NDArray[np.int64]

    def sums(self, addends: Addends) -> NDArray[np.int64]:
        """Add up integers of the events; shape (parts, questions)."""
        return np.stack([self._of(part, 0).sum(axis=0) for part in addends.parts()])

    def greatest(self, ranks: NDArray[np.int64], n: int = 1) -> NDArray[np.int64]:
        """Return the n greatest ranks, of those that are not negative; -1 where there are fewer."""
        ordered = np.sort(np.maximum(self._of(ranks, NONE), NONE), axis=0)[::-1][:n]
        return np.concatenate([ordered, np.full((n - len(ordered), ordered.shape[1]), NONE)])

    def smallest(self, ranks: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rank at a place, from 1, among those that are not negative; -1 where the place is 0."""
        of_questions = self._of(ranks, NONE)
        ordered = np.sort(np.where(of_questions < 0, np.iinfo(np.int64).max, of_questions), axis=0)
        places = np.maximum(wanted - 1, 0)[None, :]
        return np.where(wanted > 0, np.take_along_axis(ordered, places, axis=0)[0], NONE)

    def distinct(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Count the different codes, of those that are not negative."""
        ordered = np.sort(np.maximum(self._of(codes, NONE), NONE), axis=0)
        fresh = np.ones(ordered.shape, dtype=bool)
        fresh[1:] = ordered[1:] != ordered[:-1]
        different: NDArray[np.int64] = (fresh & (ordered >= 0)).sum(axis=0, dtype=np.int64)
        return different

    def _of(self, values: NDArray[np.int64], missing: int) -> NDArray[np.int64]:
        return (
            np.where(self.events >= 0, values[self.events], missing)
            if len(values)
            else np.full_like(self.events, missing)
        )


def _distinct(codes: NDArray[np.int64], places: Places) -> NDArray[np.int64]:
    """Count the different codes that answer each question.

    The intervals of one code are united where they overlap or touch; then each counts once.
    """
    counts = (places.end > places.first) & (codes >= 0)
    first, end, code = places.first[counts], places.end[counts], codes[counts]
    if not len(code):
        return np.zeros(places.questions, dtype=np.int64)
    order = np.lexsort((first, code))
    first, end, code = first[order], end[order], code[order]
    starts = np.ones(len(code), dtype=bool)
    starts[1:] = code[1:] != code[:-1]
    # The greatest end so far, within a code: numbers of codes set them apart.
    apart = np.cumsum(starts) * (places.questions + 1)
    reached = np.maximum.accumulate(end + apart)
    starts[1:] |= (first + apart)[1:] > reached[:-1]
    last = np.append(np.flatnonzero(starts)[1:] - 1, len(code) - 1)
    first, questions = first[starts], places.questions
    united = Places(first, (reached - apart)[last], Order.of(first, questions), questions)
    number: NDArray[np.int64] = united.sums(Addends(lambda: [np.ones(len(first), dtype=np.int64)]))[0]
    return number
