"""Words of messages: counts (``1 row``, ``336,776 rows``), and what stands for a personal value."""

from __future__ import annotations

# In place of a value of a personal column.
PERSONAL = "(personal)"
_HISSING = ("s", "x", "ch", "sh")
_VOWELS = "aeiou"


def counted(number: int, noun: str) -> str:
    """Write a count of a noun, given in the singular."""
    return f"{number:,} {noun if number == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """Return the plural of a regular noun."""
    if noun.endswith(_HISSING):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2:-1] not in _VOWELS:
        return f"{noun[:-1]}ies"
    return f"{noun}s"
