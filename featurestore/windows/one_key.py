"""The windows of one key at one timestamp, over its stored events: plain Python, in microseconds.

The values are those of `featurestore.windows.join.windows_at`, to the last bit. All stored events are known and not
after the timestamp asked, so a window is all events after its lower edge: its aggregates are those of a suffix.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from featurestore.windows.measures import Measures, finish, is_mergeable
from featurestore.windows.open_head import LIFETIME_EDGE, Edge
from featurestore.windows.overflow import WindowOverflowError
from featurestore.windows.walk import TIMED, compute, length_of, lower_edge, value_itself, walk_of

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    import polars as pl

    from featurestore.values.event_codec import BlockList, Child
    from featurestore.windows.aggregation import Aggregation
    from featurestore.windows.measure import Measure
    from featurestore.windows.measures import StoredEvent
    from featurestore.windows.open_head import OpenHead
    from featurestore.windows.stored_columns import StoredColumns
    from featurestore.windows.walk import Asking, Finish, Walk, Wanted


@dataclass(frozen=True)
class _Group:
    """The windows of one length that are put together from measures.

    Attributes
    ----------
    length
        The length in microseconds; None: a lifetime.
    places, measures
        The number of each measure that they need, among those of the view, and the measure.
    finished
        For each window its position, which of the measures it needs, and what computes its value.
    timed
        The windows whose values depend on the timestamp, and not on the events alone: position, and what computes the value.
    names
        Names of all windows, by position.
    """

    length: int | None
    places: Sequence[int]
    measures: Sequence[Measure]
    finished: Sequence[tuple[int, int, Finish]]
    timed: Sequence[tuple[int, Finish]]
    names: Sequence[str]

    def fill(self, edge: Edge, low: float, now: int, values: list[Any]) -> None:
        """Compute the values of the windows after a lower edge."""
        results = edge.results(low, self.measures, self._results)
        for (position, _, _), result in zip(self.finished, results, strict=True):
            values[position] = result
        for position, finish_state in self.timed:
            values[position] = finish_state(values[position], now)

    def _results(self, states: Sequence[Any]) -> list[Any]:
        results: list[Any] = []
        try:
            for _, number, finish_state in self.finished:
                results.append(finish_state(states[number], 0))
        except OverflowError as error:
            raise WindowOverflowError(self.names[self.finished[len(results)][0]], str(error)) from error
        return results


class KeyWindows:
    """Some windows of a view, compiled once.

    Parameters
    ----------
    windows
        All windows of the view, in its order.
    names
        The windows that are computed.
    columns
        Where an event keeps what the windows of the view read.
    schema
        Dtypes of the events.
    """

    def __init__(
        self,
        windows: Mapping[str, Aggregation],
        names: Sequence[str],
        columns: StoredColumns,
        schema: Mapping[str, pl.DataType],
    ) -> None:
        self._measures = Measures(windows, columns, schema)
        self._names = tuple(names)
        by_length: dict[int | None, list[tuple[int, int, Finish, bool]]] = {}
        self._walks: list[Walk] = []
        for position, name in enumerate(names):
            window = windows[name]
            if is_mergeable(window):
                dtype = None if window.column is None else schema[window.column]
                finished = position, self._measures.place(window), finish(window, dtype)
                by_length.setdefault(length_of(window), []).append((*finished, window.kind == TIMED))
            else:
                self._walks.append(walk_of(name, position, window, columns, schema))
        self._by_length = [self._of_length(length, parts) for length, parts in by_length.items()]

    def _of_length(self, length: int | None, parts: Sequence[tuple[int, int, Finish, bool]]) -> _Group:
        places = list(dict.fromkeys(place for _, place, _, _ in parts))
        finished = [
            (position, places.index(place), value_itself if is_timed else finish_state)
            for position, place, finish_state, is_timed in parts
        ]
        timed = [(position, finish_state) for position, _, finish_state, is_timed in parts if is_timed]
        measures = [self._measures.all[place] for place in places]
        return _Group(length, places, measures, finished, timed, self._names)

    def start(self, key: OpenHead, now: int) -> tuple[list[Any], list[Asking]]:
        """Begin to compute the windows of a key at a timestamp.

        Returns
        -------
        tuple
            The values, which are complete once all generators have ended; and the generators, which ask for blocks.
            What `key` holds already is computed at once.

        Raises
        ------
        WindowOverflowError
            If a value does not fit into 64 bits; generators raise it too. Names the window.
        """
        values: list[Any] = [None] * len(self._names)
        asking: list[Asking] = []
        for number, group in enumerate(self._by_length):
            low = lower_edge(group.length, now)
            edge = key.edge(number, low)
            if edge is None:
                asking.append(self._group(key, number, now, values))
            else:
                group.fill(edge, low, now, values)
        for number, walk in enumerate(self._walks):
            result = key.result(number, lower_edge(walk.length, now))
            if result is None:
                asking.append(compute(walk, number, key, now, values))
            else:
                values[walk.position] = walk.finish(result.state, now)
        return values, asking

    def _group(self, key: OpenHead, number: int, now: int, values: list[Any]) -> Asking:
        group = self._by_length[number]
        low = lower_edge(group.length, now)
        edge = yield from self._edge(key, low, group.places)
        key.keep(number, edge)
        group.fill(edge, low, now, values)

    def _edge(self, key: OpenHead, low: float, places: Sequence[int]) -> Generator[Wanted, Any, Edge]:
        """Find a lower edge, and aggregate all events after its block."""
        head = key.head
        end = head.events[0][0] if head.events else math.inf
        if end <= low:
            return Edge(end, math.inf, head.events, None)
        for level, blocks in enumerate(head.lists):
            if blocks is None:
                continue
            if blocks.last <= low:
                return Edge(blocks.last, end, (), self._newer(key, level, places))
            if blocks.first <= low:
                return (yield from self._within(level, blocks, low, places, self._newer(key, level, places)))
            end = blocks.first
        return Edge(LIFETIME_EDGE, end, (), self._newer(key, len(head.lists), places))

    def _within(
        self, level: int, block: Child, low: float, places: Sequence[int], newer: list[Any]
    ) -> Generator[Wanted, Any, Edge]:
        """Find a lower edge that is within a list of blocks."""
        place = block.place
        for _ in range(level + 1):
            blocks: BlockList = yield place, False
            position = bisect_right(blocks.lasts, low)
            place = blocks.place(position)
            first = place[2]
            if first > low:
                newer = self._merged(blocks.suffix(position), places, newer)
                return Edge(blocks.lasts[position - 1], first, (), newer)
            if position + 1 < blocks.size:
                newer = self._merged(blocks.suffix(position + 1), places, newer)
        events: list[StoredEvent] = yield place, True
        return Edge(place[2], place[3], events, newer)

    def _newer(self, key: OpenHead, level: int, places: Sequence[int]) -> list[Any]:
        """Return the states of all events that are newer than the list of blocks of a level."""
        return [self._newer_state(key, level, place) for place in places]

    def _newer_state(self, key: OpenHead, level: int, place: int) -> Any:
        if (place, level) in key.newer:
            return key.newer[place, level]
        measure, head = self._measures.all[place], key.head
        if level == 0:
            state = measure.unpack(head.states[place]) if head.states else measure.of(())
        else:
            state = self._newer_state(key, level - 1, place)
            blocks = head.lists[level - 1]
            if blocks is not None:
                state = measure.merge(measure.unpack(blocks.states[place]), state)
        key.newer[place, level] = state
        return state

    def _merged(self, packed: Sequence[Any], places: Sequence[int], newer: Sequence[Any]) -> list[Any]:
        measures = self._measures.all
        return [
            measures[place].merge(measures[place].unpack(packed[place]), state)
            for place, state in zip(places, newer, strict=True)
        ]
