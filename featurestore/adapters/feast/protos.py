"""Feast's protobuf values: Polars columns to `Value` messages and back, by the value table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
from feast.protos.feast.types.Value_pb2 import Value

from featurestore.errors import ContractError
from featurestore.values.codec import physical
from featurestore.values.feast_wire import fraction_error, to_wire
from featurestore.values.plain import in_utc_zone
from featurestore.values.table import feast_type

if TYPE_CHECKING:
    from collections.abc import Sequence

_FIELDS = {
    "BOOL": "bool_val",
    "INT32": "int32_val",
    "INT64": "int64_val",
    "FLOAT": "float_val",
    "DOUBLE": "double_val",
    "STRING": "string_val",
    "BYTES": "bytes_val",
    "UNIX_TIMESTAMP": "unix_timestamp_val",
    "DECIMAL": "decimal_val",
}
_TICKS_PER_SECOND = {"ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_DAY_SECONDS = 86_400
# Feast writes a missing timestamp as the smallest integer.
_MISSING_TIMESTAMP = -(2**63)


def to_values(column: pl.Series) -> list[Value]:
    """Turn a column into wire values. A null becomes an empty value.

    Raises
    ------
    ContractError
        If a timestamp has a fraction of a second, or a list has a missing element.
    """
    kind = feast_type(column.dtype)
    scalar = kind.removesuffix("_LIST")
    field = f"{scalar.lower()}_list_val" if kind.endswith("_LIST") else _FIELDS[scalar]
    _refuse_nanoseconds(column)
    convert = to_wire(column.name, column.dtype)
    values = []
    for item in in_utc_zone(column.to_frame()).to_series().to_list():
        value = Value()
        if item is not None:
            content = item if convert is None else convert(item)
            if isinstance(content, list):
                if None in content:
                    raise ContractError(
                        f"feature {column.name!r}: a list has a missing element, which Feast's lists cannot hold",
                        hint="read it with featurestore, or fill it in the view",
                    )
                getattr(value, field).val.extend(content)
            else:
                setattr(value, field, content)
        values.append(value)
    return values


def from_values(name: str, values: Sequence[Any], dtype: pl.DataType, *, strict: bool = True) -> pl.Series:
    """Turn wire values into a column of `dtype`.

    Parameters
    ----------
    strict
        False: if a value does not fit `dtype`, the column keeps the dtype of the wire.

    Raises
    ------
    polars.exceptions.InvalidOperationError
        If a value does not fit `dtype`, and `strict` is True.
    """
    contents = [_content(value) for value in values]
    if feast_type(dtype).startswith("UNIX_TIMESTAMP"):
        ticks = [_ticks(content, _scalar(dtype)) for content in contents]
        return pl.Series(name, ticks, dtype=physical(dtype)).cast(dtype)
    column = pl.Series(name, contents, strict=False)
    try:
        return column.cast(dtype)
    except pl.exceptions.InvalidOperationError:
        if strict:
            raise
        return column


def _content(value: Any) -> Any:
    field = value.WhichOneof("val")
    if field is None:
        return None
    content = getattr(value, field)
    return list(content.val) if field.endswith("_list_val") else content


def _scalar(dtype: pl.DataType) -> pl.DataType:
    return pl.Series(dtype=dtype.inner).dtype if isinstance(dtype, pl.List | pl.Array) else dtype


def _ticks(seconds: Any, dtype: pl.DataType) -> Any:
    if seconds is None or seconds == _MISSING_TIMESTAMP:
        return None
    if isinstance(seconds, list):
        return [_ticks(item, dtype) for item in seconds]
    return (
        seconds * _TICKS_PER_SECOND[dtype.time_unit]
        if isinstance(dtype, pl.Datetime)
        else seconds // _DAY_SECONDS
    )


def _refuse_nanoseconds(column: pl.Series) -> None:
    # Python's timestamps have microseconds, so a fraction below them must be found before the conversion.
    dtype = _scalar(column.dtype)
    if isinstance(dtype, pl.Datetime) and dtype.time_unit == "ns":
        scalars = column.explode() if isinstance(column.dtype, pl.List | pl.Array) else column
        if (scalars.to_physical() % 1_000 != 0).any():
            raise fraction_error(column.name)
