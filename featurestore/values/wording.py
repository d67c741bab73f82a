"""Counts in words: ``1 row``, ``2 rows``, ``336,776 rows``."""

from __future__ import annotations

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
