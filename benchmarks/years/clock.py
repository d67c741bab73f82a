"""A simulated clock, which all parts of featurestore see that ask for the time."""

from __future__ import annotations

import importlib
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# The modules that call `datetime.now`.
MODULES = (
    "featurestore.config",
    "featurestore.storage.online",
    "featurestore.storage.commits",
    "featurestore.operations.materialize",
    "featurestore.operations.validate.outcome",
    "featurestore.operations.release.release",
)


class Clock:
    """The right time, and how far the clock of the machine is from it.

    Attributes
    ----------
    right
        The right time, which only goes forward.
    error
        How far the clock of the machine is ahead.
    """

    def __init__(self, right: datetime) -> None:
        self.right = right
        self.error = timedelta(0)

    @property
    def now(self) -> datetime:
        """What the clock of the machine says."""
        return self.right + self.error

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Let featurestore see this clock while the block runs."""

        class Kind(type):
            def __instancecheck__(cls, value: object) -> bool:
                return isinstance(value, datetime)

        class Shown(datetime, metaclass=Kind):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
                # Each reading takes a microsecond.
                self.right += timedelta(microseconds=1)
                return self.now.astimezone(tz)

        modules = [importlib.import_module(name) for name in MODULES]
        real = [module.datetime for module in modules]
        try:
            for module in modules:
                module.datetime = Shown  # type: ignore[attr-defined]
            yield
        finally:
            for module, was in zip(modules, real, strict=True):
                module.datetime = was  # type: ignore[attr-defined]
