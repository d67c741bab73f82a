"""The stored events of a key: the newest ones in the row of the key, the older ones in a tree of blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from featurestore.values.event_codec import (
    BlockList,
    Child,
    Head,
    checksum,
    encode_events,
    encode_list,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from featurestore.windows.measures import Measures

LEAF_EVENTS: Final = 16
# The row of a key holds up to twice as many events as a leaf, and each list up to twice as many blocks as a node.
NODE_BLOCKS: Final = 64
# Of measures that are larger than a few events, so that a list of them stays small.
NODE_BLOCKS_OF_LARGE: Final = 8
FREED: Final = b"\xc0"
Fetch: TypeAlias = "Callable[[Sequence[tuple[int, int]]], list[bytes]]"


class KeyEvents:
    """The events of one key while they are rewritten. No block that is in use changes: readers may hold the old head.

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
        node_blocks: int | None = None,
    ) -> None:
        self._measures, self._fetch = measures, fetch
        self._leaf_events = leaf_events
        self._node_blocks = node_blocks or (NODE_BLOCKS_OF_LARGE if measures.are_large else NODE_BLOCKS)
        self._events: list[Sequence[Any]] = list(before.events)
        self._lists: list[bytes | list[Child]] = list(before.lists)
        self._next_number, self._free = before.next_number, list(before.free)
        self.written: dict[int, bytes] = {}
        self.freed: list[int] = []

    @property
    def newest(self) -> int | None:
        """The timestamp of the newest event; None: there are no events."""
        return self._events[-1][0] if self._events else None

    def clear(self) -> None:
        """Remove all events."""
        for level in range(len(self._lists)):
            self._release(level, self._children(level))
        self._events, self._lists = [], []

    def append(self, events: Sequence[Sequence[Any]]) -> None:
        """Add events that are later than all others."""
        self._events.extend(events)
        if len(self._events) <= 2 * self._leaf_events:
            return
        end = (len(self._events) // self._leaf_events - 1) * self._leaf_events
        for start in range(0, end, self._leaf_events):
            leaf = self._events[start : start + self._leaf_events]
            states = self._measures.pack(measure.of(leaf) for measure in self._measures.all)
            self._add(0, self._stored(encode_events(leaf), leaf[0][0], leaf[-1][0], states))
        del self._events[:end]

    def forget(self, until: int) -> None:
        """Let go of events up to a timestamp, block by block; the newest event of all stays."""
        for level in reversed(range(len(self._lists))):
            held = self._lists[level]
            blocks = BlockList(held) if isinstance(held, bytes) else None
            if blocks is not None and (not blocks.size or blocks.last(0) > until):
                if blocks.size:
                    return
                continue
            children = self._children(level)
            gone = next((i for i, child in enumerate(children) if child.last > until), len(children))
            self._release(level, children[:gone])
            del children[:gone]
            if children:
                return
        last = len(self._events) - 1
        gone = next((i for i, event in enumerate(self._events) if event[0] > until or i == last), 0)
        del self._events[:gone]

    def head(self, pushed: int, deleted: int) -> Head:
        """Return the row of the key, with the number of pushed rows and of deletions that are applied."""
        lists = [held if isinstance(held, bytes) else self.encoded(held) for held in self._lists]
        while lists and not BlockList(lists[-1]).size:
            lists.pop()
        # A number that is freed now is free from the next write on: a reader may still hold the head before this one.
        events = [list(event) for event in self._events]
        return Head(events, lists, self._next_number, [*self._free, *self.freed], pushed, deleted)

    def encoded(self, children: Sequence[Child]) -> bytes:
        """Encode a list of blocks."""
        suffixes: list[list[Any]] = []
        rest: list[Any] | None = None
        for child in reversed(children):
            states = self._measures.unpack(child.states)
            rest = states if rest is None else self._measures.merge(states, rest)
            suffixes.append(self._measures.pack(rest))
        return encode_list(children, suffixes[::-1])

    def _add(self, level: int, child: Child) -> None:
        if level == len(self._lists):
            self._lists.append([])
        children = self._children(level)
        children.append(child)
        if len(children) < 2 * self._node_blocks:
            return
        oldest = children[: self._node_blocks]
        del children[: self._node_blocks]
        states = self._measures.unpack(oldest[0].states)
        for child_after in oldest[1:]:
            states = self._measures.merge(states, self._measures.unpack(child_after.states))
        packed = self._measures.pack(states)
        self._add(level + 1, self._stored(self.encoded(oldest), oldest[0].first, oldest[-1].last, packed))

    def _children(self, level: int) -> list[Child]:
        held = self._lists[level]
        if isinstance(held, bytes):
            held = self._lists[level] = BlockList(held).children()
        return held

    def _stored(self, block: bytes, first: int, last: int, states: list[Any]) -> Child:
        if self._free:
            number = self._free.pop()
        else:
            number = self._next_number
            self._next_number += 1
        self.written[number] = block
        return Child(number, checksum(block), first, last, states)

    def _release(self, level: int, children: Sequence[Child]) -> None:
        # A block that was written by this very rewrite is not stored yet.
        if level and children:
            stored = [child for child in children if child.number not in self.written]
            blocks = self._fetch([(child.number, child.checksum) for child in stored])
            blocks += [self.written[child.number] for child in children if child.number in self.written]
            for block in blocks:
                self._release(level - 1, BlockList(block).children())
        self.freed.extend(child.number for child in children)
