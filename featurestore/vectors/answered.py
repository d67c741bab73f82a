"""What a serving path answered, as columns of the declared dtypes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.definitions.call import reason
from featurestore.errors import SkewError
from featurestore.values.plain import to_series

if TYPE_CHECKING:
    from collections.abc import Sequence


def answered(path: str, feature: str, values: Sequence[Any], dtype: pl.DataType) -> pl.Series:
    """Return what a path answered for a feature, as a column of the declared dtype.

    Raises
    ------
    SkewError
        If a value does not have the dtype: training has the dtype, so serving disagrees.
    """
    try:
        return to_series(feature, values, dtype)
    except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:
        raise other_dtype(path, feature, dtype, reason(error)) from error


def other_dtype(path: str, feature: str, dtype: pl.DataType, message: str) -> SkewError:
    """Return the error for an answer that does not have the declared dtype of its feature."""
    return SkewError(
        f"{path} answers a value of {feature!r} that is not {dtype}: {message}",
        hint="the serving path is broken: training has values of this dtype",
    )
