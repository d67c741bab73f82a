"""The Python values that each dtype accepts, the same at every door: a value fits exactly, or it is refused.

| dtype | accepts |
| --- | --- |
| integers | `int` in the range of the dtype |
| floats | `float`; `int` that the dtype holds exactly. A fraction is rounded to the width of the dtype |
| Decimal | `Decimal` and `int` that fit its precision and scale |
| Boolean, String, Binary | `bool`, `str`, `bytes` |
| Date | `date` |
| Datetime | `datetime` with a time zone, without a fraction of the dtype's unit |
| List, Array | `list` and `tuple` of accepted values, and nulls |

A scalar or array of NumPy stands for the Python values that its method `tolist` returns.
"""

from __future__ import annotations

from ctypes import c_float
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import polars as pl

from featurestore.errors import ContractError
from featurestore.timestamps import is_below_a_microsecond
from featurestore.values.table import integer_limits

if TYPE_CHECKING:
    from collections.abc import Callable

_Accept: TypeAlias = "Callable[[Any], Any]"
# More than any Decimal holds, with as many zeros behind them as anyone writes.
MAX_DIGITS: Final = 400
_HINTS: Final[dict[type[pl.DataType], str]] = {
    pl.Boolean: "give a boolean: true or false",
    pl.String: "give text",
    pl.Binary: "give bytes",
    pl.Date: "give a date, such as 2013-12-31, without a time",
}
_TICK: Final = {"us": 1, "ms": 1_000}


def value_check(what: str, name: str, dtype: pl.DataType) -> Callable[[Any], Any]:
    """Return the function that returns a value as the dtype holds it.

    Parameters
    ----------
    what
        What the value is, such as ``"key"``, for messages.
    name
        Name of the column.

    Returns
    -------
    Callable
        Takes a Python value. None stays None. Timestamps are returned in UTC. It raises ContractError
        if the dtype does not accept the value, or the value is missing (``...``).
    """
    accept = _accept(dtype)

    def check(value: Any) -> Any:
        if value is None:
            return None
        if value is ...:
            raise ContractError(f"a row lacks the {what} {name!r}", hint=f"add it, as {dtype}")
        try:
            return accept(value)
        except (ValueError, OverflowError):
            plain = _python_value(value)
        try:
            return accept(plain)
        except (ValueError, OverflowError):
            raise ContractError(
                f"{what} {name!r} is {value!r:.100}, expected {dtype}", hint=accepted_hint(dtype)
            ) from None

    return check


def accepted_hint(dtype: pl.DataType) -> str:
    """Return the hint of a message about a value that a dtype does not accept: what it accepts."""
    if isinstance(dtype, pl.Datetime):
        digits = 3 if dtype.time_unit == "ms" else 6
        return f"give a timestamp with a time zone and at most {digits} digits of a second, such as 2013-12-31T12:00:00Z"
    if isinstance(dtype, pl.Decimal):
        return f"give a decimal of at most {dtype.scale} digits after the point; no digit is cut"
    if isinstance(dtype, pl.List | pl.Array):
        size = f"{dtype.size:,} " if isinstance(dtype, pl.Array) else ""
        return f"give a list of {size}values; of each: {accepted_hint(pl.Series(dtype=dtype.inner).dtype)}"
    if dtype.is_float():
        return f"give a number; {dtype} does not hold every integer, and none is rounded"
    if type(dtype) in _HINTS:
        return _HINTS[type(dtype)]
    low, high = integer_limits(dtype)
    return f"give an integer from {low:,} to {high:,}"


def _python_value(value: Any) -> Any:
    """Return the Python values of a scalar or array of NumPy or the like; any other value as it is."""
    if isinstance(value, list | tuple):
        return [_python_value(element) for element in value]
    kind = getattr(getattr(value, "dtype", None), "kind", None)
    if kind is None or not hasattr(value, "tolist"):
        return value
    plain = value.tolist()
    # NumPy returns a time in nanoseconds as an integer, which no longer says what it is.
    is_count = kind in "mM" and not isinstance(plain, date)
    return value if is_count else plain


def is_read_exactly(dtype: pl.DataType) -> bool:
    """Return whether JSON that has the type of a dtype always is a value that the dtype accepts."""
    inner = dtype
    while isinstance(inner, pl.List | pl.Array):
        inner = pl.Series(dtype=inner.inner).dtype
    return dtype == inner and not (
        inner.is_float() or isinstance(inner, pl.Decimal | pl.Datetime | pl.UInt64)
    )


