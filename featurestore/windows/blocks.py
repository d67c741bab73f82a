"""The stored events of a key: the newest ones in the row of the key, the older ones in a tree of blocks."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from featurestore.values.event_codec import (
    BlockList,
    Child,
    Head,
    checksum,
    decode_events,
    decode_numbers,
    encode_events,
    encode_list,
    encode_numbers,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from featurestore.windows.measures import Measures, StoredEvent

    # Timestamps in rising order, each with all events that it has from now on.
    Changes = Sequence[tuple[int, Sequence[StoredEvent]]]

# The row of a key holds up to twice as many events as a leaf, and a list up to twice as many blocks as a node.
LEAF_EVENTS: Final = 32
NODE_BLOCKS: Final = 8
# Readers decode the row of a key: more numbers of free blocks than these are in a block.
MAX_FREE: Final = 64
FREED: Final = b"\xc0"
Fetch: TypeAlias = "Callable[[Sequence[tuple[int, int]]], list[bytes]]"
_timestamp = itemgetter(0)


class KeyEvents:
    """The events of one key while they are rewritten. No block that is in use changes: readers may hold the old head.

    The blocks are in lists by level: those of level 0 have leaves, those of level 1 lists of leaves, and so on. The blocks
    of a level are newer than those of the next level.

    Parameters
    ----------
    before
        The row of the key as it is stored.
    fetch
        Reads blocks, by number and checksum.

    Attributes
    ----------
    written
        The new blocks, by number.
    freed
        The numbers of blocks that are not in use any more.
    """

    def __init__(
        self,
        before: Head,
        measures: Measures,
        fetch: Fetch,
        *,
        leaf_events: int = LEAF_EVENTS,
        node_blocks: int = NODE_BLOCKS,
        max_free: int = MAX_FREE,
    ) -> None:
        self._measures, self._fetch = measures, fetch
        self._leaf_events, self._node_blocks = leaf_events, node_blocks
        self._events: list[StoredEvent] = list(before.events)
        self._states = before.states  # of these events; empty: they are to be computed
        self._lists = list(before.lists)
        self._opened: dict[int, list[Child]] = {}  # lists that change, by level
        self._next_number, self._free = before.next_number, list(before.free)
        self._more_free, self._max_free = before.more_free, max_free
        self.written: dict[int, bytes] = {}
        self.freed: list[int] = []

    @property
    def newest(self) -> int | None:
        """The timestamp of the newest event; None: there are no events."""
        return self._events[-1][0] if self._events else None

    def clear(self) -> None:
        """Remove all events."""
        for level in range(len(self._lists)):
            self._release(level, self._open(level))
            self._opened[level] = []
        self._events, self._states = [], []

    def append(self, events: Sequence[StoredEvent]) -> None:
        """Add events that are later than all others."""
        self._events.extend(events)
        if len(self._events) <= 2 * self._leaf_events:
            if self._states and events:
                added = (measure.of(events) for measure in self._measures.all)
                self._states = self._measures.merged(self._states, added)
            return
        self._states = []
        end = (len(self._events) // self._leaf_events - 1) * self._leaf_events
        for start in range(0, end, self._leaf_events):
            self._add(0, self._leaf(self._events[start : start + self._leaf_events]))
        del self._events[:end]

    def change(self, changes: Changes) -> None:
        """Give timestamps, none of them after the newest event, other events: only blocks on their paths are written."""
        if not self._events:
            return
        bounds = {level: self._bounds(level) for level in reversed(range(len(self._lists)))}
        parts = {level: part for level, part in bounds.items() if part}
        newest = self._events[0][0], self._events[-1][0]
        *shares, of_events = _shares([*parts.values(), newest], changes)
        if of_events:
            self._events, self._states = _changed(self._events, of_events), []
        for level, share in zip(parts, shares, strict=True):
            if share:
                self._opened[level] = self._rewritten(level, self._open(level), share)
        for level in reversed(parts):
            self._cut(level)
        self.append([])
        self._refill()

    def remove(self, until: int) -> None:
        """Remove all events up to a timestamp: of the blocks that stay, only those on its path are written."""
        if not self._events or self._events[-1][0] <= until:
            self.clear()
            return
        for level in reversed(range(len(self._lists))):
            bounds = self._bounds(level)
            if bounds is not None and bounds[0] <= until:
                self._opened[level] = self._later(level, self._open(level), until)
        self._events, self._states = [event for event in self._events if event[0] > until], []

    def forget(self, until: int) -> None:
        """Let go of events up to a timestamp, block by block; the newest event of all stays."""
        for level in reversed(range(len(self._lists))):
            bounds = self._bounds(level)
            if bounds is None:
                continue
            if bounds[0] > until or self._first_block_ends(level) > until:
                return
            children = self._open(level)
            gone = next((i for i, child in enumerate(children) if child.last > until), len(children))
            self._release(level, children[:gone])
            del children[:gone]
            if children:
                return
        last = len(self._events) - 1
        gone = next((i for i, event in enumerate(self._events) if event[0] > until or i == last), 0)
        if gone:
            del self._events[:gone]
            self._states = []

    def head(self) -> Head:
        """Write the lists that changed, and return the row of the key. Nothing is changed after this."""
        for level, children in self._opened.items():
            self._lists[level] = self._node(children) if children else None
        while self._lists and self._lists[-1] is None:
            self._lists.pop()
        states = self._states or self._measures.pack(
            measure.of(self._events) for measure in self._measures.all
        )
        free = self._free_numbers()
        events = [list(event) for event in self._events]
        return Head(events, states, self._lists, self._next_number, free, self._more_free)

    def _free_numbers(self) -> list[int]:
        """Return the free numbers for the row of the key, and write the others into a block if they are many."""
        # A number that is freed now is free from the next write on: a reader may still hold the head before this one.
        if len(self._free) + len(self.freed) <= self._max_free:
            return [*self._free, *self.freed]
        self._take_more_free()
        number = self._number()
        free = [*self._free, *self.freed]
        kept = self._max_free // 2
        self.written[number] = encode_numbers(free[kept:])
        self._more_free = number, checksum(self.written[number])
        return free[:kept]

    def _take_more_free(self) -> None:
        if self._more_free is not None:
            [block] = self._fetch([self._more_free])
            self._free += decode_numbers(block)
            self.freed.append(self._more_free[0])
            self._more_free = None

    def _bounds(self, level: int) -> tuple[int, int] | None:
        """Return the timestamps of the first and the last event of a level; None: it has no events."""
        if level in self._opened:
            children = self._opened[level]
            return (children[0].first, children[-1].last) if children else None
        held = self._lists[level]
        return None if held is None else (held.first, held.last)

    def _first_block_ends(self, level: int) -> int:
        held = self._lists[level]
        if level in self._opened or held is None:
            return self._opened[level][0].last
        return BlockList(self._blocks([held])[0]).lasts[0]

    def _open(self, level: int) -> list[Child]:
        """Return the blocks of a level to change them."""
        if level == len(self._lists):
            self._lists.append(None)
        if level not in self._opened:
            held = self._lists[level]
            self._opened[level] = [] if held is None else BlockList(self._blocks([held])[0]).children()
            if held is not None:
                self._drop(held)
        return self._opened[level]

    def _add(self, level: int, child: Child) -> None:
        self._open(level).append(child)
        self._cut(level)

    def _cut(self, level: int) -> None:
        """Move the oldest blocks of a level that is full to the next level."""
        while len(self._opened.get(level, ())) >= 2 * self._node_blocks:
            children = self._opened[level]
            oldest = children[: self._node_blocks]
            del children[: self._node_blocks]
            self._add(level + 1, self._node(oldest))

    def _rewritten(self, level: int, children: Sequence[Child], changes: Changes) -> list[Child]:
        """Return the blocks of a list of a level after changes."""
        shares = list(_shares([(child.first, child.last) for child in children], changes))
        touched = [child for child, share in zip(children, shares, strict=True) if share]
        blocks = iter(self._blocks(touched))
        for child in touched:
            self._drop(child)
        result: list[Child] = []
        for child, share in zip(children, shares, strict=True):
            if not share:
                result.append(child)
            elif level:
                below = self._rewritten(level - 1, BlockList(next(blocks)).children(), share)
                result.extend(map(self._node, _pieces(below, self._node_blocks)))
            else:
                events = _changed(decode_events(next(blocks)), share)
                result.extend(map(self._leaf, _pieces(events, self._leaf_events)))
        return result

    def _later(self, level: int, children: Sequence[Child], until: int) -> list[Child]:
        """Return the blocks of a list of a level without the events up to a timestamp."""
        gone = next((i for i, child in enumerate(children) if child.last > until), len(children))
        self._release(level, children[:gone])
        kept = list(children[gone:])
        if kept and kept[0].first <= until:
            [block] = self._blocks(kept[:1])
            self._drop(kept[0])
            if level:
                kept[0] = self._node(self._later(level - 1, BlockList(block).children(), until))
            else:
                kept[0] = self._leaf([event for event in decode_events(block) if event[0] > until])
        return kept

    def _refill(self) -> None:
        """Take the newest events of the blocks into the row of the key, if it has none."""
        while not self._events:
            level = next((level for level in range(len(self._lists)) if self._bounds(level)), None)
            if level is None:
                return
            newest = self._open(level).pop()
            [block] = self._blocks([newest])
            self._drop(newest)
            if level:
                self._opened[level - 1] = BlockList(block).children()
            else:
                self._events, self._states = list(decode_events(block)), []

    def _leaf(self, events: Sequence[StoredEvent]) -> Child:
        states = self._measures.pack(measure.of(events) for measure in self._measures.all)
        return self._stored(encode_events(events), events[0][0], events[-1][0], states)

    def _node(self, children: Sequence[Child]) -> Child:
        """Write a list of blocks. Its aggregates are those of the suffix of all blocks."""
        suffixes = self._measures.suffixes([child.states for child in children])
        block = encode_list(children, suffixes)
        return self._stored(block, children[0].first, children[-1].last, suffixes[0])

    def _stored(self, block: bytes, first: int, last: int, states: list[Any]) -> Child:
        number = self._number()
        self.written[number] = block
        return Child(number, checksum(block), first, last, states)

    def _number(self) -> int:
        if not self._free:
            self._take_more_free()
        if self._free:
            return self._free.pop()
        self._next_number += 1
        return self._next_number - 1

    def _blocks(self, children: Sequence[Child]) -> list[bytes]:
        stored = [child for child in children if child.number not in self.written]
        fetched = iter(self._fetch([(child.number, child.checksum) for child in stored]) if stored else ())
        return [self.written.get(child.number) or next(fetched) for child in children]

    def _drop(self, child: Child) -> None:
        if self.written.pop(child.number, None) is None:
            self.freed.append(child.number)
        else:  # no reader knows of it
            self._free.append(child.number)

    def _release(self, level: int, children: Sequence[Child]) -> None:
        """Drop blocks and all blocks below them."""
        if level and children:
            for block in self._blocks(children):
                self._release(level - 1, BlockList(block).children())
        for child in children:
            self._drop(child)


def _shares(parts: Sequence[tuple[int, int]], changes: Changes) -> Iterator[Changes]:
    """Yield the changes of each part: parts are events in order, of which the first and last timestamp are given.

    The events of a timestamp go to the last part that begins by then. Parts before it only lose events.
    """
    firsts = [first for first, _ in parts]
    owners = [max(bisect_right(firsts, timestamp) - 1, 0) for timestamp, _ in changes]
    for number, (first, last) in enumerate(parts):
        yield [
            change if owner == number else (change[0], ())
            for owner, change in zip(owners, changes, strict=True)
            if (owner == number and (change[1] or first <= change[0] <= last))
            or (owner > number and change[0] == last)
        ]


def _changed(events: Sequence[StoredEvent], changes: Changes) -> list[StoredEvent]:
    result: list[StoredEvent] = []
    done = 0
    for timestamp, now in changes:
        result += events[done : bisect_left(events, timestamp, lo=done, key=_timestamp)]
        result += now
        done = bisect_right(events, timestamp, lo=done, key=_timestamp)
    return [*result, *events[done:]]


def _pieces(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """Cut items into pieces of a size, if they are more than twice as many."""
    if len(items) <= 2 * size:
        return [items] if items else []
    return [items[start : start + size] for start in range(0, len(items), size)]
