"""Pieces of Python source that `adopt` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.quality.profile.suggest import literal
from featurestore.values.escapes import escaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import timedelta

MAX_LINE = 110


def wrapped(head: str, words: Iterable[str]) -> Iterator[str]:
    """Write a call in one line, or with one argument in each line if it is long."""
    items = list(words)
    line = f"{head}({', '.join(items)})"
    if len(line) <= MAX_LINE:
        yield line
        return
    margin = head[: len(head) - len(head.lstrip())]
    yield f"{head}("
    yield from (f"{margin}    {item}," for item in items)
    yield f"{margin})"


def duration(value: timedelta) -> str:
    """Write a duration."""
    parts = {"days": value.days, "seconds": value.seconds, "microseconds": value.microseconds}
    return f"timedelta({', '.join(f'{unit}={number}' for unit, number in parts.items() if number)})"


def mapping(values: Mapping[str, str]) -> str:
    """Write a dictionary of texts."""
    return f"{{{', '.join(f'{literal(key)}: {literal(value)}' for key, value in values.items())}}}"


def tuple_of(items: Iterable[str]) -> str:
    """Write a tuple of expressions."""
    words = list(items)
    return f"({', '.join(words)}{',' if len(words) == 1 else ''})"


def prose(text: str) -> str:
    """Write the content of a docstring of one line."""
    line = escaped(one_line(text)).replace("\\", "\\\\").replace('"', "'")
    return line if line.endswith((".", "!", "?")) else f"{line}."


def one_line(text: str) -> str:
    """Return a text without line breaks."""
    return " ".join(text.split())


def class_name(name: str) -> str:
    """Return a name in the style of classes."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_")) or "Rows"
