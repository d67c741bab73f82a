"""Functions of dates, timestamps and durations, on integers."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.expressions.writer import UncompiledError, Value
from featurestore.expressions.zones import offset_of

if TYPE_CHECKING:
    from featurestore.expressions.writer import Writer

_DAY: Final = 86_400
_DAY_ZERO: Final = date(1970, 1, 1).toordinal()
_TICKS: Final = {"ms": 1_000, "us": 1_000_000}
_OF_DAY: Final = {"Hour": "{0} // 3600", "Minute": "{0} // 60 % 60", "Second": "{0} % 60"}
_OF_DATE: Final = {
    "Year": "{0}.year",
    "Month": "{0}.month",
    "Day": "{0}.day",
    "Quarter": "({0}.month + 2) // 3",
    "WeekDay": "{0}.isoweekday()",
    "OrdinalDay": "{0}.timetuple().tm_yday",
    "Week": "{0}.isocalendar()[1]",
    "IsoYear": "{0}.isocalendar()[0]",
    "IsLeapYear": "({0}.year % 4 == 0 and ({0}.year % 100 != 0 or {0}.year % 400 == 0))",
}
_OF_SECOND: Final = {"Millisecond": 1_000, "Microsecond": 1_000_000}
_TOTALS: Final = {
    "TotalDays": _DAY,
    "TotalHours": 3_600,
    "TotalMinutes": 60,
    "TotalSeconds": 1,
}
_UNITS: Final = {"Milliseconds": "ms", "Microseconds": "us"}


def function(writer: Writer, kind: Any, value: Value, dtype: pl.DataType) -> Value:
    """Write a function of the namespace ``dt``.

    Raises
    ------
    UncompiledError
        If the function, or the dtype, is not known.
    """
    options: Any
    [(name, options)] = kind.items() if isinstance(kind, dict) else [(kind, None)]
    source = value.dtype
    if name == "ConvertTimeZone" and isinstance(source, pl.Datetime):
        return value.of(dtype)
    if name in _TOTALS and isinstance(source, pl.Duration) and not options["fractional"]:
        size = _TOTALS[name] * _ticks_a_second(source)
        # Rounded towards zero.
        text = f"({value.text} // {size} if {value.text} >= 0 else -(-{value.text} // {size}))"
        return writer.lifted(text, value, dtype=dtype)
    if name == "TimeStamp" and isinstance(source, pl.Datetime) and options in _UNITS:
        return _in_unit(writer, value, _TICKS[_UNITS[options]], dtype)
    if isinstance(source, pl.Datetime):
        return _part(writer, name, value, dtype)
    if isinstance(source, pl.Date) and name in _OF_DATE:
        return _of_date(writer, name, value, dtype)
    raise UncompiledError(f"dt.{name} of {source}")


def _part(writer: Writer, name: str, value: Value, dtype: pl.DataType) -> Value:
    size = _ticks_a_second(value.dtype)
    seconds = _local_seconds(writer, value, size)
    if name == "Date":
        return writer.lifted(f"{seconds.text} // {_DAY}", seconds, dtype=dtype)
    if name in _OF_DAY:
        of_day = writer.lifted(f"{seconds.text} % {_DAY}", seconds, dtype=dtype)
        return writer.lifted(_OF_DAY[name].format(of_day.text), of_day, dtype=dtype)
    if name in _OF_DATE:
        days = writer.lifted(f"{seconds.text} // {_DAY}", seconds, dtype=pl.Date())
        return _of_date(writer, name, days, dtype)
    if name in _OF_SECOND:
        text = f"{value.text} % {size} * {_OF_SECOND[name]} // {size}"
        return writer.lifted(text, value, dtype=dtype)
    raise UncompiledError(f"dt.{name}")


def _local_seconds(writer: Writer, value: Value, size: int) -> Value:
    seconds = writer.lifted(f"{value.text} // {size}", value, dtype=pl.Int64())
    zone = value.dtype.time_zone if isinstance(value.dtype, pl.Datetime) else None
    if zone in (None, "UTC"):
        return seconds
    offset = writer.constant(offset_of(zone))
    return writer.lifted(f"{seconds.text} + {offset}({seconds.text})", seconds, dtype=pl.Int64())


def _of_date(writer: Writer, name: str, days: Value, dtype: pl.DataType) -> Value:
    # A day before the year 1 or after 9999 raises a ValueError: Polars computes such a row.
    day = writer.lifted(f"date_of({days.text} + {_DAY_ZERO})", days, dtype=pl.Date())
    return writer.lifted(_OF_DATE[name].format(day.text), day, dtype=dtype)


def _in_unit(writer: Writer, value: Value, wanted: int, dtype: pl.DataType) -> Value:
    held = _ticks_a_second(value.dtype)
    if held >= wanted:
        return writer.lifted(f"{value.text} // {held // wanted}", value, dtype=dtype)
    return writer.fitted(writer.lifted(f"{value.text} * {wanted // held}", value, dtype=dtype))


def _ticks_a_second(dtype: pl.DataType) -> int:
    unit = dtype.time_unit if isinstance(dtype, pl.Datetime | pl.Duration) else None
    if unit not in _TICKS:
        raise UncompiledError(f"{dtype}")
    return _TICKS[unit]


def arithmetic(writer: Writer, operator: str, left: Value, right: Value, dtype: pl.DataType) -> Value:
    """Write a sum or difference of timestamps and durations of one unit.

    Raises
    ------
    UncompiledError
        If the units differ, or a side is another dtype.
    """
    units = {
        side.dtype.time_unit
        for side in (left, right, Value("", dtype))
        if isinstance(side.dtype, pl.Datetime | pl.Duration)
    }
    zones = {
        side.dtype.time_zone
        for side in (left, right, Value("", dtype))
        if isinstance(side.dtype, pl.Datetime)
    }
    kinds = tuple(type(side.dtype) for side in (left, right))
    known = {
        "Plus": [(pl.Datetime, pl.Duration), (pl.Duration, pl.Datetime), (pl.Duration, pl.Duration)],
        "Minus": [(pl.Datetime, pl.Duration), (pl.Datetime, pl.Datetime), (pl.Duration, pl.Duration)],
    }
    if kinds not in known.get(operator, []) or len(units) != 1 or len(zones) > 1:
        raise UncompiledError(f"{operator} of {left.dtype} and {right.dtype}")
    sign = "+" if operator == "Plus" else "-"
    return writer.fitted(writer.lifted(f"{left.text} {sign} {right.text}", left, right, dtype=dtype))
