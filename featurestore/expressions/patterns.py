"""Regular expressions that mean the same to Rust's engine, which Polars uses, and to Python's.

The engines differ in unexpected places: ``$`` and a last line break, digits of other alphabets,
``a++``, ``[a&&b]``. Python may also take exponential time where Rust does not.
"""

from __future__ import annotations

import re
from typing import Final

MAX_LENGTH: Final = 100  # characters of the longest text that Python matches against a pattern
_MAX_WAYS: Final = 10_000  # how many ways of matching a text Python may have to try
# One character or a class of characters, and its repetition.
_ATOM: Final = re.compile(
    r"""
    (?: [^\\\[\](){}.*+?^$|]
      | \.
      | \\[dwsDWS]
      | \\[-.*+?^$|()\[\]{}/\\]
      | \[ \^? (?: \w-\w | [\w ,.;:/@#%+] )+ -? \]
    )
    (?P<repeat> [*+?] | \{ (?P<min>\d{1,3}) (?P<max>,\d{0,3})? \} )?
    """,
    re.VERBOSE | re.ASCII,
)
_CHARACTER_CLASS: Final = re.compile(r"\\[dwsDWS]")


def flat_pattern(pattern: str | re.Pattern[str], *, anchored: bool) -> str | None:
    r"""Translate a pattern from Rust's syntax to Python's.

    Translates only a sequence of characters and classes, each with its repetition, optionally
    between ``^`` and ``$``. The result is valid for texts of at most `MAX_LENGTH` characters, and
    for ASCII texts only where `ascii_only`.

    Parameters
    ----------
    anchored
        True: the pattern must match at the start of the text.

    Returns
    -------
    str or None
        None where the engines may differ, or Python may take long.

    Examples
    --------
    >>> flat_pattern("[A-Z]{3}$", anchored=True)
    '^[A-Z]{3}\\Z'
    >>> flat_pattern("(a+)+", anchored=True) is None
    True
    """
    if not isinstance(pattern, str):  # a compiled pattern; Pandera ignores its flags too
        pattern = pattern.pattern
    start = "^" if anchored or pattern.startswith("^") else ""
    inner = pattern.removeprefix("^")
    end = r"\Z" if inner.endswith("$") and not inner.endswith(r"\$") else ""
    inner = inner[:-1] if end else inner
    position = 0
    ways = 1 if start else MAX_LENGTH
    while position < len(inner):
        atom = _ATOM.match(inner, position)
        if atom is None:
            return None
        ways *= _ways(atom)
        position = atom.end()
    translated = f"{start}{inner}{end}"
    try:
        re.compile(translated)
    except re.error:
        return None
    return translated if ways <= _MAX_WAYS else None


def ascii_only(pattern: str) -> bool:
    """Return whether a flat pattern means the same to both engines for ASCII texts only."""
    return _CHARACTER_CLASS.search(pattern) is not None


def _ways(atom: re.Match[str]) -> int:
    repeat, minimum, maximum = atom["repeat"], atom["min"], atom["max"]
    if repeat is None or (minimum and maximum is None):
        return 1
    if repeat == "?":
        return 2
    return max(int(maximum[1:]) - int(minimum) + 1, 1) if maximum and maximum[1:] else MAX_LENGTH
