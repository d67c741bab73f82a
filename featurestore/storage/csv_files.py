"""CSV files: every row is read, and a row with too few fields is marked.

Polars fills missing fields and blank lines with nulls. This module counts the fields of each row in
the bytes of the file, by the same rule as Polars: a line break inside quotes does not end a row.
"""

from __future__ import annotations

import csv
from collections import Counter
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from featurestore.errors import ContractError
from featurestore.storage.body_limits import BodyLimits
from featurestore.storage.csv_dialect import require_commas, require_not_utf16, require_utf8
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# A boolean column that marks the rows with too few fields.
INCOMPLETE = "__incomplete__"
CHUNK_BYTES = 16 << 20
# Of files on disk. Rows that others send have limits of their own.
MAX_COLUMNS = 100_000
MAX_ROW_BYTES = 64 << 20
MAX_NAME_BYTES: Final = 256  # of a column, on average
_NEWLINE, _RETURN, _QUOTE, _COMMA = map(ord, '\n\r",')
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_NUMBER: Final = "__number__"


def scan_csv(
    path: Path, title: str, null_values: Sequence[str] | None = None, limits: BodyLimits | None = None
) -> pl.LazyFrame:
    """Scan a CSV file as text. A boolean column `INCOMPLETE` marks the rows with too few fields, if there are any.

    Parameters
    ----------
    title
        The name of the file in messages.
    limits
        Of its columns and lines. None: those of a file on disk.

    Raises
    ------
    ContractError
        If the file is not UTF-8 or has another separator than the comma, two columns have one name, a quote is not
        closed, the file ends in the middle of a row, or it exceeds a limit.
    """
    incomplete = incomplete_rows(path, title, limits)
    rows = pl.scan_csv(path, infer_schema=False, null_values=null_values, glob=False)
    if incomplete.is_empty():
        return rows
    marked = rows.with_row_index(_NUMBER, offset=1).with_columns(
        pl.col(_NUMBER).is_in(incomplete.implode()).alias(INCOMPLETE)
    )
    return marked.drop(_NUMBER)


def read_complete_csv(path: Path, title: str) -> pl.DataFrame:
    """Read a CSV file as text, and refuse rows with too few fields. Raises as `require_complete_csv` does."""
    require_complete_csv(path, title)
    return pl.read_csv(path, infer_schema=False, glob=False)


def require_complete_csv(path: Path, title: str) -> None:
    """Refuse a CSV file that has rows with too few fields.

    Raises
    ------
    ContractError
        If a row has too few fields, or as `scan_csv`.
    """
    incomplete = incomplete_rows(path, title)
    if not incomplete.is_empty():
        first = ", ".join(f"{row:,}" for row in incomplete.head(3))
        raise ContractError(
            f"{title}: {counted(incomplete.len(), 'row')} with fewer fields than the header; the first: row {first}",
            hint="complete these rows; write two quotes for an empty text, and nothing for a missing value",
        )


