"""The codec of windowed views: the events of one key as the bytes of one stored row.

A row is a header of 16 bytes, as of all stored rows, and a MessagePack array of events in the order of their versions.
An event is its moment (microseconds since 1970-01-01 UTC), the values that windows read as the codec stores them, and
one boolean for each condition. The header counts the writes of a key, so that each write replaces the one before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from featurestore.values.codec import HEADER, decode_values, encode_values

if TYPE_CHECKING:
    from collections.abc import Sequence

Event = list[Any]


def encode_events(events: Sequence[Sequence[Any]], before: bytes | None) -> bytes:
    """Encode the events of a key to replace the stored row `before`."""
    writes = 0 if before is None else HEADER.unpack_from(before)[1]
    return HEADER.pack(0, writes + 1) + encode_values(events)


def decode_events(row: bytes | None) -> list[Event]:
    """Decode the events of a key; without a row there are none.

    Raises
    ------
    StoreError
        If the bytes cannot be decoded.
    """
    return [] if row is None else decode_values(row)
