"""The state of a view as a server stores it: with a checksum, as a stored row has one."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from featurestore.ports import ViewState
from featurestore.values.codec import CHECKSUM_BYTES, ROW_FORMAT, is_intact, seal

MAX_STATES = 1_024


def encode_state(view: str, state: ViewState) -> bytes:
    """Return the bytes of the state of a view."""
    return seal(view.encode(), msgspec.json.encode(state))


@lru_cache(maxsize=MAX_STATES)
def decode_state(view: str, stored: bytes) -> ViewState | None:
    """Read the state of a view.

    Returns
    -------
    ViewState or None
        None: a bit of it has changed. The view counts as one that the store does not hold: reads are refused, and the
        next materialization writes it in full. A state of a former version, without a checksum, is refused for its format.
    """
    is_sealed = is_intact(view.encode(), stored)
    try:
        state = msgspec.json.decode(stored[:-CHECKSUM_BYTES] if is_sealed else stored, type=ViewState)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return state if is_sealed or state.row_format != ROW_FORMAT else None