def incomplete_rows(path: Path, title: str, limits: BodyLimits | None = None) -> pl.Series:
    """Return the numbers, from 1, of the rows that are blank or have fewer fields than the header.

    Raises
    ------
    ContractError
        If the file is not UTF-8 or has another separator than the comma, two columns have one name, a quote is not
        closed, the file ends in the middle of a row (its last row has too few fields and no line break), or it exceeds
        a limit.
    """
    limits = limits or BodyLimits(columns=MAX_COLUMNS, line=MAX_ROW_BYTES)
    require_not_utf16(path, title)
    names: list[str] | None = None
    before = lines = 0
    row_numbers: list[np.ndarray] = []
    is_ended = True
    for chunk, ends, commas in _rows(path, title, limits.line):
        starts = np.concatenate(([0], ends[:-1] + 1))
        widths = np.diff(np.searchsorted(commas, ends), prepend=0) + 1
        lengths = ends - starts
        blank = (lengths == 0) | ((lengths == 1) & (chunk[starts] == _RETURN))
        newlines = int(np.count_nonzero(chunk == _NEWLINE))
        if names is None:
            if blank.all():
                lines += newlines
                continue
            header = int(np.argmin(blank))
            text = chunk[starts[header] : ends[header]].tobytes()
            _require_width(text, int(widths[header]), title, limits.columns)
            require_commas(text, lines + header + 1, title)
            names = _names(text, title)
            widths, blank = widths[header + 1 :], blank[header + 1 :]
        require_utf8(chunk, ends, commas, names=names, before=lines, title=title)
        lines += newlines
        fields = len(names)
        is_ended = chunk[-1] == _NEWLINE
        bad = np.flatnonzero((widths < fields) | blank) + 1
        row_numbers.append(bad + before)
        before += len(widths)
        if not is_ended and len(widths) and widths[-1] < fields:
            raise ContractError(
                f"{title} is truncated: it ends in the middle of a row ({widths[-1]} of {fields} fields)",
                hint="replace the file with a complete copy",
            )
    return pl.Series(np.concatenate(row_numbers) if row_numbers else [], dtype=pl.UInt32)


def _rows(path: Path, title: str, max_bytes: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield whole rows: their bytes, and the positions of line breaks and commas outside quotes."""
    rest = b""
    with path.open("rb") as file:
        while data := file.read(CHUNK_BYTES):
            chunk = np.frombuffer(rest + data, dtype=np.uint8)
            if len(rest) + len(data) > max_bytes and b"\n" not in data:
                # Without a line break there is no row: the positions of its commas are not listed.
                raise _too_long(title, max_bytes)
            ends, commas = _positions(chunk)
            if not ends.size:
                rest += data
                if len(rest) > max_bytes:
                    raise _too_long(title, max_bytes)
                continue
            if int(np.diff(ends, prepend=-1).max()) - 1 > max_bytes:
                raise _too_long(title, max_bytes)
            last = int(ends[-1]) + 1
            rest = chunk[last:].tobytes()
            yield chunk[:last], ends, commas
    if len(rest) > max_bytes:
        raise _too_long(title, max_bytes)
    if rest:
        chunk = np.frombuffer(rest, dtype=np.uint8)
        yield chunk, np.array([chunk.size]), _positions(chunk)[1]


def _positions(chunk: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    newlines, commas = chunk == _NEWLINE, chunk == _COMMA
    quotes = chunk == _QUOTE
    if quotes.any():
        # The sum wraps, and its last bit stays right.
        outside = (np.cumsum(quotes, dtype=np.uint8) & 1) == 0
        newlines &= outside
        commas &= outside
    return np.flatnonzero(newlines), np.flatnonzero(commas)


def _names(header: bytes, title: str) -> list[str]:
    text = header.removeprefix(_BYTE_ORDER_MARK).decode("utf-8", errors="replace")
    try:
        names = next(csv.reader([text]), [])
    except csv.Error as error:
        raise ContractError(
            f"{title} cannot be read as CSV: {error}", hint="replace the file with a complete copy"
        ) from error
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise ContractError(
            f"{title}: the header has {counted(len(repeated), 'name')} more than once: {', '.join(map(repr, repeated[:5]))}",
            hint="give each column a name of its own",
        )
    return names


def _require_width(header: bytes, width: int, title: str, limit: int) -> None:
    """Refuse a header of too many columns before they are split."""
    if width > limit or len(header) > MAX_NAME_BYTES * limit:
        raise ContractError(
            f"{title}: the header has {counted(width, 'column')} and {len(header):,} bytes; expected at most {limit:,} "
            "columns",
            hint="check that the first line is the header; leave out columns that the schema does not have",
        )


def _too_long(title: str, limit: int) -> ContractError:
    return ContractError(
        f"{title} cannot be read as CSV: a row has more than {limit:,} bytes; a quote may not be closed",
        hint="replace the file with a complete copy",
    )
