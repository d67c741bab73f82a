"""Names that a caller sends and no contract declares: they may be values, such as the first row of a file without header.

A name that resembles a declared one is a slip, and is shown. Other names are only counted.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Collection

MIN_SIMILARITY = 0.75
# Comparing takes time that grows with the number and the length of names.
MAX_COMPARED = 50
# The last backtick before the place ends the name, which may have backticks itself.
_FIELD = re.compile(r"unknown field `.*`(?P<place> - at `\$[^`]*`)\Z|unknown field `.*`\Z", re.DOTALL)


def undeclared(names: Collection[str], declared: Collection[str], noun: str = "column") -> str:
    """Write names that are not declared, as in ``'ammount' and 2 other columns``."""
    compared = [name for name in list(names)[:MAX_COMPARED] if len(name) <= MAX_COMPARED]
    shown = [name for name in compared if get_close_matches(name, declared, n=1, cutoff=MIN_SIMILARITY)]
    count = len(names) - len(shown)
    parts = [", ".join(map(repr, shown))] if shown else []
    if count:
        parts.append(counted(count, f"other {noun}" if shown else noun))
    return " and ".join(parts)


def without_field_names(message: str) -> str:
    """Return a message of msgspec without the name of an unknown field; the place of its object stays."""
    return _FIELD.sub(lambda match: f"an unknown field{match['place'] or ''}", message)
