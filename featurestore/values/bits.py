"""The bits of values: floats as integers, so that -0.0 is not 0.0 and nothing is compared by rounding."""

from __future__ import annotations

import polars as pl

from featurestore.values.casts import instance, without_array


def bits(values: pl.Series) -> pl.Series:
    """Return a column with its floats as the integers that have their bits, also inside lists, arrays and structs."""
    return values.to_frame().select(bits_of(pl.first(), values.dtype)).to_series()


def bits_of(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Return an expression of a dtype with its floats as the integers that have their bits, as `bits` does."""
    if not has_floats(dtype):
        return value
    if isinstance(dtype, pl.Struct):
        fields = [
            bits_of(value.struct.field(field.name), instance(field.dtype)).alias(field.name)
            for field in dtype.fields
        ]
        return pl.when(value.is_not_null()).then(pl.struct(fields))
    if isinstance(dtype, pl.List | pl.Array):
        return without_array(value, dtype).list.eval(bits_of(pl.element(), instance(dtype.inner)))
    return value.reinterpret(dtype=pl.UInt32 if isinstance(dtype, pl.Float32) else pl.UInt64)


def has_floats(dtype: pl.DataType) -> bool:
    """Return whether values of a dtype are floats or contain floats."""
    if isinstance(dtype, pl.Struct):
        return any(has_floats(instance(field.dtype)) for field in dtype.fields)
    if isinstance(dtype, pl.List | pl.Array):
        return has_floats(instance(dtype.inner))
    return isinstance(dtype, pl.Float32 | pl.Float64)


def without_negative_zero(values: pl.Series) -> pl.Series:
    """Replace -0.0 by 0.0, which is equal to it: which of the two is met first must not depend on the order of rows."""
    if not values.dtype.is_float():
        return values
    return values.set(values == 0.0, 0.0)
