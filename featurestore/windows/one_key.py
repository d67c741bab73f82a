"""The windows of one key at one timestamp, over its stored events: plain Python, in microseconds.

The values are those of `featurestore.windows.join.windows_at`, to the last bit. All stored events are known and not
after the timestamp asked, so a window is all events after its lower edge: its aggregates are those of a suffix.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Generator
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias

from featurestore.timing.epoch import MICROSECOND
from featurestore.values.event_codec import BlockList, decode_events
from featurestore.windows.measures import Measures, finish, is_mergeable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import polars as pl

    from featurestore.values.event_codec import Head
    from featurestore.windows.aggregation import Aggregation
    from featurestore.windows.measures import StoredEvent
    from featurestore.windows.stored_columns import StoredColumns

# Asks for a block by number and checksum, and is sent its bytes.
Asking: TypeAlias = Generator[tuple[int, int], bytes, None]
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
        lists = [BlockList(data) for data in head.lists]
        folded: dict[tuple[int, int], Any] = {}
        asking = [self._group((head.events, lists, folded), now, group, values) for group in self._by_length]
        asking += [_compute(walk, head.events, lists, now, values) for walk in self._walks]
        return values, asking

    def _group(
        self,
        stored: tuple[Sequence[StoredEvent], Sequence[BlockList], dict[tuple[int, int], Any]],
        now: int,
        group: tuple[int | None, tuple[int, ...], list[tuple[int, int, Any]]],
        values: list[Any],
    ) -> Asking:
        length, places, finished = group
        events, lists, folded = stored
        low = None if length is None else now - length
        states = yield from self._suffix(events, lists, low, places, folded)
        for position, place, finish_state in finished:
            values[position] = finish_state(states[place], now)

    def _suffix(
        self,
        events: Sequence[StoredEvent],
        lists: Sequence[BlockList],
        low: int | None,
        places: Sequence[int],
        folded: dict[tuple[int, int], Any],
    ) -> Generator[tuple[int, int], bytes, dict[int, Any]]:
        """Aggregate all events after a timestamp."""
        start = 0 if low is None else bisect_right(events, low, key=_timestamp)
        states = {}
        for place in places:
            if (place, start) not in folded:
                folded[place, start] = self._measures.all[place].of(events[start:] if start else events)
            states[place] = folded[place, start]
        if start:
            return states
        for level, blocks in enumerate(lists):
            position = 0 if low is None else blocks.first_after(low)
            if position == blocks.size:
                if position:
                    return states
                continue
            if (yield from self._from(blocks, level, position, low, states)):
                return states
        return states

    def _from(
        self, blocks: BlockList, level: int, position: int, low: int | None, states: dict[int, Any]
    ) -> Generator[tuple[int, int], bytes, bool]:
        """Add the events of a list to states, from a block on; returns whether the edge is in this list."""
        number, check, first = blocks.place(position)
        if low is None or first > low:
            self._merge(blocks.suffix(position), states)
            return position > 0
        if position + 1 < blocks.size:
            self._merge(blocks.suffix(position + 1), states)
        block = yield number, check
        if level:
            children = BlockList(block)
            yield from self._from(children, level - 1, children.first_after(low), low, states)
        else:
            events = decode_events(block)
            inside = events[bisect_right(events, low, key=_timestamp) :]
            for place, newer in states.items():
                measure = self._measures.all[place]
                states[place] = measure.merge(measure.of(inside), newer)
        return True

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


def _compute(
    walk: _Walk, events: Sequence[StoredEvent], lists: Sequence[BlockList], now: int, values: list[Any]
) -> Asking:
    low = None if walk.length is None else now - walk.length
    chosen = yield from _walked(events, lists, low, walk)
    values[walk.position] = walk.finish(chosen, now)


def _walked(
    events: Sequence[StoredEvent], lists: Sequence[BlockList], low: int | None, walk: _Walk
) -> Generator[tuple[int, int], bytes, list[StoredEvent]]:
    """Return the events of a window in order: the last ones, as many as the window counts."""
    chosen: list[StoredEvent] = []
    if _take(events, low, walk, chosen):
        return chosen[::-1]
    for level, blocks in enumerate(lists):
        if (yield from _taken(blocks, level, low, walk, chosen)):
            break
    return chosen[::-1]


def _taken(
    blocks: BlockList, level: int, low: int | None, walk: _Walk, chosen: list[StoredEvent]
) -> Generator[tuple[int, int], bytes, bool]:
    for position in reversed(range(0 if low is None else blocks.first_after(low), blocks.size)):
        number, check, _ = blocks.place(position)
        block = yield number, check
        if level:
            if (yield from _taken(BlockList(block), level - 1, low, walk, chosen)):
                return True
        elif _take(decode_events(block), low, walk, chosen):
            return True
    return low is not None and bool(blocks.size) and blocks.first_after(low) > 0


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
