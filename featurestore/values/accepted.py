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
"""

from __future__ import annotations

from ctypes import c_float
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import polars as pl

from featurestore.errors import ContractError
from featurestore.values.table import integer_limits

if TYPE_CHECKING:
    from collections.abc import Callable

_KINDS: Final[dict[type[pl.DataType], type]] = {pl.Boolean: bool, pl.String: str, pl.Binary: bytes}
# More than any Decimal holds, with as many zeros behind them as anyone writes.
MAX_DIGITS: Final = 400
_TICK: Final = {"us": 1, "ms": 1_000}
_Accept: TypeAlias = "Callable[[Any], Any]"


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
            raise ContractError(
                f"{what} {name!r} is {value!r:.100}, expected {dtype}", hint=_hint(dtype)
            ) from None

    return check


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
    is_accepted = _is_date if isinstance(dtype, pl.Date) else _kind_check(dtype)
    return lambda value: _require(value, is_accepted(value))


def _kind_check(dtype: pl.DataType) -> Callable[[Any], bool]:
    if type(dtype) in _KINDS:
        kind = _KINDS[type(dtype)]
        return lambda value: isinstance(value, kind)
    low, high = integer_limits(dtype)
    return lambda value: _is_integer(value) and low <= value <= high


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
    result: datetime = value.astimezone(UTC)
    _require(value, result.microsecond % tick == 0)
    return result


def _elements(dtype: pl.List | pl.Array) -> _Accept:
    accept = _accept(pl.Series(dtype=dtype.inner).dtype)
    size = dtype.size if isinstance(dtype, pl.Array) else None

    def elements(values: Any) -> list[Any]:
        _require(values, isinstance(values, list | tuple) and size in (None, len(values)))
        return [None if value is None else accept(value) for value in values]

    return elements


def _hint(dtype: pl.DataType) -> str | None:
    if isinstance(dtype, pl.Datetime):
        return "give a timestamp with a time zone, such as 2013-12-31T12:00:00Z"
    if isinstance(dtype, pl.Decimal):
        return f"give a decimal of at most {dtype.scale} digits after the point; no digit is cut"
    return None
