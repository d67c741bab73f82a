"""Text for terminals and source code: characters that control how text is shown are written as escapes.

A stored text may hold sequences that colour, move or erase what a terminal shows, or that reverse the order of the
characters around it (CVE-2021-42574). None of them reaches a terminal or a generated file.
"""

from __future__ import annotations

import json
import re
from typing import Final

# C0 without tab and line feed, DEL, C1, marks of direction, separators of lines and paragraphs, and halves of surrogates.
_CONTROLS: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def escaped(text: str) -> str:
    r"""Write control characters as escapes, such as ``\x1b``; tabs and line breaks stay."""
    return _CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def one_line(value: object) -> str:
    r"""Write a value on one line: control characters, tabs and line breaks are escapes, such as ``\n``."""
    return escaped(str(value)).replace("\t", "\\t").replace("\n", "\\n")


def escaped_json(text: str) -> str:
    r"""Write the control characters of a JSON document as ``\u001b``; its meaning stays."""
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def quoted(text: str) -> str:
    """Write a text as a string literal of Python, in double quotes."""
    return escaped_json(json.dumps(text, ensure_ascii=False))
