"""Clocks of several machines: how far they may differ, and the error if they differ more."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from featurestore.errors import SkewError

if TYPE_CHECKING:
    from datetime import datetime

MAX_SKEW: Final = timedelta(minutes=1)


class ClockError(SkewError):
    """A timestamp is ahead of the clock that decides what is known.

    Attributes
    ----------
    clock
        The clock, such as ``"the clock of this machine"``.
    now
        What the clock says.
    timestamp
        The timestamp that is ahead of it.
    """

    outcome = "clocks disagree"

    def __init__(self, message: str, *, clock: str, now: datetime, timestamp: datetime, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.clock = clock
        self.now = now
        self.timestamp = timestamp

    @property
    def ahead(self) -> timedelta:
        """How far the timestamp is ahead of the clock."""
        return self.timestamp - self.now
