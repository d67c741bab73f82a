"""Words of messages: counts (``1 row``, ``336,776 rows``), and what stands for a personal value."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

# In place of a value of a personal column.
PERSONAL = "(personal)"
_UNITS = {
    "day": timedelta(days=1),
    "hour": timedelta(hours=1),
    "minute": timedelta(minutes=1),
    "second": timedelta(seconds=1),
    "microsecond": timedelta(microseconds=1),
}
_HISSING = ("s", "x", "ch", "sh")
_VOWELS = "aeiou"


def counted(number: int, noun: str) -> str:
    """Write a count of a noun, given in the singular."""
    return f"{number:,} {noun if number == 1 else plural(noun)}"


def named_values(row: Mapping[str, object], names: Iterable[str], personal: Container[str]) -> str:
    """Write values of a row with their names, such as ``customer=3 amount=1.5``, without personal values."""
    return " ".join(f"{name}={PERSONAL if name in personal else row[name]}" for name in names)


def duration_text(duration: timedelta) -> str:
    """Write a duration in words, such as ``366 days`` or ``1 hour 30 minutes``."""
    if duration < timedelta(0):
        return f"-({duration_text(-duration)})"
    parts = []
    for unit, length in _UNITS.items():
        number, duration = divmod(duration, length)
        parts += [counted(number, unit)] if number else []
    return " ".join(parts) or counted(0, "second")


def plural(noun: str) -> str:
    """Return the plural of a regular noun."""
    if noun.endswith(_HISSING):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2:-1] not in _VOWELS:
        return f"{noun[:-1]}ies"
    return f"{noun}s"
