"""Change the dtype of a value: what Polars does itself where dtypes meet, and casts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.expressions.runtime import float32
from featurestore.expressions.writer import UncompiledError, Value, limits

if TYPE_CHECKING:
    from featurestore.expressions.writer import Writer

# A float holds each integer up to here, so that it is rounded to 32 bits once.
_EXACT: Final = 2**53
_TICKS_A_DAY: Final = {"ms": 86_400_000, "us": 86_400_000_000}


def widened(writer: Writer, value: Value, dtype: pl.DataType) -> Value:
    """Write a value as the dtype that it has in common with others.

    Raises
    ------
    UncompiledError
        If the dtype does not hold each value of the other.
    """
    source = value.dtype
    if source == dtype:
        return value
    if value.literal is None or isinstance(source, pl.Null):
        return writer.literal(None, dtype)
    if source.is_integer() and dtype.is_integer():
        low, high = limits(dtype)
        first, last = (value.literal,) * 2 if value.is_literal else limits(source)
        if low <= first and last <= high:
            return value.of(dtype)
    elif source.is_integer() and dtype.is_float():
        return _as_float(writer, value, dtype)
    elif source.is_float() and dtype == pl.Float64:
        return value.of(dtype)
    elif source.is_float() and dtype == pl.Float32 and value.is_literal:
        return writer.literal(float32(value.literal), dtype)
    raise UncompiledError(f"{source} meets {dtype}")


def cast(writer: Writer, value: Value, dtype: pl.DataType) -> Value:  # noqa: PLR0911 - one for each kind
    """Write a cast. A value that does not fit leaves the row to Polars.

    Raises
    ------
    UncompiledError
        If Python and Polars may change the value differently.
    """
    source = value.dtype
    if value.literal is None or source == dtype:
        return widened(writer, value, dtype)
    if _is_number(source) and _is_number(dtype):
        return _as_number(writer, value, dtype)
    if isinstance(source, pl.Datetime) and isinstance(dtype, pl.Date) and source.time_zone is None:
        return writer.lifted(f"{value.text} // {_TICKS_A_DAY[source.time_unit]}", value, dtype=dtype)
    if isinstance(source, pl.Date) and isinstance(dtype, pl.Datetime) and dtype.time_unit in _TICKS_A_DAY:
        ticks = writer.lifted(f"{value.text} * {_TICKS_A_DAY[dtype.time_unit]}", value, dtype=dtype)
        return writer.fitted(ticks)
    if isinstance(source, pl.Datetime | pl.Duration | pl.Date) and dtype in (pl.Int64, pl.Int32):
        return writer.fitted(value.of(dtype))
    if source.is_integer() and dtype == pl.String:
        return writer.lifted(f"str({value.text})", value, dtype=dtype)
    if source == pl.Boolean and dtype == pl.String:
        return writer.lifted(f"'true' if {value.text} else 'false'", value, dtype=dtype)
    raise UncompiledError(f"a cast from {source} to {dtype}")


def _is_number(dtype: pl.DataType) -> bool:
    return dtype.is_integer() or dtype in (pl.Float32, pl.Float64, pl.Boolean)


def _as_number(writer: Writer, value: Value, dtype: pl.DataType) -> Value:
    source = value.dtype
    if dtype == pl.Boolean:
        return writer.lifted(f"{value.text} != 0", value, dtype=dtype)
    if source == pl.Boolean:
        kind = "float" if dtype.is_float() else "int"
        return writer.lifted(f"{kind}({value.text})", value, dtype=dtype)
    if dtype.is_integer():
        text = value.text if source.is_integer() else f"int({value.text})"
        return writer.fitted(writer.lifted(text, value, dtype=dtype))
    if source.is_integer():
        return _as_float(writer, value, dtype)
    if dtype == pl.Float64:
        return value.of(dtype)
    return writer.lifted(f"c_float({value.text}).value", value, dtype=dtype)


def _as_float(writer: Writer, value: Value, dtype: pl.DataType) -> Value:
    if value.is_literal:
        number = float(value.literal)
        return writer.literal(float32(number) if dtype == pl.Float32 else number, dtype)
    if dtype == pl.Float64:
        return writer.lifted(f"float({value.text})", value, dtype=dtype)
    if max(map(abs, limits(value.dtype))) > _EXACT:
        writer.require(f"{value.text} is None or {-_EXACT} <= {value.text} <= {_EXACT}")
    return writer.lifted(f"c_float({value.text}).value", value, dtype=dtype)
