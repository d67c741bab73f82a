"""How the values of a row go into a compiled function, and how its results come out as Polars returns them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.expressions.writer import UncompiledError, Value, Writer, limits
from featurestore.timing.epoch import EPOCH, MICROSECOND

if TYPE_CHECKING:
    from collections.abc import Callable

_NAIVE_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - for timestamps without a zone
_DAY_ZERO: Final = date(1970, 1, 1).toordinal()
_MICROSECONDS: Final = {"ms": 1_000, "us": 1}
_PLAIN: Final[dict[type[pl.DataType], type]] = {
    pl.Boolean: bool,
    pl.String: str,
    pl.Binary: bytes,
    pl.Float64: float,
    pl.Float32: float,
}


def load(writer: Writer, position: int, name: str, dtype: pl.DataType) -> Value:
    """Write how a column is read from the row. A value of another Python type leaves the row to Polars.

    Raises
    ------
    UncompiledError
        If values of the dtype are not read in Python.
    """
    raw = writer.let(f"row[{position}]")
    value = Value(raw, dtype)
    if isinstance(dtype, pl.List):
        writer.require(f"{raw} is None or type({raw}) is list")
        return _each(writer, value, lambda inner, element: load(inner, 0, name, element))
    if dtype.is_integer():
        low, high = limits(dtype)
        writer.require(f"{raw} is None or (type({raw}) is int and {low} <= {raw} <= {high})")
        return value
    kind = _kind(dtype)
    if kind is None:
        raise UncompiledError(f"column {name!r} is {dtype}")
    writer.require(f"{raw} is None or type({raw}) is {writer.constant(kind)}")
    if dtype == pl.String:
        # A lone surrogate has no bytes: it raises a ValueError, and Polars reports it.
        writer.require(f"{raw} is None or {raw}.isascii() or {raw}.encode()")
    if dtype == pl.Float32:
        return writer.lifted(f"c_float({raw}).value", value, dtype=dtype)
    if isinstance(dtype, pl.Date):
        return writer.lifted(f"{raw}.toordinal() - {_DAY_ZERO}", value, dtype=dtype)
    if isinstance(dtype, pl.Datetime):
        return _ticks(writer, value, dtype)
    return value


def _each(writer: Writer, value: Value, change: Callable[[Writer, pl.DataType], Value]) -> Value:
    """Write a list whose elements are changed as values of a column are.

    Parameters
    ----------
    change
        Writes how an element of a dtype, which is alone in its row, is changed.
    """
    inner = Writer()
    changed = change(inner, pl.Series(dtype=value.dtype.inner).dtype)  # type: ignore[attr-defined]
    function = writer.constant(inner.function([changed.text]))
    return writer.lifted(f"[{function}((each,))[0] for each in {value.text}]", value, dtype=value.dtype)


def _kind(dtype: pl.DataType) -> type | None:
    if isinstance(dtype, pl.Datetime):
        return datetime if dtype.time_unit in _MICROSECONDS else None
    return date if isinstance(dtype, pl.Date) else _PLAIN.get(type(dtype))


def _ticks(writer: Writer, value: Value, dtype: pl.Datetime) -> Value:
    raw = value.text
    is_naive = dtype.time_zone is None
    writer.require(f"{raw} is None or {raw}.tzinfo is {'' if is_naive else 'not '}None")
    epoch, tick = writer.constant(_NAIVE_EPOCH if is_naive else EPOCH), writer.constant(MICROSECOND)
    ticks = writer.lifted(f"({raw} - {epoch}) // {tick}", value, dtype=dtype)
    size = _MICROSECONDS[dtype.time_unit]
    if size == 1:
        return ticks
    writer.require(f"{ticks.text} is None or {ticks.text} % {size} == 0")
    return writer.lifted(f"{ticks.text} // {size}", ticks, dtype=dtype)


def unload(writer: Writer, value: Value) -> str:
    """Write the result as the Python value that Polars returns, with timestamps in UTC; returns its name.

    Raises
    ------
    UncompiledError
        If a result of the dtype does not leave a compiled function.
    """
    dtype = value.dtype
    if isinstance(dtype, pl.List):
        return _each(
            writer, value, lambda inner, element: Value(unload(inner, Value("row[0]", element)), element)
        ).text
    if dtype.is_integer() or type(dtype) in _PLAIN or isinstance(dtype, pl.Null):
        return value.text
    if isinstance(dtype, pl.Date):
        write = writer.constant(date.fromordinal)
        return writer.lifted(f"{write}({value.text} + {_DAY_ZERO})", value, dtype=dtype).text
    if isinstance(dtype, pl.Datetime | pl.Duration) and dtype.time_unit in _MICROSECONDS:
        size = _MICROSECONDS[dtype.time_unit]
        difference = f"{writer.constant(timedelta)}(microseconds={value.text} * {size})"
        if isinstance(dtype, pl.Datetime):
            epoch = writer.constant(_NAIVE_EPOCH if dtype.time_zone is None else EPOCH)
            difference = f"{epoch} + {difference}"
        return writer.lifted(difference, value, dtype=dtype).text
    raise UncompiledError(f"a result is {dtype}")


def as_held(value: Any, dtype: pl.DataType) -> Any:
    """Return a value that Polars returned in the form in which a compiled function holds it."""
    if value is None:
        return None
    if isinstance(dtype, pl.Date | pl.Datetime | pl.Duration):
        return pl.Series([value], dtype=dtype).to_physical().item()
    return value
