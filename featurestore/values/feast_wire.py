"""Values on Feast's wire, which its protobuf messages and its JSON share.

Feast's wire has whole seconds since 1970-01-01 UTC for timestamps and dates, and text for exact
decimals. All other values are what they are in Python.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.errors import ContractError
from featurestore.timing.epoch import EPOCH, MICROSECOND, timestamp_of

if TYPE_CHECKING:
    from collections.abc import Callable

# The key column that Feast gives views without an entity. Its values are empty texts.
PLACEHOLDER_KEY: Final = "__dummy_id"

_DAY_SECONDS: Final = 86_400
_DAY_ZERO: Final = date(1970, 1, 1)
_SECOND: Final = 1_000_000


def to_wire(feature: str, dtype: pl.DataType) -> Callable[[Any], Any] | None:
    """Return the function that turns a Python value of `dtype` into its wire value.

    None: both are equal.

    The function raises ContractError if a timestamp has a fraction of a second. It takes no nulls,
    except as elements of lists.

    Parameters
    ----------
    feature
        Name of the feature, for messages.
    dtype
        The declared dtype of the feature.
    """
    if isinstance(dtype, pl.List | pl.Array):
        inner = to_wire(feature, pl.Series(dtype=dtype.inner).dtype)
        if inner is None:
            return None
        return lambda values: [None if value is None else inner(value) for value in values]
    if isinstance(dtype, pl.Datetime):
        return lambda value: _seconds(feature, value)
    if isinstance(dtype, pl.Date):
        return lambda value: (value - _DAY_ZERO).days * _DAY_SECONDS
    if isinstance(dtype, pl.Decimal) or dtype == pl.UInt64:
        return lambda value: format(Decimal(value), "f")
    return None


def from_wire(dtype: pl.DataType) -> Callable[[Any], Any] | None:
    """Return the function that turns a JSON value of the wire into what other JSON has for `dtype`.

    None: both are equal. Columns of JSON read timestamps as seconds, and decimals as text.
    """
    if isinstance(dtype, pl.List | pl.Array):
        element = pl.Series(dtype=dtype.inner).dtype
        # Columns of JSON read seconds where a value is a timestamp, and not inside lists.
        inner = _timestamp_text if isinstance(element, pl.Datetime) else from_wire(element)
        if inner is None:
            return None
        return lambda values: [None if value is None else inner(value) for value in values]
    if isinstance(dtype, pl.Date):
        return lambda seconds: from_seconds(seconds).date().isoformat()
    return int if dtype == pl.UInt64 else None


def from_seconds(seconds: int) -> datetime:
    """Return the timestamp, in UTC, of a wire value.

    Raises
    ------
    OverflowError
        If the timestamp is outside the years 1 to 9999.
    """
    return timestamp_of(seconds * _SECOND)


def fraction_error(feature: str) -> ContractError:
    """Return the error for a timestamp with a fraction of a second."""
    return ContractError(
        f"feature {feature!r}: a timestamp has a fraction of a second, and Feast's wire has whole seconds",
        hint="read it with featurestore or with POST /v1/vectors, or truncate it in the view",
    )


def _timestamp_text(seconds: int) -> str:
    return from_seconds(seconds).isoformat()


def _seconds(feature: str, value: datetime) -> int:
    seconds, fraction = divmod((value - EPOCH) // MICROSECOND, _SECOND)
    if fraction:
        raise fraction_error(feature)
    return seconds
