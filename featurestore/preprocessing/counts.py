"""How often each member of a vocabulary occurs in lists: all columns of many rows at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from featurestore.preprocessing.step import Outputs

# What is held beside the result.
_ROWS_AT_ONCE: Final = 65_536


def member_counts(lists: pl.Series, members: Sequence[Any]) -> Iterator[NDArray[np.float64]]:
    """Count in each list how often each member occurs, and after them all other elements. A null is an empty list."""
    width = len(members) + 1
    for start in range(0, max(lists.len(), 1), _ROWS_AT_ONCE):
        rows = lists.slice(start, _ROWS_AT_ONCE)
        elements = rows.explode(empty_as_null=False, keep_nulls=False)
        codes = elements.replace_strict(
            list(members), list(range(len(members))), default=len(members), return_dtype=pl.Int64
        )
        places = np.repeat(np.arange(rows.len()), rows.list.len().fill_null(0).to_numpy())
        counts = np.bincount(places * width + codes.to_numpy(), minlength=rows.len() * width)
        yield counts.reshape(rows.len(), width).astype(np.float64)


def array_of(blocks: Iterable[NDArray[np.float64]]) -> pl.Series:
    """Return blocks of rows as a column of arrays."""
    return pl.Series(np.concatenate(list(blocks)))


def array_columns(name: str, columns: Sequence[str]) -> Outputs:
    """Return a column for each element of a column of arrays."""
    return {column: pl.col(name).arr.get(position) for position, column in enumerate(columns)}
