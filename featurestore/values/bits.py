"""The bits of values: floats as integers, so that -0.0 is not 0.0 and nothing is compared by rounding."""

from __future__ import annotations

import polars as pl

from featurestore.values.casts import instance, without_array


def bits(values: pl.Series) -> pl.Series:
    """Return a column with its floats as the integers that have their bits, also inside lists and arrays."""
    return values.to_frame().select(bits_of(pl.first(), values.dtype)).to_series()


def bits_of(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Return an expression of a dtype with its floats as the integers that have their bits, as `bits` does."""
    if isinstance(dtype, pl.Float32 | pl.Float64):
        return value.reinterpret(dtype=pl.UInt32 if isinstance(dtype, pl.Float32) else pl.UInt64)
    if isinstance(dtype, pl.List | pl.Array):
        inner = instance(dtype.inner)
        if inner.is_float():
            return without_array(value, dtype).list.eval(bits_of(pl.element(), inner))
    return value
