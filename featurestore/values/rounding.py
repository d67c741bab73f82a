"""Values that differ only by rounding.

Of one dtype: two values that are close. Of two dtypes: a value that has the bits of the other one after rounding.
"""

from __future__ import annotations

import math
from typing import Any, Final

import polars as pl

from featurestore.values.bits import bits

# Two floats that differ by less than this share of the larger one differ by rounding.
SHARE: Final = 1e-6


def is_rounded(first: Any, second: Any) -> bool:
    """Return whether two values that differ in their bits differ only by rounding.

    Floats and lists of floats are compared with a tolerance. Timestamps that differ by nanoseconds are equal as Python
    values.
    """
    if isinstance(first, pl.Series) and isinstance(second, pl.Series):
        pairs = list(zip(first.to_list(), second.to_list(), strict=False))
        return first.len() == second.len() and all(a == b or is_rounded(a, b) for a, b in pairs)
    if isinstance(first, float) and isinstance(second, float):
        return math.isclose(first, second, rel_tol=SHARE)
    return first is not None and type(first) is type(second) and bool(first == second)


def rounded_dtype(dtype: pl.DataType, served: pl.DataType) -> pl.DataType | None:
    """Return the dtype to which a tool may have rounded a feature; None: there is none.

    Parameters
    ----------
    dtype, served
        The dtype of the feature in the training set, and the one that serving gives.
    """
    if isinstance(served, pl.Float64) and dtype.is_float():
        # In a CSV file a Float32 is text like any other number.
        return pl.Float32()
    is_number = dtype.is_numeric() and served.is_numeric()
    is_time = isinstance(dtype, pl.Date | pl.Datetime) and isinstance(served, pl.Date | pl.Datetime)
    return dtype if dtype != served and (is_number or is_time) else None


def equal_when_rounded(values: pl.Series, served: pl.Series) -> pl.Series:
    """Return for each value whether it has the bits of what serving gives, rounded to `rounded_dtype`."""
    dtype = rounded_dtype(values.dtype, served.dtype)
    if dtype is None:
        return pl.repeat(value=False, n=values.len(), eager=True)
    return (
        bits(values.cast(dtype, strict=False))
        .eq(bits(served.cast(dtype, strict=False)))
        .fill_null(value=False)
    )
