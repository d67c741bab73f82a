"""JSON lines: which columns they have, and values whose JSON has another kind than their column.

Each line is read once, with a limit on its length and on the keys of all lines together: Polars, which infers the
columns, takes time for each line and each key that any line has.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import msgspec
import numpy as np
import polars as pl

from featurestore.errors import ContractError
from featurestore.values.json_keys import object_of_line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

# How JSON of a kind may begin.
_NUMBER: Final = b"-0123456789n"
_BOOLEAN: Final = b"tfn"
_TEXT: Final = b'"n'
_AS_TEXT: Final = pl.String()


@dataclass
class JsonLines:
    """What JSON lines hold.

    Attributes
    ----------
    schema
        The columns, each in the dtype to read it as: text, but for columns whose dtype is inferred.
    quoted
        By column, the numbers of the rows, from 0, that write a number or a boolean as text, or as each other. Blank
        lines do not count. Text that the gate cannot read anyway is left out.
    """

    schema: dict[str, pl.DataType] = field(default_factory=dict)
    quoted: dict[str, array[int]] = field(default_factory=dict)

    def marked(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Write quoted values as the JSON writes them, in quotes, so that the gate cannot read them as their dtype."""
        if not self.quoted:
            return rows
        index = "__row__"
        marks = [
            pl.when(pl.col(index).is_in(pl.Series(np.frombuffer(places, dtype=np.uint32)).implode()))
            .then(pl.lit('"') + pl.col(name) + pl.lit('"'))
            .otherwise(pl.col(name))
            .alias(name)
            for name, places in self.quoted.items()
        ]
        return rows.with_row_index(index).with_columns(marks).drop(index)


def read_lines(
    file: BinaryIO,
    schema: Mapping[str, pl.DataType],
    where: str,
    *,
    inferred: Collection[str] = (),
    max_keys: int,
    max_bytes: int,
) -> JsonLines:
    """Read which columns JSON lines have.

    Parameters
    ----------
    schema
        The declared dtypes. The values of other columns are not checked.
    where
        Begins the messages.
    inferred
        Columns whose dtype is inferred from their values.
    max_keys
        Different keys that all lines together may have, and those in the objects of inferred columns.
    max_bytes
        Bytes that a line may have.

    Raises
    ------
    ContractError
        If there is no line, or a line is not an object, exceeds a limit, names a key twice, or has a number or boolean where the contract has text. The
        message names the line.
    """
    firsts = {name: _first_of(dtype) for name, dtype in schema.items()}
    first = {name: allowed for name, allowed in firsts.items() if allowed is not None}
    result = JsonLines()
    # The values of the columns that are inferred, as JSON lines of these columns alone.
    values = BytesIO()
    inner: set[str] = set()
    row = -1
    for number, line in enumerate(_lines(file, max_bytes, where), 1):
        row += bool(line.strip())
        place = f"{where}: line {number:,}"
        items = object_of_line(line, place)
        if not items and b"".join(line.split()) not in (b"", b"{}"):
            raise _unreadable(where, f"line {number:,} is not a JSON object")
        if not items.keys() <= result.schema.keys():
            result.schema |= {name: _AS_TEXT for name in items if name not in result.schema}
        for name in _of_other_kind(items, first):
            if first[name] is _TEXT:
                raise ContractError(
                    f"{place}: {name!r} is not text; expected {schema[name]}", hint="write text in quotes"
                )
            if _is_readable(items[name]):
                result.quoted.setdefault(name, array("I")).append(row)
        if nested := {name: items[name] for name in inferred if name in items}:
            inner |= _inner_keys(nested)
            values.write(msgspec.json.encode(nested) + b"\n")
        _require_few(max(len(result.schema), len(inner)), max_keys, place)
    if row < 0:
        raise _unreadable(where, "it has no line")
    if values.tell():
        result.schema |= pl.scan_ndjson(values.getvalue(), infer_schema_length=None).collect_schema()
    return result


def _unreadable(where: str, reason: str) -> ContractError:
    return ContractError(
        f"{where} cannot be read as application/x-ndjson: {reason}",
        hint="send a complete body in that format",
    )


def _lines(file: BinaryIO, max_bytes: int, where: str) -> Iterator[bytes]:
    number = 0
    while line := file.readline(max_bytes + 1):
        number += 1
        if len(line) > max_bytes and not line.endswith(b"\n"):
            raise ContractError(
                f"{where}: line {number:,} has more than {max_bytes:,} bytes",
                hint="write one object a line",
            )
        yield line


def _require_few(keys: int, limit: int, place: str) -> None:
    if keys > limit:
        raise ContractError(
            f"{place}: the lines have {keys:,} different keys; expected at most {limit:,}",
            hint="write the same keys in each line",
        )


def _inner_keys(values: Mapping[str, msgspec.Raw]) -> set[str]:
    """Return the keys of all objects in values."""
    keys: set[str] = set()
    waiting: list[Any] = [msgspec.json.decode(value) for value in values.values() if b"{" in bytes(value)]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            keys.update(item)
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
    return keys


def _of_other_kind(items: Mapping[str, msgspec.Raw], first: Mapping[str, bytes]) -> list[str]:
    return [
        name for name, value in items.items() if name in first and memoryview(value)[0] not in first[name]
    ]


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
