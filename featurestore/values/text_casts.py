"""Casts from text: what is parsed, and which texts a dtype cannot hold without loss.

Few texts need a second look: those with more digits than the dtype holds. Python decides about
them with exact numbers.
"""

from __future__ import annotations

import re
from datetime import time
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

# The values, where the cast failed, and where a fraction was rounded.
TextCast: TypeAlias = "tuple[pl.Expr, pl.Expr, pl.Expr | None]"

BOOLEANS: Final = {"true": True, "false": False, "1": True, "0": False, "t": True, "f": False}
DATE: Final = "%Y-%m-%d"
TIMESTAMP: Final = "%Y-%m-%dT%H:%M:%S%.f"
TIME: Final = "%H:%M:%S%.f"
_DIGITS: Final = {"ms": 3, "us": 6, "ns": 9}
# From here on a float is an integer, and not every integer is a float.
_FIRST_GAP: Final[dict[type[pl.DataType], int]] = {pl.Float16: 2**11, pl.Float32: 2**24, pl.Float64: 2**53}
# A year has four digits. Second 60 would become the next minute.
_NOT_A_YEAR: Final = r"^[^0-9]|^[0-9]{0,3}(?:[^0-9]|$)"
_LEAP_SECOND: Final = ":60"
# What a format of a date must not hold, or the time of day would be cut: hours, minutes, fractions and zones.
_TIME_OF_DAY: Final = re.compile(r"%[-_0#.:]*[0-9]?[HIklMSfpPTRrXczZs]|%\+")


def text_cast(value: pl.Expr, declared: pl.DataType, text_format: str | None) -> TextCast | None:
    """Plan the cast of text to a dtype.

    Parameters
    ----------
    text_format
        How a date or time is written. None: ISO 8601.

    Returns
    -------
    TextCast | None
        The values, where the cast failed (never null), and where a fraction was rounded. None if text is not
        parsed as this dtype.
    """
    cast: TextCast | None = None
    if declared.is_integer():
        cast = _parsed(value, value.str.strip_chars().cast(declared, strict=False))
    elif type(declared) in _FIRST_GAP:
        cast = _float(value.str.strip_chars(), declared)
    elif isinstance(declared, pl.Decimal):
        cast = _decimal(value.str.strip_chars(), declared)
    elif isinstance(declared, pl.Boolean):
        lower = value.str.to_lowercase()
        cast = _parsed(value, lower.replace_strict(BOOLEANS, default=None, return_dtype=pl.Boolean))
    elif isinstance(declared, pl.Time):
        parsed = value.str.to_time(text_format or TIME, strict=False)
        cast = _parsed(value, parsed, value.str.contains(f"{_LEAP_SECOND}|{_lost_fraction('ns')}"))
    elif isinstance(declared, pl.Date):
        cast = _date(value, text_format)
    elif isinstance(declared, pl.Datetime) and declared.time_zone in (None, "UTC"):
        cast = _timestamp(value, declared, text_format)
    return cast


def _parsed(value: pl.Expr, parsed: pl.Expr, lossy: pl.Expr | None = None) -> TextCast:
    """Fail where text became null, and where it is lossy."""
    if lossy is None:
        return parsed, value.is_not_null() & parsed.is_null(), None
    failed = value.is_not_null() & (parsed.is_null() | lossy.fill_null(value=False))
    return pl.when(~failed).then(parsed), failed, None


def _asked(texts: pl.Expr, where: pl.Expr, is_lossy: Callable[[pl.Series], pl.Series]) -> pl.Expr:
    """Ask a function about the distinct texts of the rows `where`; False elsewhere."""

    def lossy(suspects: pl.Series) -> pl.Series:
        distinct = suspects.drop_nulls().unique()
        if distinct.is_empty():
            return pl.repeat(value=False, n=suspects.len(), dtype=pl.Boolean, eager=True)
        return suspects.is_in(distinct.filter(is_lossy(distinct)).implode()).fill_null(value=False)

    return pl.when(where).then(texts).map_batches(lossy, return_dtype=pl.Boolean, is_elementwise=True)


def _float(text: pl.Expr, declared: pl.DataType) -> TextCast:
    value = text.cast(declared, strict=False)

    def lossy(texts: pl.Series) -> pl.Series:
        floats = texts.cast(declared)
        exact, shortest = floats.cast(pl.Float64), floats.cast(pl.String)
        flags = [not _is_same(*triple) for triple in zip(texts, exact, shortest, strict=True)]
        return pl.Series(flags, dtype=pl.Boolean)

    value, failed, _ = _parsed(text, value, _asked(text, value.abs() >= _FIRST_GAP[type(declared)], lossy))
    if declared == pl.Float64:
        return value, failed, None
    rounded = value.is_finite() & (text.cast(pl.Float64, strict=False) != value.cast(pl.Float64))
    return value, failed, rounded.fill_null(value=False)


