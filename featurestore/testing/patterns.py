"""Texts that match a regular expression, made from its parts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

MAX_REPEATS = 3
_CATEGORIES = {"CATEGORY_DIGIT": "059", "CATEGORY_WORD": "aZ_9", "CATEGORY_SPACE": " "}
_PRINTABLE = [chr(code) for code in range(32, 127)]


def matching_texts(pattern: str, random: Random, count: int) -> tuple[str, ...]:
    """Return up to `count` different texts that match a pattern from their start.

    Empty where the pattern cannot be read, or uses what is not known here (a look-ahead, a back reference).
    """
    try:
        compiled = re.compile(pattern)
        parts = list(re._parser.parse(pattern))  # type: ignore[attr-defined]  # noqa: SLF001 - Python has no public parser
        texts = dict.fromkeys(_text(parts, random) for _ in range(4 * count))
    except (re.error, _UnknownPartError):
        return ()
    return tuple(text for text in texts if compiled.match(text))[:count]


class _UnknownPartError(Exception):
    """A part of a pattern for which no text is made."""


def _text(parts: list[tuple[Any, Any]], random: Random) -> str:
    return "".join(_part(str(kind), value, random) for kind, value in parts)


def _part(kind: str, value: Any, random: Random) -> str:
    if kind == "LITERAL":
        text = chr(value)
    elif kind == "NOT_LITERAL":
        text = random.choice([c for c in _PRINTABLE if ord(c) != value])
    elif kind == "ANY":
        text = random.choice(_PRINTABLE)
    elif kind == "IN":
        text = _of_class(value, random)
    elif kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        low, high, parts = value
        times = random.choice((low, min(int(high), low + MAX_REPEATS)))
        text = "".join(_text(list(parts), random) for _ in range(times))
    elif kind == "SUBPATTERN":
        text = _text(list(value[-1]), random)
    elif kind == "BRANCH":
        text = _text(list(random.choice(value[1])), random)
    elif kind == "AT":
        text = ""
    else:
        raise _UnknownPartError(kind)
    return text


def _of_class(parts: list[tuple[Any, Any]], random: Random) -> str:
    characters: list[str] = []
    for kind, value in parts:
        name = str(kind)
        if name == "LITERAL":
            characters.append(chr(value))
        elif name == "RANGE":
            low, high = value
            characters += map(chr, {low, (low + high) // 2, high})
        elif name == "CATEGORY" and str(value) in _CATEGORIES:
            characters += _CATEGORIES[str(value)]
        elif name == "NEGATE":
            continue
        else:
            raise _UnknownPartError(name)
    if parts and str(parts[0][0]) == "NEGATE":
        # What the class excludes is decided by `re` itself, once the whole text is made.
        return random.choice([c for c in _PRINTABLE if c not in characters])
    return random.choice(sorted(characters))
