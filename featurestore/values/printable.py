"""Values as text.

Neither Python nor Polars can print dates and timestamps outside the years 1 to 9999: they are shown as the integers
that are stored.
"""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import TYPE_CHECKING

import polars as pl

from featurestore.values.casts import cast_values
from featurestore.values.wording import duration_text

if TYPE_CHECKING:
    from collections.abc import Mapping


def value_text(value: object) -> str:
    """Write a value as messages do: times as ISO 8601, with Z for UTC; durations in words; text in quotes."""
    if isinstance(value, date | time):
        return value.isoformat().replace("+00:00", "Z")
    return duration_text(value) if isinstance(value, timedelta) else repr(value)


def printable(frame: pl.DataFrame) -> pl.DataFrame:
    """Replace each column with a value that cannot be printed by its stored integers."""
    outside = {name: flag.any() for name, flag in _unprintable(frame.schema).items()}
    flags = frame.select(**outside).row(0, named=True) if outside and frame.height else {}
    return frame.with_columns(
        frame[name].to_physical() for name, is_unprintable in flags.items() if is_unprintable
    )


def as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    """Write a column as text; a value that cannot be printed is its stored integer."""
    value = pl.col(name)
    unprintable = _unprintable({name: dtype}).get(name)
    if unprintable is None:
        return value.cast(pl.String)
    return pl.coalesce(
        pl.when(~unprintable).then(value).cast(pl.String), value.to_physical().cast(pl.String)
    ).alias(name)


def _unprintable(schema: Mapping[str, pl.DataType]) -> dict[str, pl.Expr]:
    casts = {
        name: cast_values(pl.col(name), dtype, dtype)
        for name, dtype in schema.items()
        if dtype.is_temporal() or dtype.is_nested()
    }
    return {name: cast.failed for name, cast in casts.items() if cast is not None and cast.failed is not None}
