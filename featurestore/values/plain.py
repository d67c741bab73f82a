"""Stored values and keys as plain Python: what Polars would give, without a frame."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.errors import ContractError
from featurestore.timing.epoch import EPOCH

if TYPE_CHECKING:
    from collections.abc import Callable

DAY_ZERO: Final = date(1970, 1, 1)
_UNITS: Final = {"ms": 1_000, "us": 1}
_KEY_KINDS: Final[dict[type[pl.DataType], type]] = {pl.String: str, pl.Boolean: bool, pl.Binary: bytes}


def from_stored(dtype: pl.DataType) -> Callable[[Any], Any] | None:
    """Return what makes a stored value that of a dtype; None where it is that already."""
    if isinstance(dtype, pl.List | pl.Array):
        inner = from_stored(pl.Series(dtype=dtype.inner).dtype)
        return None if inner is None else lambda values: [None if v is None else inner(v) for v in values]
    if isinstance(dtype, pl.Datetime):
        return _moment_of(dtype)
    if isinstance(dtype, pl.Date):
        return lambda days: DAY_ZERO + timedelta(days=days)
    return Decimal if isinstance(dtype, pl.Decimal) else None


def key_check(name: str, dtype: pl.DataType) -> Callable[[Any], Any]:
    """Return what lets a key's value pass if it is of the key's dtype, and nothing else.

    Raises
    ------
    ContractError
        By what is returned: if the value is missing (``...``) or of another type; a key may be None.
    """
    kind = _KEY_KINDS.get(type(dtype), int)
    limits: Any = dtype
    low, high = pl.select(low=limits.min(), high=limits.max()).row(0) if kind is int else (0, 0)

    def check(value: Any) -> Any:
        if value is None or (type(value) is kind and (kind is not int or low <= value <= high)):
            return value
        if value is ...:
            raise ContractError(f"a row lacks the key {name!r}", hint=f"give it as {dtype}")
        raise ContractError(f"key {name!r} is {value!r:.100}, expected {dtype}")

    return check


def _moment_of(dtype: pl.Datetime) -> Callable[[int], Any]:
    if dtype.time_zone != "UTC" or dtype.time_unit not in _UNITS:
        # Other zones have rules, and nanoseconds are rounded: as Polars does.
        return lambda ticks: pl.Series([ticks], dtype=pl.Int64).cast(dtype).item()
    unit = _UNITS[dtype.time_unit]
    zero = EPOCH.replace(tzinfo=pl.Series([0], dtype=pl.Int64).cast(dtype).item().tzinfo)
    return lambda ticks: zero + timedelta(microseconds=ticks * unit)
