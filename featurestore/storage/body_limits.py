"""Limits of rows that others send: how wide, how long in a line, how large once unpacked."""

from __future__ import annotations

import msgspec


class BodyLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a body may have at most. The reader of a body checks each limit before it allocates for what exceeds it.

    Attributes
    ----------
    columns
        Columns, or different keys of all JSON lines together.
    line
        Bytes of one line of text.
    unpacked
        Bytes of all rows once they are unpacked.
    """

    columns: int = 10_000
    line: int = 16 << 20
    unpacked: int = 1 << 30
