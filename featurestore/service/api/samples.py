"""A value to show of each dtype, for examples in the OpenAPI document."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl


def sample(dtype: pl.DataType, promised: dict[str, Any], now: datetime) -> Any:
    """Give a value of a dtype that keeps what is promised of it, as far as that is easily said."""
    for keyword in ("minimum", "maximum"):
        if keyword in promised:
            return promised[keyword]
    if "enum" in promised:
        return promised["enum"][0]
    kinds: tuple[tuple[Any, Any], ...] = (
        (pl.String, "a"),
        (pl.Boolean, True),
        (pl.Binary, b"a"),
        (pl.Float32 | pl.Float64, 1.5),
        (pl.Datetime, now),
        (pl.Date, date(now.year, now.month, now.day)),
        (pl.Decimal, Decimal(1)),
        (pl.List | pl.Array, []),
    )
    return next((value for kind, value in kinds if isinstance(dtype, kind)), 1)
