"""Text that matches a regular expression, for samples."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_POOL: Final = (
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz1234567890 -_.,:;/@#%+!?'\"()[]{}<>=*&$^~|\\"
)
_CLASSES: Final[dict[str, Callable[[str], bool]]] = {
    "CATEGORY_DIGIT": str.isdigit,
    "CATEGORY_SPACE": str.isspace,
    "CATEGORY_WORD": lambda character: character.isalnum() or character == "_",
}
# Python's own parser of patterns. `re` has no public name for it.
_parser: Any = importlib.import_module("re._parser")


def matching_text(pattern: str | re.Pattern[str], *, repeat: int = 3) -> str | None:
    """Return a text that should match a pattern; None if the pattern cannot be read.

    The caller checks the text: Rust's engine, which decides, reads some patterns in another way.

    Parameters
    ----------
    repeat
        How often a part occurs whose repetition has no upper limit, if the pattern allows it.

    Examples
    --------
    >>> matching_text("^[A-Z]{2}-[0-9]{4}$")
    'AB-1234'
    """
    source = pattern if isinstance(pattern, str) else pattern.pattern
    try:
        parts = _parser.parse(source.replace(r"\z", r"\Z"))
    except (re.error, RecursionError, OverflowError):
        return None
    return _Writer(repeat).sequence(parts)


class _Writer:
    """Writes one text for a parsed pattern."""

    def __init__(self, repeat: int) -> None:
        self._repeat = repeat
        self._groups: dict[int, str] = {}
        self._used = 0

    def sequence(self, parts: Any) -> str:
        """Write the parts one after another."""
        return "".join(self._part(str(operation), argument) for operation, argument in parts)

    def _part(self, operation: str, argument: Any) -> str:  # noqa: PLR0911 - one line for each operation of a pattern
        match operation:
            case "LITERAL":
                return chr(argument)
            case "NOT_LITERAL" | "IN" | "ANY":
                return self._character(operation, argument)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                low, high, inner = argument
                times = max(int(low), min(int(high), self._repeat))
                return "".join(self.sequence(inner) for _ in range(min(times, 1_000)))
            case "BRANCH":
                return self.sequence(argument[1][0])
            case "SUBPATTERN":
                text = self.sequence(argument[-1])
                if argument[0] is not None:
                    self._groups[argument[0]] = text
                return text
            case "ATOMIC_GROUP":
                return self.sequence(argument)
            case "GROUPREF":
                return self._groups.get(argument, "")
            case _:  # an assertion has no characters of its own
                return ""

    def _character(self, operation: str, argument: Any) -> str:
        """Write one of the characters that are allowed; neighbours differ where possible."""
        if operation == "ANY":
            allowed = list(_POOL[:26])
        elif operation == "NOT_LITERAL":
            allowed = [character for character in _POOL if ord(character) != argument]
        else:
            allowed = [character for character in _POOL if _in(character, argument)]
            allowed = allowed or [
                chr(value if name == "LITERAL" else value[0]) for name, value in _first(argument)
            ]
        if not allowed:
            return ""
        self._used += 1
        return allowed[(self._used - 1) % len(allowed)]


def _first(items: Any) -> list[tuple[str, Any]]:
    """Return the first member of a class that names characters."""
    named = [(str(name), value) for name, value in items if str(name) in ("LITERAL", "RANGE")]
    return named[:1]


def _in(character: str, items: Any) -> bool:
    """Say whether a character belongs to a class such as ``[^a-z_]``."""
    negated = any(str(name) == "NEGATE" for name, _ in items)
    return any(_has(str(name), value, character) for name, value in items) is not negated


def _has(name: str, value: Any, character: str) -> bool:
    if name == "LITERAL":
        return ord(character) == int(value)
    if name == "RANGE":
        return bool(value[0] <= ord(character) <= value[1])
    if name == "CATEGORY":
        category = str(value)
        belongs = _CLASSES.get(category.replace("_NOT_", "_"))
        return belongs is not None and belongs(character) is not ("_NOT_" in category)
    return False
