"""The bits of values: floats as integers, so that -0.0 is not 0.0 and nothing is compared by rounding."""

from __future__ import annotations

import polars as pl


def bits(values: pl.Series) -> pl.Series:
    """Return a column with its floats as the integers that have their bits, also inside lists and arrays."""
    if isinstance(values.dtype, pl.Float32):
        return values.reinterpret(dtype=pl.UInt32)
    if isinstance(values.dtype, pl.Float64):
        return values.reinterpret(dtype=pl.UInt64)
    if isinstance(values.dtype, pl.Array):
        return bits(values.arr.to_list())
    if isinstance(values.dtype, pl.List) and values.dtype.inner.is_float():
        integers = pl.UInt32 if values.dtype.inner == pl.Float32 else pl.UInt64
        return values.list.eval(pl.element().reinterpret(dtype=integers))
    return values