def _is_same(text: str, value: float, shortest: str) -> bool:
    """Return whether text is the exact value of a float, or the number by which the float is written."""
    try:
        number = Decimal(text)
    except InvalidOperation:  # the exponent is too large even for Decimal
        return False
    return number.is_nan() or number in (Decimal(value), Decimal(shortest))


def _decimal(text: pl.Expr, declared: pl.Decimal) -> TextCast:
    scale = declared.scale

    def lossy(texts: pl.Series) -> pl.Series:
        return pl.Series([_has_more_digits(text, scale) for text in texts], dtype=pl.Boolean)

    suspicious = text.str.contains(rf"\.[0-9]{{{scale}}}[0-9]*[1-9]|[eE]")
    return _parsed(text, text.cast(declared, strict=False), _asked(text, suspicious, lossy))


def _has_more_digits(text: str, scale: int) -> bool:
    try:
        _, digits, exponent = Decimal(text).as_tuple()
    except InvalidOperation:  # not a number: it became null
        return True
    if not isinstance(exponent, int):
        return True
    return exponent < -scale and any(digits[max(0, len(digits) + exponent + scale) :])


def _date(value: pl.Expr, text_format: str | None) -> TextCast:
    if text_format is None:
        return _parsed(value, value.str.to_date(DATE, strict=False), value.str.contains(_NOT_A_YEAR))
    if not _TIME_OF_DAY.search(text_format):
        return _parsed(value, value.str.to_date(text_format, strict=False))
    timestamp = value.str.to_datetime(text_format, time_unit="us", strict=False)
    return _parsed(value, timestamp.dt.date(), timestamp.dt.time() != pl.lit(time(0)))


def _with_t(texts: pl.Series) -> pl.Series:
    """Write T for the space between date and time. Most batches have no space, and to search one is cheap."""
    if not texts.str.contains(" ", literal=True).any():
        return texts
    return texts.str.replace(r"^([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9])", "${1}T${2}")


def _timestamp(value: pl.Expr, declared: pl.Datetime, text_format: str | None) -> TextCast:
    zone: Any = declared.time_zone
    unit = declared.time_unit
    pattern = text_format or (f"{TIMESTAMP}%#z" if zone else TIMESTAMP)
    text = value
    if text_format is None and zone:
        # Other tools write a space in place of T; with an offset it is as clear.
        text = value.map_batches(_with_t, return_dtype=pl.String, is_elementwise=True)
    parsed = text.str.to_datetime(pattern, time_unit=unit, time_zone=zone, strict=False)
    if text_format is None:
        lossy = value.str.contains(f"{_NOT_A_YEAR}|{_LEAP_SECOND}|{_lost_fraction(unit)}")
        return _parsed(value, parsed, lossy)

    def is_lossy(texts: pl.Series) -> pl.Series:
        rows = texts.to_frame("text").lazy()
        text = pl.col("text")
        options: dict[str, Any] = {"time_zone": zone, "strict": False}
        here = text.str.to_datetime(pattern, time_unit=unit, **options)
        fine = text.str.to_datetime(pattern, time_unit="ns", **options)
        cut = here.cast(pl.Datetime("ns", zone), strict=False).ne_missing(fine)
        before = text.str.replace_all("60", "59", literal=True)
        leap = text.str.contains("60", literal=True) & (
            before.str.to_datetime(pattern, time_unit=unit, **options) == here - pl.duration(seconds=1)
        )
        many_digits = text.str.contains(f"[0-9]{{{_DIGITS[unit] + 1}}}")
        return rows.select((cut & many_digits) | leap.fill_null(value=False)).collect().to_series()

    has_fraction = "f" in re.findall(r"%[.0-9]*(.)", text_format)
    suspicious = value.str.contains("60", literal=True)
    if has_fraction:
        suspicious |= value.str.contains(f"[0-9]{{{_DIGITS[unit] + 1}}}")
    return _parsed(value, parsed, _asked(value, suspicious, is_lossy))


def _lost_fraction(unit: str) -> str:
    """Write the pattern of a text with more digits of a second than a unit holds."""
    return rf"\.[0-9]{{{_DIGITS[unit]}}}[0-9]*[1-9]"
