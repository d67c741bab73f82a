"""The row of a key that stays decoded, and what reads have put together from it: the next read goes on from there."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from featurestore.values.event_codec import Head
    from featurestore.windows.measure import Measure
    from featurestore.windows.measures import StoredEvent

# Of the windows of one length. Time goes on: reads are at two lower edges at most, unless they ask for the past.
MAX_EDGES: Final = 8
LIFETIME_EDGE: Final = -math.inf  # all events are after it


class Edge:
    """A range of lower edges of windows, within one block of events or between two.

    Parameters
    ----------
    first, end
        The lower edges: from `first` to before `end`.
    events
        The events of the block, in order; none between blocks.
    newer
        The states of all events after the block. None: there are no events after it.
    """

    __slots__ = ("_events", "_last", "_newer", "_timestamps", "end", "first")

    def __init__(
        self, first: float, end: float, events: Sequence[StoredEvent], newer: Sequence[Any] | None
    ) -> None:
        self.first, self.end = first, end
        self._events, self._newer = events, newer
        self._timestamps = [event[0] for event in events]
        self._last: tuple[int, Sequence[Any]] | None = None

    def results(
        self, low: float, measures: Sequence[Measure], results_of: Callable[[Sequence[Any]], Sequence[Any]]
    ) -> Sequence[Any]:
        """Return the results of the states of all events after a lower edge: those of the last read, if the events are."""
        position = bisect_right(self._timestamps, low)
        last = self._last
        if last is not None and last[0] == position:
            return last[1]
        results = results_of(self._states(self._events[position:], measures))
        self._last = position, results
        return results

    def _states(self, inside: Sequence[StoredEvent], measures: Sequence[Measure]) -> Sequence[Any]:
        if self._newer is None:
            return [measure.of(inside) for measure in measures]
        if not inside:
            return self._newer
        return [
            measure.merge(measure.of(inside), newer)
            for measure, newer in zip(measures, self._newer, strict=True)
        ]


class Result(NamedTuple):
    """What a window was computed to, for lower edges from `first` to before `end`."""

    first: float
    end: float
    state: Any


class OpenHead:
    """The row of a key, and what was put together from it and its blocks. Threads may share it.

    Attributes
    ----------
    head
        The row.
    newest
        The timestamp of the newest event; None: there are no events.
    newer
        The states of all events that are newer than a list of blocks, by measure and level.
    results
        The last result of each window that is computed from single events.
    """

    __slots__ = ("_edges", "head", "newer", "newest", "results")

    def __init__(self, head: Head) -> None:
        self.head = head
        self.newest: int | None = head.events[-1][0] if head.events else None
        self.newer: dict[tuple[int, int], Any] = {}
        self.results: dict[int, Result] = {}
        self._edges: dict[int, list[Edge]] = {}

    def edge(self, group: int, low: float) -> Edge | None:
        """Return what is known of a lower edge of the windows of one length."""
        for edge in self._edges.get(group, ()):
            if edge.first <= low < edge.end:
                return edge
        return None

    def keep(self, group: int, edge: Edge) -> None:
        """Keep an edge of the windows of one length."""
        edges = self._edges.get(group, [])
        self._edges[group] = [edge, *edges] if len(edges) < MAX_EDGES else [edge]

    def result(self, window: int, low: float) -> Result | None:
        """Return the last result of a window that is computed from single events, if it holds for a lower edge."""
        result = self.results.get(window)
        return result if result is not None and result.first <= low < result.end else None
