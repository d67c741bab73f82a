"""Casts between dtypes: which pairs there are, and which values a cast would change.

A cast gives each value in the other dtype, or says that the value failed. A value failed if it is
not the same after it is cast back. The one exception is the design's rule for floats: a fraction is
rounded once, to the nearest float; an integer is never rounded.

Timestamps and dates outside the years 1 to 9999 fail in every cast, also in the cast of a dtype to
itself: neither Python nor Polars can show them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from featurestore.values.text_casts import text_cast

INTEGERS: Final = (
    pl.Int8,
    pl.Int16,
    pl.Int32,
    pl.Int64,
    pl.Int128,
    pl.UInt8,
    pl.UInt16,
    pl.UInt32,
    pl.UInt64,
    pl.UInt128,
)
# Every integer of at most this many bits is a float of this dtype.
FLOAT_BITS: Final[dict[type[pl.DataType], int]] = {pl.Float16: 11, pl.Float32: 24, pl.Float64: 53}
_INTEGER_BITS: Final[dict[type[pl.DataType], int]] = {
    dtype: int(dtype.__name__.strip("UInt")) for dtype in INTEGERS
}
_WORDS: Final = (pl.String, pl.Categorical, pl.Enum)
_FIRST_DAY: Final = -719_162  # 0001-01-01, in days since 1970
_LAST_DAY: Final = 2_932_896  # 9999-12-31
_TICKS_A_DAY: Final = {"ms": 86_400_000, "us": 86_400_000_000}


@dataclass(frozen=True)
class Cast:
    """How values are cast to another dtype.

    Attributes
    ----------
    value
        The values in the other dtype; null where the cast failed.
    failed
        True where the cast failed, False elsewhere, never null. None: no value can fail.
    rounded
        True where a fraction was rounded. None: no value is rounded.
    """

    value: pl.Expr
    failed: pl.Expr | None = None
    rounded: pl.Expr | None = None


def cast_values(
    value: pl.Expr, actual: pl.DataType, declared: pl.DataType, text_format: str | None = None
) -> Cast | None:
    """Plan the cast of values from one dtype to another.

    Parameters
    ----------
    value
        The values, of dtype `actual`.
    text_format
        How dates and times are written, where the values are text.

    Returns
    -------
    Cast | None
        None if the pair of dtypes is refused: the two hold values of different kinds.
    """
    cast: Cast | None
    if isinstance(actual, pl.Null):
        cast = Cast(value.cast(declared))
    elif isinstance(actual, pl.List | pl.Array) and isinstance(declared, pl.List | pl.Array):
        cast = _list_cast(value, actual, declared)
    elif isinstance(actual, pl.Struct) and isinstance(declared, pl.Struct):
        cast = _struct_cast(value, actual, declared)
    elif isinstance(declared, pl.Date | pl.Datetime):
        cast = _calendar_cast(value, actual, declared, text_format)
    elif actual == declared:
        cast = Cast(value)
    elif isinstance(declared, _WORDS) and isinstance(actual, _WORDS):
        cast = _checked(value, value.cast(declared, strict=False))
    elif isinstance(actual, pl.String):
        parsed = text_cast(value, declared, text_format)
        cast = None if parsed is None else Cast(*parsed)
    else:
        cast = _number_cast(value, actual, declared)
    return cast


def instance(dtype: Any) -> pl.DataType:
    """Return a dtype as an instance; Polars also takes classes for dtypes without parameters."""
    return pl.Series(dtype=dtype).dtype


def without_array(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Return the values of an array as lists; other values stay as they are."""
    return value.arr.to_list() if isinstance(dtype, pl.Array) else value


def _number_cast(value: pl.Expr, actual: pl.DataType, declared: pl.DataType) -> Cast | None:
    result = value.cast(declared, strict=False)
    cast: Cast | None = None
    if isinstance(actual, INTEGERS) and isinstance(declared, INTEGERS):
        cast = _checked(value, result)
    elif isinstance(actual, INTEGERS) and type(declared) in FLOAT_BITS:
        differs = result.cast(actual, strict=False).ne_missing(value)
        fits = _INTEGER_BITS[type(actual)] <= FLOAT_BITS[type(declared)]
        cast = Cast(result) if fits else _checked(value, result, differs)
    elif type(actual) in FLOAT_BITS and type(declared) in FLOAT_BITS:
        is_shorter = FLOAT_BITS[type(declared)] < FLOAT_BITS[type(actual)]
        cast = _float_cast(value, result, actual) if is_shorter else Cast(result)
    elif isinstance(declared, pl.Decimal) and isinstance(actual, (*INTEGERS, pl.Decimal)):
        cast = _checked(value, result, result.cast(actual, strict=False).ne_missing(value))
    elif isinstance(declared, pl.Duration) and isinstance(actual, pl.Duration):
        back = result.cast(actual, strict=False)
        cast = _checked(value, result, back.to_physical().ne_missing(value.to_physical()))
    return cast


def _checked(value: pl.Expr, cast: pl.Expr, differs: pl.Expr | None = None) -> Cast:
    """Fail where a value became null, and where it differs."""
    if differs is None:
        return Cast(cast, value.is_not_null() & cast.is_null())
    failed = value.is_not_null() & differs
    return Cast(pl.when(~failed).then(cast), failed)


def _float_cast(value: pl.Expr, cast: pl.Expr, actual: pl.DataType) -> Cast:
    """Cast to a shorter float: an integer must be held exactly, a fraction is rounded by less than 1."""
    back = cast.cast(actual)
    inexact = (value.is_finite() & (back != value)).fill_null(value=False)
    failed = inexact & ((value == value.floor()) | ((value - back).abs() >= 1))
    failed = failed.fill_null(value=False)
    return Cast(pl.when(~failed).then(cast), failed, inexact & ~failed)


