"""Stored values as plain Python values, without a frame."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.timing.epoch import EPOCH

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DAY_ZERO: Final = date(1970, 1, 1)
_UNITS: Final = {"ms": 1_000, "us": 1}


def from_stored(dtype: pl.DataType) -> Callable[[Any], Any] | None:
    """Return the function that turns a stored value into a value of `dtype`.

    None: the stored value is one already. Timestamps are in UTC.
    """
    if isinstance(dtype, pl.List | pl.Array):
        inner = from_stored(pl.Series(dtype=dtype.inner).dtype)
        return None if inner is None else lambda values: [None if v is None else inner(v) for v in values]
    if isinstance(dtype, pl.Datetime):
        return _timestamp_of(dtype)
    if isinstance(dtype, pl.Date):
        return lambda days: DAY_ZERO + timedelta(days=days)
    return Decimal if isinstance(dtype, pl.Decimal) else None


def in_utc_zone(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame with its timestamps in UTC, so that its Python values are the same instants.

    Python and Polars have rules of their own for named time zones, which differ before the era of
    standard time. A timestamp in UTC is the same in both.
    """
    named = {name: dtype for name, dtype in frame.schema.items() if _in_utc(dtype) != dtype}
    return frame.with_columns(pl.col(name).cast(_in_utc(dtype)) for name, dtype in named.items())


def to_series(name: str, values: Sequence[Any], dtype: pl.DataType) -> pl.Series:
    """Return plain Python values as a column of their declared dtype. Timestamps are in UTC.

    Raises
    ------
    TypeError, OverflowError, polars.exceptions.PolarsError
        If a value does not have the dtype.
    """
    return pl.Series(name, values, dtype=_in_utc(dtype), strict=True).cast(dtype)


def _in_utc(dtype: Any) -> Any:
    if isinstance(dtype, pl.List):
        return pl.List(_in_utc(dtype.inner))
    if isinstance(dtype, pl.Array):
        return pl.Array(_in_utc(dtype.inner), dtype.size)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        return pl.Datetime(dtype.time_unit, "UTC")
    return dtype


def _timestamp_of(dtype: pl.Datetime) -> Callable[[int], Any]:
    unit = _UNITS[dtype.time_unit]
    return lambda ticks: EPOCH + timedelta(0, 0, ticks * unit)
