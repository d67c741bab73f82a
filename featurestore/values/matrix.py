"""Columns as a matrix of floats, for models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from featurestore.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def matrix_of(rows: pl.DataFrame, names: Sequence[str]) -> NDArray[np.float64]:
    """Return columns of numbers and booleans as a matrix, one row for each row; a missing value is NaN.

    Raises
    ------
    ContractError
        If a column holds no numbers, or an integer that a float cannot hold exactly.
    """
    schema = rows.schema
    if texts := [f"{name} ({schema[name]})" for name in names if not _is_number(schema[name])]:
        raise ContractError(
            f"a matrix needs numbers and booleans, but {', '.join(texts)} hold other values",
            hint="name the features that hold numbers: features=[...]; or encode the others",
        )
    matrix = np.empty((rows.height, len(names)), dtype=np.float64)
    for position, name in enumerate(names):
        values = rows[name]
        floats = values.cast(pl.Float64)
        if values.dtype.is_integer() and not floats.cast(values.dtype, strict=False).eq_missing(values).all():
            raise ContractError(
                f"{name!r} holds integers that a float cannot hold exactly",
                hint="leave out identifiers: they are not numbers to learn from",
            )
        matrix[:, position] = floats.to_numpy()
    return matrix


def _is_number(dtype: pl.DataType) -> bool:
    return dtype.is_integer() or dtype.is_float() or isinstance(dtype, pl.Boolean)
