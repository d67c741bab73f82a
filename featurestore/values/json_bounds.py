"""Bounds of JSON bodies, checked on the text: what is refused here would hold up the event loop while it is decoded."""

from __future__ import annotations

from typing import Final

import numpy as np

from featurestore.errors import ContractError

# The largest float has 309 digits. Python takes quadratic time for the digits of an integer.
MAX_DIGITS: Final = 400
# Python's decoders stop at about this depth too.
MAX_DEPTH: Final = 1_000
# Lists and objects for each row of a request: a row has a few columns that hold lists.
CONTAINERS_PER_ROW: Final = 32
# Smaller texts are decoded in a few milliseconds in every case.
_FREE_BYTES: Final = 32 << 10
_AS_ONES: Final = bytes.maketrans(b"0123456789", b"1" * 10)
_DIGITS: Final = b"1" * (MAX_DIGITS + 1)


def require_bounded(text: bytes, *, max_rows: int | None, where: str) -> None:
    """Refuse JSON with too many lists and objects, or with a number of too many digits. It need not be valid.

    Parameters
    ----------
    max_rows
        Rows that a request may have. It may have `CONTAINERS_PER_ROW` lists and objects for each. None: the type that
        the text is decoded as bounds them.
    where
        Begins the message.

    Raises
    ------
    ContractError
        If the text exceeds a bound.
    RecursionError
        If the text is nested too deep, as decoders raise.
    """
    if len(text) <= _FREE_BYTES:
        return
    # Counted with the text of strings first: that takes less time, and almost always decides.
    limit = len(text) if max_rows is None else CONTAINERS_PER_ROW * max_rows
    has_many = _containers(text) > limit
    has_long = _DIGITS in text.translate(_AS_ONES)
    if not (has_many or has_long):
        return
    bare = _without_strings(text)
    if has_many and (count := _containers(bare)) > limit:
        if _depth(bare) > MAX_DEPTH:
            raise RecursionError
        raise ContractError(
            f"{where} has {count:,} lists and objects; expected at most {limit:,}, {CONTAINERS_PER_ROW} for each of "
            f"{limit // CONTAINERS_PER_ROW:,} rows",
            hint="send several smaller requests",
        )
    if has_long and _DIGITS in bare.translate(_AS_ONES):
        raise ContractError(
            f"{where} has a number of more than {MAX_DIGITS} digits",
            hint="the largest float has 309 digits; send text in quotes",
        )


def _without_strings(text: bytes) -> bytes:
    """Remove the content of strings. One that is not closed reaches to the end."""
    unescaped = np.frombuffer(text.replace(rb"\\", b"").replace(rb"\"", b""), dtype=np.uint8)
    # The sum wraps, and its last bit stays right. A closing quote is kept: it separates what is around the string.
    outside = (np.cumsum(unescaped == ord('"'), dtype=np.uint8) & 1) == 0
    return bytes(unescaped[outside])


def _depth(text: bytes) -> int:
    """Return how deep lists are nested in text without strings."""
    characters = np.frombuffer(text, dtype=np.uint8)
    steps = (characters == ord("[")).astype(np.int32) - (characters == ord("]"))
    return int(np.cumsum(steps).max(initial=0))


def _containers(text: bytes) -> int:
    return text.count(b"[") + text.count(b"{")
