"""Feast's wire values: Polars columns to `Value` messages and back, by the value table."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl
from feast.protos.feast.types.Value_pb2 import Value

from featurestore.errors import StoreError
from featurestore.timing.epoch import EPOCH, microseconds
from featurestore.values.codec import physical
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
_TICKS = {"ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_DAY = 86_400


def to_values(column: pl.Series) -> list[Value]:
    """Turn a column into wire values; a null becomes an empty one.

    Raises
    ------
    StoreError
        If a timestamp has a fraction of a second (Feast's wire has whole seconds), or a list a missing element.
    """
    kind = feast_type(column.dtype)
    scalar = kind.removesuffix("_LIST")
    text = scalar == "DECIMAL"
    plain = column.cast(_text(column.dtype) if text else physical(column.dtype)).to_list()
    field = f"{scalar.lower()}_list_val" if kind.endswith("_LIST") else _FIELDS[scalar]
    if scalar == "UNIX_TIMESTAMP":
        plain = [_seconds(column.name, value, _scalar(column.dtype)) for value in plain]
    values = []
    for item in plain:
        value = Value()
        if item is not None:
            if isinstance(item, list):
                if None in item:
                    raise StoreError(
                        f"feature {column.name!r}: Feast's lists cannot carry a missing element",
                        hint="read it through featurestore, or fill it in the view",
                    )
                getattr(value, field).val.extend(item)
            else:
                setattr(value, field, item)
        values.append(value)
    return values


def from_values(name: str, values: Sequence[Any], dtype: pl.DataType) -> pl.Series:
    """Turn wire values into a column of `dtype`."""
    plain = [_plain(value) for value in values]
    if feast_type(dtype).startswith("UNIX_TIMESTAMP"):
        plain = [_ticks(value, _scalar(dtype)) for value in plain]
        return pl.Series(name, plain, dtype=physical(dtype)).cast(dtype)
    return pl.Series(name, plain, strict=False).cast(dtype) if plain else pl.Series(name, [], dtype=dtype)


def moment(value: datetime) -> datetime:
    """Read a Feast timestamp; without a time zone it is UTC."""
    return value if value.tzinfo else value.replace(tzinfo=EPOCH.tzinfo)


def whole_microseconds(value: datetime) -> int:
    """Return a Feast timestamp as microseconds since 1970-01-01 UTC."""
    return microseconds(moment(value))


def _plain(value: Any) -> Any:
    field = value.WhichOneof("val")
    if field is None:
        return None
    content = getattr(value, field)
    return list(content.val) if field.endswith("_list_val") else content


def _scalar(dtype: pl.DataType) -> pl.DataType:
    return pl.Series(dtype=dtype.inner).dtype if isinstance(dtype, pl.List | pl.Array) else dtype


def _text(dtype: pl.DataType) -> pl.DataType:
    return pl.List(pl.String) if isinstance(dtype, pl.List | pl.Array) else pl.String()


def _ticks(value: Any, dtype: pl.DataType) -> Any:
    if value is None:
        return None
    if isinstance(value, list):
        return [_ticks(item, dtype) for item in value]
    return value * _TICKS[dtype.time_unit] if isinstance(dtype, pl.Datetime) else value // _DAY


def _seconds(name: str, value: Any, dtype: pl.DataType) -> Any:
    if value is None:
        return None
    if isinstance(value, list):
        return [_seconds(name, item, dtype) for item in value]
    if not isinstance(dtype, pl.Datetime):
        return value * _DAY
    seconds, fraction = divmod(value, _TICKS[dtype.time_unit])
    if fraction:
        raise StoreError(
            f"feature {name!r}: Feast's wire has whole seconds and cannot carry a fraction of one",
            hint="read it through featurestore, or round it in the view",
        )
    return seconds
