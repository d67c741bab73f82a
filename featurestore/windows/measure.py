"""What a window keeps of its events, so that the windows of two parts can be put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class Measure:
    """A mergeable aggregate.

    Attributes
    ----------
    of
        The state of some events or values, in order.
    merge
        The state of two parts, the older one first.
    pack, unpack
        A state as MessagePack can hold it, and back.
    """

    of: Callable[[Sequence[Any]], Any]
    merge: Callable[[Any, Any], Any]
    pack: Callable[[Any], Any]
    unpack: Callable[[Any], Any]
