"""Regular expressions that Rust's engine, which Polars uses, and Python's read alike.

They differ where it is not expected: ``$`` and a last line break, digits of other alphabets, ``a++``, ``[a&&b]``; and
Python may need for ever where Rust does not.
"""

from __future__ import annotations

import re
from typing import Final

MAX_LENGTH: Final = 100  # characters of a text that a pattern is matched against in Python
_MAX_WAYS: Final = 10_000  # in which a pattern may be tried against them
# One character or a class of them, and how often.
_ATOM: Final = re.compile(
    r"""
    (?: [^\\\[\](){}.*+?^$|]
      | \.
      | \\[dwsDWS]
      | \\[-.*+?^$|()\[\]{}/\\]
      | \[ \^? (?: \w-\w | [\w ,.;:/@#%+] )+ -? \]
    )
    (?P<times> [*+?] | \{ (?P<least>\d{1,3}) (?P<most>,\d{0,3})? \} )?
    """,
    re.VERBOSE | re.ASCII,
)
_OF_AN_ALPHABET: Final = re.compile(r"\\[dwsDWS]")


def flat_pattern(pattern: str | re.Pattern[str], *, anchored: bool) -> str | None:
    r"""Write a pattern of Rust's for Python, if it has one meaning in both and cannot take long; otherwise None.

    Such a pattern is a row of characters and classes, each with how often, perhaps between ``^`` and ``$``. What it says
    of texts longer than `MAX_LENGTH`, and of other alphabets if it is `ascii_only`, is not told.

    Examples
    --------
    >>> flat_pattern("[A-Z]{3}$", anchored=True)
    '^[A-Z]{3}\\Z'
    >>> flat_pattern("(a+)+", anchored=True) is None
    True
    """
    if not isinstance(pattern, str):  # Pandera leaves its flags out
        pattern = pattern.pattern
    start = "^" if anchored or pattern.startswith("^") else ""
    inner = pattern.removeprefix("^")
    end = r"\Z" if inner.endswith("$") and not inner.endswith(r"\$") else ""
    inner = inner[:-1] if end else inner
    place, ways = 0, 1 if start else MAX_LENGTH
    while place < len(inner):
        atom = _ATOM.match(inner, place)
        if atom is None:
            return None
        ways *= _ways(atom)
        place = atom.end()
    found = f"{start}{inner}{end}"
    try:
        re.compile(found)
    except re.error:
        return None
    return found if ways <= _MAX_WAYS else None


def ascii_only(pattern: str) -> bool:
    """Say whether a flat pattern means the same in both of ASCII texts only."""
    return _OF_AN_ALPHABET.search(pattern) is not None


def _ways(atom: re.Match[str]) -> int:
    times, least, most = atom["times"], atom["least"], atom["most"]
    if times is None or (least and most is None):
        return 1
    if times == "?":
        return 2
    return max(int(most[1:]) - int(least) + 1, 1) if most and most[1:] else MAX_LENGTH
