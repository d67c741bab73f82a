"""JSON lines whose values have another kind than their column: a number in quotes is text, as in the body of a lookup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import polars as pl

from featurestore.errors import ContractError
from featurestore.values.json_keys import object_of_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# How JSON of a kind may begin.
_NUMBER: Final = b"-0123456789n"
_BOOLEAN: Final = b"tfn"
_TEXT: Final = b'"n'


def other_kinds(
    lines: Iterable[bytes], schema: Mapping[str, pl.DataType], where: str
) -> dict[str, list[int]]:
    """Find the numbers and booleans that JSON lines write as text, or as each other.

    Parameters
    ----------
    schema
        The declared dtypes. Other columns are not checked.
    where
        Begins the messages.

    Returns
    -------
    dict of str to list of int
        By column, the numbers of the rows, from 0. Blank lines do not count. Text that the gate cannot
        read anyway is left out.

    Raises
    ------
    ContractError
        If a line names a key twice, or has a number or boolean where the contract has text. The
        message names the line.
    """
    first = {name: _first_of(dtype) for name, dtype in schema.items()}
    rows_by_column: dict[str, list[int]] = {}
    row = -1
    for number, line in enumerate(lines, 1):
        row += bool(line.strip())
        for name, value in object_of_line(line, f"{where}: line {number:,}").items():
            allowed = first.get(name)
            if allowed is None or memoryview(value)[0] in allowed:
                continue
            if allowed is _TEXT:
                raise ContractError(
                    f"{where}: line {number:,}: {name!r} is not text; expected {schema[name]}",
                    hint="write text in quotes",
                )
            if _is_readable(value):
                rows_by_column.setdefault(name, []).append(row)
    return rows_by_column


def marked(rows: pl.LazyFrame, rows_by_column: Mapping[str, list[int]]) -> pl.LazyFrame:
    """Write values as the JSON writes them, in quotes, so that the gate cannot read them as their dtype."""
    if not rows_by_column:
        return rows
    index = "__row__"
    quoted = [
        pl.when(pl.col(index).is_in(pl.Series(places, dtype=pl.UInt32).implode()))
        .then(pl.lit('"') + pl.col(name) + pl.lit('"'))
        .otherwise(pl.col(name))
        .alias(name)
        for name, places in rows_by_column.items()
    ]
    return rows.with_row_index(index).with_columns(quoted).drop(index)


def _is_readable(value: msgspec.Raw) -> bool:
    """Return whether the gate could read a value as a number or a boolean, because it reads text."""
    text = str(msgspec.json.decode(value)).strip().lower()
    if text in ("true", "false", "t", "f"):
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True


def _first_of(dtype: pl.DataType) -> bytes | None:
    if dtype.is_integer() or dtype.is_float():
        return _NUMBER
    if isinstance(dtype, pl.Boolean):
        return _BOOLEAN
    return _TEXT if isinstance(dtype, pl.String) else None
