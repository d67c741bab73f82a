"""The codec of windowed views: the events of a key as the bytes of stored rows.

The row of a key, its *head*, is a header of 16 bytes as of all stored rows, and a MessagePack array: the newest events and
their aggregates, the lists of older blocks (the newest list first), the number of the next block, the numbers that are
free, and the block of more free numbers. An event is its timestamp (microseconds since 1970-01-01 UTC), the values that windows read as the codec stores them,
and one boolean for each condition.

A *block* is a row of its own (`block_keys`): a leaf with events, or a list of blocks. The head and each list name their
blocks by number, a checksum of the content, the timestamps of the first and last event, and the aggregates of all its
events. A list also has the aggregates of each block and all blocks after it, so that the aggregates of the events after a
timestamp are read and not computed.

The header of a row is the watermark of the write and a counter, so that each write replaces the one before. Heads and
blocks end with the checksum of all stored rows (`featurestore.values.codec.seal`): it tells that a row is damaged. The
checksum by which a list names a block tells that the block is of another write than the list.
"""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias
from zlib import crc32

import msgspec

from featurestore.errors import StoreError
from featurestore.values.codec import HEADER, REBUILD, values_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Event = list[Any]
# A block that is asked for: its number and checksum, and the timestamps of its first and last event.
Place: TypeAlias = tuple[int, int, int, int]
# No MessagePack text begins with this byte, so no entity key does.
BLOCK_MARK: Final = b"\xc1"
_DIGEST_BYTES: Final = 16
_OFFSET: Final = 1 << 63
_NUMBER: Final = struct.Struct(">I")
_COUNT: Final = struct.Struct("<I")
_LAST_BYTES: Final = 8
# Of each block: the timestamp of its first event, its number, its checksum, and where its aggregates and those of the
# suffix begin.
_ENTRY: Final = struct.Struct("<qIIII")
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(list)


class Child(NamedTuple):
    """A block as the head and lists name it: the timestamps are of its first and last event, `states` are packed."""

    number: int
    checksum: int
    first: int
    last: int
    states: list[Any]

    @property
    def place(self) -> Place:
        """Where the block is."""
        return self.number, self.checksum, self.first, self.last


class Head(NamedTuple):
    """The row of a key.

    `states` are the packed aggregates of its events. A list without blocks is None. `more_free` is the number and the
    checksum of a block of free numbers, which only writers read.
    """

    events: list[Event]
    states: list[Any]
    lists: list[Child | None]
    next_number: int
    free: list[int]
    more_free: tuple[int, int] | None


EMPTY_HEAD: Final = Head([], [], [], 0, [], None)


def is_block(key: bytes) -> bool:
    """Return whether a stored key is that of a block, and not of an entity."""
    return key[:1] == BLOCK_MARK


def block_keys(key: bytes) -> Callable[[int], bytes]:
    """Return the function that gives the stored key of a block of an encoded entity key by its number."""
    prefix = BLOCK_MARK + blake2b(key, digest_size=_DIGEST_BYTES).digest()
    return lambda number: prefix + _NUMBER.pack(number)


def checksum(block: bytes) -> int:
    """Return the checksum by which the content of a block is named, without its header and the checksum of its row."""
    return crc32(block)


def header(watermark: int, before: bytes | None) -> bytes:
    """Return the header of rows written at a watermark (microseconds) to replace those of a head."""
    writes = 0 if before is None else HEADER.unpack_from(before)[1]
    return HEADER.pack(watermark + _OFFSET, writes + 1)


def encode_head(head: Head) -> bytes:
    """Encode the row of a key, without its header and checksum."""
    return _ENCODER.encode(tuple(head))


def decode_head(row: bytes | None) -> Head:
    """Decode the row of a key; without a row there are no events.

    Raises
    ------
    StoreError
        If the bytes cannot be decoded.
    """
    if row is None:
        return EMPTY_HEAD
    try:
        events, states, lists, next_number, free, more = _DECODER.decode(values_of(row))
        named = [block and Child(*block) for block in lists]
        return Head(events, states, named, next_number, free, more and tuple(more))
    except (msgspec.DecodeError, TypeError, ValueError) as error:
        raise undecodable(error) from error


def encode_events(events: Sequence[Sequence[Any]]) -> bytes:
    """Encode the events of a leaf."""
    return _ENCODER.encode(events)


def decode_events(block: bytes) -> list[Event]:
    """Decode the events of a leaf."""
    return _DECODER.decode(block)


def encode_numbers(numbers: Sequence[int]) -> bytes:
    """Encode the numbers of free blocks."""
    return _ENCODER.encode(numbers)


def decode_numbers(block: bytes) -> list[int]:
    """Decode the numbers of free blocks."""
    return _DECODER.decode(block)


def undecodable(error: Exception) -> StoreError:
    """Return the error of stored bytes that cannot be decoded."""
    return StoreError(f"stored events cannot be decoded: {error}", hint=REBUILD)


def encode_list(children: Sequence[Child], suffixes: Sequence[list[Any]]) -> bytes:
    """Encode a list of blocks, with the packed aggregates of each and those of each suffix."""
    size = len(children)
    lasts = struct.pack(f"<{size}q", *(child.last for child in children))
    entries: list[bytes] = []
    records: list[bytes] = []
    place = _COUNT.size + (_LAST_BYTES + _ENTRY.size) * size
    for child, suffix in zip(children, suffixes, strict=True):
        own, rest = _ENCODER.encode(child.states), _ENCODER.encode(suffix)
        entries.append(_ENTRY.pack(child.first, child.number, child.checksum, place, place + len(own)))
        records += (own, rest)
        place += len(own) + len(rest)
    return b"".join((_COUNT.pack(size), lasts, *entries, *records))


class BlockList:
    """A list of blocks, read in place: only the entries that are asked for are decoded.

    Attributes
    ----------
    size
        The number of blocks.
    lasts
        The timestamp of the last event of each, rising.
    """

    __slots__ = ("_data", "_entries", "_suffixes", "lasts", "size")

    def __init__(self, data: bytes) -> None:
        self._data = data
        [self.size] = _COUNT.unpack_from(data)
        self.lasts: tuple[int, ...] = struct.unpack_from(f"<{self.size}q", data, _COUNT.size)
        self._entries = _COUNT.size + _LAST_BYTES * self.size
        self._suffixes: dict[int, list[Any]] = {}

    def child(self, position: int) -> Child:
        """Return a block of the list."""
        first, number, check, own, rest = self._entry(position)
        return Child(number, check, first, self.lasts[position], _DECODER.decode(self._data[own:rest]))

    def place(self, position: int) -> Place:
        """Return where a block is."""
        first, number, check, _, _ = self._entry(position)
        return number, check, first, self.lasts[position]

    def suffix(self, position: int) -> list[Any]:
        """Return the packed aggregates of a block and all after it."""
        states = self._suffixes.get(position)
        if states is None:
            rest = self._entry(position)[4]
            end = self._entry(position + 1)[3] if position + 1 < self.size else len(self._data)
            states = self._suffixes[position] = _DECODER.decode(self._data[rest:end])
        return states

    def children(self) -> list[Child]:
        """Return all blocks of the list."""
        return [self.child(position) for position in range(self.size)]

    def _entry(self, position: int) -> tuple[Any, ...]:
        return _ENTRY.unpack_from(self._data, self._entries + _ENTRY.size * position)


# What a block holds: events, or blocks.
Block: TypeAlias = "list[Event] | BlockList"


def decode_block(content: bytes, *, is_leaf: bool) -> Block:
    """Decode the content of a block."""
    return decode_events(content) if is_leaf else BlockList(content)
