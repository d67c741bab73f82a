"""CSV files in another encoding or with another separator: refused with line, column, and what was expected."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Final

import numpy as np

from featurestore.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# The longest marks first: that of UTF-32 begins with that of UTF-16.
_MARKS: Final = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_SEPARATORS: Final = {b";": "semicolons", b"\t": "tabs", b"|": "vertical bars"}
_EXPECTED: Final = "expected UTF-8 with commas between fields"
_HEAD_BYTES: Final = 4096


def require_not_utf16(path: Path, title: str) -> None:
    """Refuse a file that begins as UTF-16 or UTF-32 does.

    Parameters
    ----------
    title
        The name of the file in messages.

    Raises
    ------
    ContractError
        If it begins so. The message names the encoding.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    encoding = next((name for mark, name in _MARKS.items() if head.startswith(mark)), None)
    if encoding is None and b"\0" in head.partition(b"\n")[0]:
        encoding = "UTF-16"
    if encoding is not None:
        raise ContractError(
            f"{title}: line 1 is {encoding}; {_EXPECTED}",
            hint=f"convert it, such as with: iconv --from-code {encoding} --to-code UTF-8 FILE",
        )


def require_commas(header: bytes, line: int, title: str) -> None:
    """Refuse a header whose fields are separated by another character than the comma.

    Parameters
    ----------
    line
        The line of the header, from 1.

    Raises
    ------
    ContractError
        If the header has no comma, and has such characters outside quotes; or is Excel's ``sep=``.
    """
    text = header.strip().removeprefix(codecs.BOM_UTF8)
    if text.strip(b'"').lower().startswith(b"sep=") and len(text.strip(b'"')) <= len(b"sep=;"):
        raise ContractError(
            f"{title}: line {line:,} is Excel's {text.decode(errors='replace')!r}, expected the header; {_EXPECTED}",
            hint="remove the line, and write commas between the fields",
        )
    outside = b"".join(text.split(b'"')[::2])
    if b"," in outside:
        return
    for separator, name in _SEPARATORS.items():
        if separator in outside:
            raise ContractError(
                f"{title}: line {line:,}, the header, has {name} and no comma; {_EXPECTED}",
                hint="write commas between the fields; quote values with a comma",
            )


def require_utf8(
    chunk: np.ndarray,
    ends: np.ndarray,
    commas: np.ndarray,
    *,
    names: Sequence[str],
    before: int,
    title: str,
) -> None:
    """Refuse rows that are not UTF-8.

    Parameters
    ----------
    chunk
        Whole rows, as bytes.
    ends, commas
        The positions of line breaks and commas outside quotes.
    names
        The columns.
    before
        The number of lines before the chunk.

    Raises
    ------
    ContractError
        If they are not. The message names the line and the column of the first byte that is not.
    """
    if not (chunk & 0x80).any():
        return
    try:
        codecs.utf_8_decode(chunk.data, "strict", True)  # noqa: FBT003 - it takes no keywords
    except UnicodeDecodeError as error:
        at = error.start
        row = int(np.searchsorted(ends, at))
        start = 0 if row == 0 else int(ends[row - 1]) + 1
        field = int(np.searchsorted(commas, at) - np.searchsorted(commas, start))
        column = repr(names[field]) if field < len(names) else f"number {field + 1:,}"
        line = before + int(np.count_nonzero(chunk[:at] == ord("\n"))) + 1
        raise ContractError(
            f"{title}: line {line:,}, column {column}: byte 0x{chunk[at]:02X} is not UTF-8; {_EXPECTED}",
            hint="convert the file, such as with: iconv --from-code ISO-8859-1 --to-code UTF-8 FILE",
        ) from error