def _calendar_cast(
    value: pl.Expr, actual: pl.DataType, declared: pl.Date | pl.Datetime, text_format: str | None
) -> Cast | None:
    failed: pl.Expr | None = None
    if actual == declared:
        cast = value
    elif isinstance(actual, pl.String):
        parsed = text_cast(value, declared, text_format)
        if parsed is None:
            return None
        cast, failed = parsed[:2]
    elif isinstance(actual, pl.Datetime) and isinstance(declared, pl.Datetime):
        if bool(actual.time_zone) != bool(declared.time_zone):
            return None
        cast = value.cast(pl.Datetime(declared.time_unit, actual.time_zone), strict=False)
        if actual.time_unit != declared.time_unit:
            back = cast.cast(pl.Datetime(actual.time_unit, actual.time_zone), strict=False)
            failed = value.is_not_null() & back.to_physical().ne_missing(value.to_physical())
        if declared.time_zone and actual.time_zone:
            cast = cast.dt.convert_time_zone(declared.time_zone)
    else:
        return None
    outside = _outside_calendar(cast, declared)
    if outside is not None:
        failed = outside if failed is None else failed | outside
    return Cast(cast) if failed is None else Cast(pl.when(~failed).then(cast), failed)


def _outside_calendar(value: pl.Expr, dtype: pl.Date | pl.Datetime) -> pl.Expr | None:
    """Return where a date or timestamp is outside the years 1 to 9999; nanoseconds never do."""
    first, last = _FIRST_DAY, _LAST_DAY
    if isinstance(dtype, pl.Datetime):
        if dtype.time_unit == "ns":
            return None
        ticks = _TICKS_A_DAY[dtype.time_unit]
        first, last = first * ticks, (last + 1) * ticks - 1
    return (~value.to_physical().is_between(first, last)).fill_null(value=False)


def _list_cast(value: pl.Expr, actual: Any, declared: Any) -> Cast | None:
    """Cast a list element by element; a list with an element that failed fails."""
    inner = cast_values(pl.element(), instance(actual.inner), instance(declared.inner))
    if inner is None:
        return None
    width = declared.size if isinstance(declared, pl.Array) else None
    has_width = isinstance(actual, pl.Array) and actual.size == width
    if actual == declared and inner.failed is None:
        return Cast(value)
    values = without_array(value, actual)
    failures = [] if inner.failed is None else [values.list.eval(inner.failed).list.any()]
    if width is not None and not has_width:
        failures.append(values.list.len() != width)
    cast = values.list.eval(inner.value)
    failed = None
    if failures:
        failed = pl.any_horizontal(*failures).fill_null(value=False)
        cast = pl.when(~failed).then(cast)
    if width is not None:
        cast = cast.list.to_array(width)
    rounded = None
    if inner.rounded is not None:
        rounded = values.list.eval(inner.rounded).list.any().fill_null(value=False)
        rounded = rounded if failed is None else rounded & ~failed
    return Cast(cast, failed, rounded)


def _struct_cast(value: pl.Expr, actual: pl.Struct, declared: pl.Struct) -> Cast | None:
    """Cast a struct field by field; both need fields of the same names."""
    dtypes = {field.name: instance(field.dtype) for field in actual.fields}
    if len(declared.fields) != len(dtypes) or any(field.name not in dtypes for field in declared.fields):
        return None
    casts: dict[str, Cast] = {}
    for field in declared.fields:
        cast = cast_values(value.struct.field(field.name), dtypes[field.name], instance(field.dtype))
        if cast is None:
            return None
        casts[field.name] = cast
    failed = _any([cast.failed for cast in casts.values()])
    if actual == declared and failed is None:
        return Cast(value)
    kept = value.is_not_null() if failed is None else value.is_not_null() & ~failed
    struct = pl.struct(cast.value.alias(name) for name, cast in casts.items())
    rounded = _any([cast.rounded for cast in casts.values()])
    if rounded is not None and failed is not None:
        rounded &= ~failed
    return Cast(pl.when(kept).then(struct), failed, rounded)


def _any(flags: list[pl.Expr | None]) -> pl.Expr | None:
    present = [flag for flag in flags if flag is not None]
    return pl.any_horizontal(*present).fill_null(value=False) if present else None


def non_finite(value: pl.Expr, dtype: pl.DataType) -> pl.Expr | None:
    """Return where a float, also one inside lists and structs, is NaN or infinite; None without floats."""
    if dtype.is_float():
        return ~value.is_finite()
    if isinstance(dtype, pl.List | pl.Array):
        inner = non_finite(pl.element(), instance(dtype.inner))
        return None if inner is None else without_array(value, dtype).list.eval(inner).list.any()
    if isinstance(dtype, pl.Struct):
        return _any([non_finite(value.struct.field(f.name), instance(f.dtype)) for f in dtype.fields])
    return None


def nan_to_null(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Turn NaN into null, also inside lists and structs."""
    if non_finite(value, dtype) is None:
        return value
    if isinstance(dtype, pl.List | pl.Array):
        lists = without_array(value, dtype).list.eval(nan_to_null(pl.element(), instance(dtype.inner)))
        return lists.list.to_array(dtype.size) if isinstance(dtype, pl.Array) else lists
    if isinstance(dtype, pl.Struct):
        fields: list[pl.Expr] = [
            nan_to_null(value.struct.field(field.name), instance(field.dtype)).alias(field.name)
            for field in dtype.fields
        ]
        return pl.when(value.is_not_null()).then(pl.struct(fields))
    return value.fill_nan(None)