def _accept(dtype: pl.DataType) -> _Accept:
    if isinstance(dtype, pl.List | pl.Array):
        return _elements(dtype)
    if isinstance(dtype, pl.Datetime):
        return lambda value: _timestamp(value, _TICK.get(dtype.time_unit, 1))
    if isinstance(dtype, pl.Decimal):
        return lambda value: _decimal(value, dtype.precision, dtype.scale)
    if dtype.is_float():
        return _float32 if isinstance(dtype, pl.Float32) else _float64
    if type(dtype) in _OF_KIND:
        return _OF_KIND[type(dtype)]
    low, high = integer_limits(dtype)
    return lambda value: _require(value, _is_integer(value) and low <= value <= high)


def _of_kind(kind: type, plain: _Accept) -> _Accept:
    """Accept values of a kind; one of a class derived from it, such as NumPy's text, becomes the kind itself."""

    def accept(value: Any) -> Any:
        _require(value, isinstance(value, kind))
        return value if type(value) is kind else plain(value)

    return accept


def _text(value: Any) -> str:
    _require(value, isinstance(value, str))
    if not value.isascii():
        value.encode()  # UnicodeEncodeError, for half of a pair of surrogates, is a ValueError
    return value if type(value) is str else str.__str__(value)


def _is_date(value: Any) -> bool:
    return isinstance(value, date) and not isinstance(value, datetime)


def _require(value: Any, accepted: bool) -> Any:  # noqa: FBT001 - it is the condition
    if not accepted:
        raise ValueError
    return value


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _float64(value: Any) -> float:
    _require(value, isinstance(value, float) or _is_integer(value))
    result = float(value)
    _require(value, isinstance(value, float) or int(result) == value)
    return result


def _float32(value: Any) -> float:
    result = _float64(value)
    # An integer is held exactly; a fraction is rounded.
    is_whole = result.is_integer()
    _require(value, not is_whole or c_float(result).value == result)
    return result


def _decimal(value: Any, precision: int | None, scale: int) -> Decimal:
    _require(value, isinstance(value, Decimal) or _is_integer(value))
    number = Decimal(value)
    # Checked before the digits are listed, which takes a second for millions of them.
    _require(value, number.is_finite() and number.adjusted() <= (precision or 38))
    sign, digits, exponent = number.as_tuple()
    _require(value, len(digits) <= MAX_DIGITS)
    unscaled = int("".join(map(str, digits)))
    if not unscaled:
        return Decimal(0).scaleb(-scale)
    shift = int(exponent) + scale
    _require(value, abs(shift) <= len(digits) + (precision or 38))
    if shift < 0:
        unscaled, rest = divmod(unscaled, 10**-shift)
        _require(value, rest == 0)
    else:
        unscaled *= 10**shift
    _require(value, unscaled < 10 ** (precision or 38))
    return Decimal((sign, tuple(map(int, str(unscaled))), -scale))


def _timestamp(value: Any, tick: int) -> datetime:
    if tick == 1 and type(value) is datetime and value.tzinfo is UTC:
        return value
    _require(value, isinstance(value, datetime) and value.tzinfo is not None)
    _require(value, not is_below_a_microsecond(value))
    result: datetime = value.astimezone(UTC)
    _require(value, result.microsecond % tick == 0)
    # A timestamp of pandas is a datetime of a derived class.
    return result if type(result) is datetime else datetime.combine(result.date(), result.time(), UTC)


def _elements(dtype: pl.List | pl.Array) -> _Accept:
    accept = _accept(pl.Series(dtype=dtype.inner).dtype)
    size = dtype.size if isinstance(dtype, pl.Array) else None

    def elements(values: Any) -> list[Any]:
        _require(values, isinstance(values, list | tuple) and size in (None, len(values)))
        return [None if value is None else accept(value) for value in values]

    return elements


_OF_KIND: Final[dict[type[pl.DataType], _Accept]] = {
    pl.Boolean: _of_kind(bool, bool),
    pl.String: _text,
    pl.Binary: _of_kind(bytes, lambda value: bytes(memoryview(value))),
    pl.Date: lambda value: _require(value, _is_date(value)),
}
