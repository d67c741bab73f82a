"""The codec of windowed views: the events of a key as the bytes of stored rows.

The row of a key, its *head*, is a header of 16 bytes as of all stored rows, and a MessagePack array: the newest events,
the lists of older blocks (newest list first), the number of the next block, the numbers that are free, and how many
pushed rows and deletions of the key are applied. An event is its timestamp (microseconds since 1970-01-01 UTC), the values that windows
read as the codec stores them, and one boolean for each condition.

A *block* is a row of its own under `block_key`: a leaf with events, or a node, which lists blocks. A list has for each
block its timestamps, its number, a checksum of its bytes, its aggregates, and the aggregates of it and all blocks after it
in the list, so that the aggregates of the events after a timestamp are read and not computed.

The header of a row is the watermark of the write and a counter, so that each write replaces the one before. Heads and
blocks end with the checksum of all stored rows (`featurestore.values.codec.seal`): it tells that a row is damaged. The
checksum of a block in a list tells that the block is of another write than the list.
"""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zlib import crc32

import msgspec

from featurestore.errors import StoreError
from featurestore.values.codec import HEADER, REBUILD, values_of

if TYPE_CHECKING:
    from collections.abc import Sequence

Event = list[Any]
# No MessagePack text begins with this byte, so no entity key does.
BLOCK_MARK: Final = b"\xc1"
_DIGEST_BYTES: Final = 16
_OFFSET: Final = 1 << 63
_NUMBER: Final = struct.Struct(">I")
_COUNT: Final = struct.Struct("<I")
# Of each block: the timestamps of its last and first event, its number, its checksum, and where its aggregates and those of
# the suffix begin.
_ENTRY: Final = struct.Struct("<qqIIII")
_LAST: Final = struct.Struct("<q")
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(list)


class Child(NamedTuple):
    """A block in a list: its number, checksum, timestamps of the first and last event, and its packed aggregates."""

    number: int
    checksum: int
    first: int
    last: int
    states: list[Any]


class Head(NamedTuple):
    """The row of a key."""

    events: list[Event]
    lists: list[bytes]
    next_number: int
    free: list[int]
    pushed: int
    deleted: int


EMPTY_HEAD: Final = Head([], [], 0, [], 0, 0)


def is_block(key: bytes) -> bool:
    """Return whether a stored key is that of a block, and not of an entity."""
    return key[:1] == BLOCK_MARK


def block_key(key: bytes, number: int) -> bytes:
    """Return the stored key of a block of an encoded entity key."""
    return BLOCK_MARK + blake2b(key, digest_size=_DIGEST_BYTES).digest() + _NUMBER.pack(number)


def checksum(block: bytes) -> int:
    """Return the checksum by which a list names the content of a block, without its header and the checksum of its row."""
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
        return Head(*_DECODER.decode(values_of(row)))
    except (msgspec.DecodeError, TypeError) as error:
        raise undecodable(error) from error


def encode_events(events: Sequence[Sequence[Any]]) -> bytes:
    """Encode the events of a leaf."""
    return _ENCODER.encode(events)


def decode_events(block: bytes) -> list[Event]:
    """Decode the events of a leaf."""
    return _DECODER.decode(block)


def undecodable(error: Exception) -> StoreError:
    """Return the error of stored bytes that cannot be decoded."""
    return StoreError(f"stored events cannot be decoded: {error}", hint=REBUILD)


def encode_list(children: Sequence[Child], suffixes: Sequence[list[Any]]) -> bytes:
    """Encode a list of blocks, with the packed aggregates of each and those of each suffix."""
    entries = bytearray(_COUNT.pack(len(children)))
    records: list[bytes] = []
    place = _COUNT.size + _ENTRY.size * len(children)
    for child, suffix in zip(children, suffixes, strict=True):
        own, rest = _ENCODER.encode(child.states), _ENCODER.encode(suffix)
        entries += _ENTRY.pack(child.last, child.first, child.number, child.checksum, place, place + len(own))
        records += (own, rest)
        place += len(own) + len(rest)
    return bytes(entries) + b"".join(records)


class BlockList:
    """A list of blocks, read in place: only the entries that are asked for are decoded."""

    __slots__ = ("_data", "size")

    def __init__(self, data: bytes) -> None:
        self._data = data
        [self.size] = _COUNT.unpack_from(data)

    def first_after(self, timestamp: int) -> int:
        """Return the position of the first block that has an event after a timestamp; the size if there is none."""
        low, high = 0, self.size
        while low < high:
            middle = (low + high) // 2
            if _LAST.unpack_from(self._data, _COUNT.size + _ENTRY.size * middle)[0] > timestamp:
                high = middle
            else:
                low = middle + 1
        return low

    def child(self, position: int) -> Child:
        """Return a block of the list."""
        last, first, number, check, own, rest = self._entry(position)
        return Child(number, check, first, last, _DECODER.decode(self._data[own:rest]))

    def place(self, position: int) -> tuple[int, int, int]:
        """Return the number and the checksum of a block, and the timestamp of its first event."""
        _, first, number, check, _, _ = self._entry(position)
        return number, check, first

    def last(self, position: int) -> int:
        """Return the timestamp of the last event of a block."""
        timestamp: int = self._entry(position)[0]
        return timestamp

    def suffix(self, position: int) -> list[Any]:
        """Return the packed aggregates of a block and all after it."""
        rest = self._entry(position)[5]
        end = self._entry(position + 1)[4] if position + 1 < self.size else len(self._data)
        return _DECODER.decode(self._data[rest:end])

    def children(self) -> list[Child]:
        """Return all blocks of the list."""
        return [self.child(position) for position in range(self.size)]

    def _entry(self, position: int) -> tuple[Any, ...]:
        return _ENTRY.unpack_from(self._data, _COUNT.size + _ENTRY.size * position)
