"""Blocks of stored events that were read: kept in memory, up to a number of bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from featurestore.values.event_codec import Block
    from featurestore.windows.one_key import Wanted

    # The key of the entity, and the place. What is stored at a number changes, and with it the checksum: a place never does.
    Named = tuple[bytes, Wanted]

# As they are stored; the events of a leaf take about five times as much in memory.
MAX_BYTES: Final = 4 << 20
# A small block takes more in memory than its bytes.
MIN_BYTES: Final = 1 << 11


class BlockCache:
    """Decoded blocks by key and place.

    Attributes
    ----------
    bytes
        How many bytes the blocks have as they are stored: at most `MAX_BYTES`. A block of a few bytes counts as
        `MIN_BYTES`.
    """

    def __init__(self) -> None:
        self._blocks: dict[Named, Block] = {}
        self.bytes = 0

    def get(self, name: Named) -> Block | None:
        """Return a block; None if it is not kept."""
        return self._blocks.get(name)

    def keep(self, name: Named, block: Block, size: int) -> None:
        """Keep a block that has a number of bytes, and let go of all others if it does not fit beside them."""
        counted = max(size, MIN_BYTES)
        if self.bytes + counted > MAX_BYTES:
            self._blocks.clear()
            self.bytes = 0
        if counted <= MAX_BYTES:
            self._blocks[name] = block
            self.bytes += counted
