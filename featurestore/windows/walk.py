"""Windows that are computed from single events: the last n, different values, the last n events of any kind.

Blocks are asked for, the newest first, until a window has enough events.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from featurestore.timing.epoch import MICROSECOND
from featurestore.windows.measures import Measures, finish
from featurestore.windows.open_head import LIFETIME_EDGE, Result
from featurestore.windows.overflow import WindowOverflowError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    import polars as pl

    from featurestore.values.event_codec import BlockList, Head, Place
    from featurestore.windows.aggregation import Aggregation, Kind
    from featurestore.windows.measures import StoredEvent
    from featurestore.windows.open_head import OpenHead
    from featurestore.windows.stored_columns import StoredColumns

# A block by its place, and whether it is a leaf. A generator yields it, and is sent what the block holds.
Wanted: TypeAlias = "tuple[Place, bool]"
Asking: TypeAlias = "Generator[Wanted, Any, None]"
# The kind whose value depends on the timestamp, and not on the events alone.
TIMED: Final[Kind] = "time_since"
# The value of a window from a state and the timestamp.
Finish: TypeAlias = "Callable[[Any, int], Any]"


@dataclass(frozen=True)
class Walk:
    """A window that is computed from single events, the newest first, until it has enough.

    Attributes
    ----------
    name
        The window.
    position
        The place of its value among those of the view.
    length
        The length in microseconds; None: a lifetime.
    where, column
        The place in an event of the condition that it must meet, and of the value that it must have. None: any event.
    enough
        The number of events that suffice. None: all events are read.
    state
        What is kept of the events of the window, in order.
    finish
        The value of the window.
    """

    name: str
    position: int
    length: int | None
    where: int | None
    column: int | None
    enough: int | None
    state: Callable[[list[StoredEvent]], Any]
    finish: Finish


def lower_edge(length: int | None, now: int) -> float:
    """Return the lower edge of a window: its events are later."""
    return LIFETIME_EDGE if length is None else now - length


def length_of(window: Aggregation) -> int | None:
    """Return the length of a window in microseconds; None: it has no lower edge."""
    return None if window.duration is None else window.duration // MICROSECOND


def walk_of(
    name: str,
    position: int,
    window: Aggregation,
    columns: StoredColumns,
    schema: Mapping[str, pl.DataType],
) -> Walk:
    """Compile a window. `position` is the place of its value; `schema` has the dtypes of the events."""
    where = None if window.where is None else columns.condition(window.where)
    column = columns.read(window)
    needed: int | None = None
    enough = window.events
    state: Callable[[list[StoredEvent]], Any]
    of_state: Finish = value_itself
    if window.kind == "last_n" and enough is None:
        needed, enough, state = column, window.n, partial(_newest, column, None)
    elif window.kind == "last_n":
        # Missing values do not count among the last n values, but they do among the last n events.
        state = partial(_newest, column, window.n)
    elif window.kind == "distinct":
        state = partial(_distinct, column)
    else:
        # The events are filtered already.
        dtype = None if window.column is None else schema[window.column]
        of = Measures({"": window}, columns, schema, every=True).all[0].of
        finished = finish(window, dtype)
        if window.kind == TIMED:
            state, of_state = of, finished
        else:
            state = partial(_value, of, finished)
    return Walk(name, position, length_of(window), where, needed, enough, state, of_state)


def _newest(column: int, number: int | None, events: Sequence[StoredEvent]) -> list[Any]:
    """Return the values of events, the newest first. A number: at most that many, without missing ones."""
    values = [event[column] for event in events[::-1]]
    return values if number is None else [value for value in values if value is not None][:number]


def _distinct(column: int, events: Sequence[StoredEvent]) -> int:
    """Count the different values of events."""
    return len({event[column] for event in events if event[column] is not None})


def _value(
    of: Callable[[Sequence[StoredEvent]], Any], finished: Finish, events: Sequence[StoredEvent]
) -> Any:
    """Return the value of a window of events, which no timestamp changes."""
    return finished(of(events), 0)


def value_itself(value: Any, _: int) -> Any:
    """Return a state that is the value of its window already."""
    return value


def compute(walk: Walk, number: int, key: OpenHead, now: int, values: list[Any]) -> Asking:
    """Compute a window of a key at a timestamp, put its value into `values`, and keep its state in `key`.

    Raises
    ------
    WindowOverflowError
        If the value does not fit into 64 bits. Names the window.
    """
    low = lower_edge(walk.length, now)
    chosen = yield from _window_events(key.head, low, walk)
    try:
        state = walk.state(chosen)
    except OverflowError as error:
        raise WindowOverflowError(walk.name, str(error)) from error
    first = LIFETIME_EDGE if len(chosen) == walk.enough else low
    key.results[number] = Result(first, chosen[0][0] if chosen else math.inf, state)
    values[walk.position] = walk.finish(state, now)


def _window_events(head: Head, low: float, walk: Walk) -> Generator[Wanted, Any, list[StoredEvent]]:
    """Return the events of a window in order: the last ones, as many as the window counts."""
    chosen: list[StoredEvent] = []
    if _take_events(head.events, low, walk, chosen):
        return chosen[::-1]
    for level, blocks in enumerate(head.lists):
        if blocks is None:
            continue
        if blocks.last <= low:
            break
        if (yield from _take_from_list(blocks.place, level, low, walk, chosen)):
            break
    return chosen[::-1]


def _take_from_list(
    place: Place, level: int, low: float, walk: Walk, chosen: list[StoredEvent]
) -> Generator[Wanted, Any, bool]:
    """Add the events of a list of blocks, the newest first; returns whether no older event is needed."""
    blocks: BlockList = yield place, False
    oldest = bisect_right(blocks.lasts, low)
    for position in reversed(range(oldest, blocks.size)):
        below = blocks.place(position)
        if level:
            if (yield from _take_from_list(below, level - 1, low, walk, chosen)):
                return True
        else:
            events: list[StoredEvent] = yield below, True
            if _take_events(events, low, walk, chosen):
                return True
    return oldest > 0


def _take_events(events: Sequence[StoredEvent], low: float, walk: Walk, chosen: list[StoredEvent]) -> bool:
    """Add events, the newest first; returns whether no older event is needed."""
    for event in _newest_first(events, low):
        if (walk.where is None or event[walk.where]) and (
            walk.column is None or event[walk.column] is not None
        ):
            chosen.append(event)
            if len(chosen) == walk.enough:
                return True
    return bool(events) and events[0][0] <= low


def _newest_first(events: Sequence[StoredEvent], low: float) -> Iterator[StoredEvent]:
    for event in reversed(events):
        if event[0] <= low:
            return
        yield event
