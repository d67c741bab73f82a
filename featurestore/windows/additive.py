"""Counts and exact sums over intervals: two prefix sums, one in the order of beginnings and one in that of ends."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Places:
    """The questions that each event answers: from `first` to before `end`, none where they are equal.

    Attributes
    ----------
    first, end
        Int64: positions among the questions, ``first <= end``.
    questions
        The number of questions.
    """

    first: NDArray[np.int64]
    end: NDArray[np.int64]
    questions: int

    @cached_property
    def _begun(self) -> tuple[NDArray[np.int64] | None, NDArray[np.int64]]:
        return _order(self.first, self.questions)

    @cached_property
    def _ended(self) -> tuple[NDArray[np.int64] | None, NDArray[np.int64]]:
        return _order(self.end, self.questions)

    def sums(self, parts: Iterable[NDArray[np.int64]]) -> NDArray[np.int64]:
        """Add up one or several integers of each event over the events that answer a question.

        Parameters
        ----------
        parts
            Int64, one for each event: small enough that the sum over all events fits into 64 bits.

        Returns
        -------
        NDArray[np.int64]
            Shape (parts, questions).
        """
        (order, begun), (end_order, ended) = self._begun, self._ended
        results = []
        for part in parts:
            prefix = _prefix(part, order)
            end_prefix = prefix if end_order is order else _prefix(part, end_order)
            results.append(prefix[begun] - end_prefix[ended])
        return np.stack(results)


def _order(
    positions: NDArray[np.int64], questions: int
) -> tuple[NDArray[np.int64] | None, NDArray[np.int64]]:
    """Return the order of events by position (None: they are in order), and how many are at or before each question."""
    sorted_already = bool((positions[1:] >= positions[:-1]).all())
    order = None if sorted_already else np.argsort(positions, kind="stable")
    return order, np.cumsum(np.bincount(positions, minlength=questions + 1))[:questions]


def _prefix(part: NDArray[np.int64], order: NDArray[np.int64] | None) -> NDArray[np.int64]:
    prefix = np.zeros(len(part) + 1, dtype=np.int64)
    np.cumsum(part if order is None else part[order], out=prefix[1:])
    return prefix
