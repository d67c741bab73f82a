"""The windows of one key at one timestamp, over its stored events: plain Python, in microseconds.

The values are those of `featurestore.windows.join.windows_at`, to the last bit. All stored events are known and not
after the timestamp asked, so a window is all events after its lower edge: its aggregates are those of a suffix.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias

from featurestore.timing.epoch import MICROSECOND
from featurestore.windows.measures import Measures, finish, is_mergeable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    import polars as pl

    from featurestore.values.event_codec import BlockList, Child, Head, Place
    from featurestore.windows.aggregation import Aggregation
    from featurestore.windows.measures import StoredEvent
    from featurestore.windows.stored_columns import StoredColumns

# Asks for a block by its place and whether it is a leaf, and is sent what it holds.
Wanted: TypeAlias = "tuple[Place, bool]"
Asking: TypeAlias = "Generator[Wanted, Any, None]"
_timestamp = itemgetter(0)


@dataclass(frozen=True)
class _Walk:
    """A window that is computed of its events one by one, the newest first, until it has enough."""

    position: int
    length: int | None
    where: int | None
    column: int | None
    enough: int | None
    finish: Callable[[list[StoredEvent], int], Any]


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
        self._width = len(names)
        by_length: dict[int | None, list[tuple[int, int, Any]]] = {}
        self._walks: list[_Walk] = []
        for position, name in enumerate(names):
            window = windows[name]
            length = None if window.duration is None else window.duration // MICROSECOND
            if is_mergeable(window):
                dtype = None if window.column is None else schema[window.column]
                finished = (position, self._measures.place(window), finish(window, dtype))
                by_length.setdefault(length, []).append(finished)
            else:
                self._walks.append(_walk(position, length, window, columns, schema))
        self._by_length = [
            (length, tuple(dict.fromkeys(place for _, place, _ in of_length)), of_length)
            for length, of_length in by_length.items()
        ]

    def start(self, head: Head, now: int) -> tuple[list[Any], list[Asking]]:
        """Begin to compute the windows of a key at a timestamp.

        Returns
        -------
        tuple
            The values, which are complete once all generators have ended; and the generators, which ask for blocks.
            One raises `OverflowError` if a sum of integers does not fit into 64 bits.
        """
        values: list[Any] = [None] * self._width
        folded: dict[tuple[int, int], Any] = {}
        asking = [self._group(head, folded, now, group, values) for group in self._by_length]
        asking += [_compute(walk, head, now, values) for walk in self._walks]
        return values, asking

    def _group(
        self,
        head: Head,
        folded: dict[tuple[int, int], Any],
        now: int,
        group: tuple[int | None, tuple[int, ...], list[tuple[int, int, Any]]],
        values: list[Any],
    ) -> Asking:
        length, places, finished = group
        low = None if length is None else now - length
        states = yield from self._suffix(head, low, places, folded)
        for position, place, finish_state in finished:
            values[position] = finish_state(states[place], now)

    def _suffix(
        self, head: Head, low: int | None, places: Sequence[int], folded: dict[tuple[int, int], Any]
    ) -> Generator[Wanted, Any, dict[int, Any]]:
        """Aggregate all events after a timestamp."""
        start = 0 if low is None else bisect_right(head.events, low, key=_timestamp)
        states = {}
        for place in places:
            if (place, start) not in folded:
                measure = self._measures.all[place]
                is_stored = not start and head.states
                folded[place, start] = (
                    measure.unpack(head.states[place]) if is_stored else measure.of(head.events[start:])
                )
            states[place] = folded[place, start]
        if start:
            return states
        for level, blocks in enumerate(head.lists):
            if blocks is None:
                continue
            if low is None or blocks.first > low:
                self._merge(blocks.states, states)
                continue
            if blocks.last > low:
                yield from self._within(level, blocks, low, states)
            break
        return states

    def _within(
        self, level: int, block: Child, low: int, states: dict[int, Any]
    ) -> Generator[Wanted, Any, None]:
        """Add the events of a list of blocks after a timestamp that is within it."""
        place = block.place
        for _ in range(level + 1):
            blocks: BlockList = yield place, False
            position = bisect_right(blocks.lasts, low)
            place = blocks.place(position)
            if place[2] > low:
                self._merge(blocks.suffix(position), states)
                return
            if position + 1 < blocks.size:
                self._merge(blocks.suffix(position + 1), states)
        events: list[StoredEvent] = yield place, True
        inside = events[bisect_right(events, low, key=_timestamp) :]
        for number, newer in states.items():
            measure = self._measures.all[number]
            states[number] = measure.merge(measure.of(inside), newer)

    def _merge(self, packed: Sequence[Any], states: dict[int, Any]) -> None:
        for place, newer in states.items():
            measure = self._measures.all[place]
            states[place] = measure.merge(measure.unpack(packed[place]), newer)


def _walk(
    position: int,
    length: int | None,
    window: Aggregation,
    columns: StoredColumns,
    schema: Mapping[str, pl.DataType],
) -> _Walk:
    where = None if window.where is None else columns.condition(window.where)
    column = columns.read(window)
    n, enough = window.n, window.events
    if window.kind == "last_n":
        # Missing values do not count among the last n values, but they do among the last n events.
        if enough is None:
            return _Walk(
                position, length, where, column, n, lambda events, _: [e[column] for e in events[::-1]]
            )
        return _Walk(
            position,
            length,
            where,
            None,
            enough,
            lambda events, _: [e[column] for e in events[::-1] if e[column] is not None][:n],
        )
    if window.kind == "distinct":
        return _Walk(
            position,
            length,
            where,
            None,
            enough,
            lambda events, _: len({e[column] for e in events if e[column] is not None}),
        )
    # The events are filtered already.
    dtype = None if window.column is None else schema[window.column]
    only = Measures({"": window}, columns, schema, every=True)
    of, finished = only.all[0].of, finish(window, dtype)
    return _Walk(position, length, where, None, enough, lambda events, now: finished(of(events), now))


def _compute(walk: _Walk, head: Head, now: int, values: list[Any]) -> Asking:
    low = None if walk.length is None else now - walk.length
    chosen = yield from _walked(head, low, walk)
    values[walk.position] = walk.finish(chosen, now)


def _walked(head: Head, low: int | None, walk: _Walk) -> Generator[Wanted, Any, list[StoredEvent]]:
    """Return the events of a window in order: the last ones, as many as the window counts."""
    chosen: list[StoredEvent] = []
    if _take(head.events, low, walk, chosen):
        return chosen[::-1]
    for level, blocks in enumerate(head.lists):
        if blocks is None:
            continue
        if low is not None and blocks.last <= low:
            break
        if (yield from _taken(blocks.place, level, low, walk, chosen)):
            break
    return chosen[::-1]


def _taken(
    place: Place, level: int, low: int | None, walk: _Walk, chosen: list[StoredEvent]
) -> Generator[Wanted, Any, bool]:
    """Add the events of a list of blocks, the newest first; returns whether no older event is needed."""
    blocks: BlockList = yield place, False
    oldest = 0 if low is None else bisect_right(blocks.lasts, low)
    for position in reversed(range(oldest, blocks.size)):
        below = blocks.place(position)
        if level:
            if (yield from _taken(below, level - 1, low, walk, chosen)):
                return True
        else:
            events: list[StoredEvent] = yield below, True
            if _take(events, low, walk, chosen):
                return True
    return oldest > 0


def _take(events: Sequence[StoredEvent], low: int | None, walk: _Walk, chosen: list[StoredEvent]) -> bool:
    """Add events, the newest first; returns whether no older event is needed."""
    for event in _newest_first(events, low):
        if (walk.where is None or event[walk.where]) and (
            walk.column is None or event[walk.column] is not None
        ):
            chosen.append(event)
            if len(chosen) == walk.enough:
                return True
    return bool(events) and low is not None and events[0][0] <= low


def _newest_first(events: Sequence[StoredEvent], low: int | None) -> Iterator[StoredEvent]:
    for event in reversed(events):
        if low is not None and event[0] <= low:
            return
        yield event
