"""Find the rows whose key occurs more than once, with eight bytes of memory for each row.

Grouping by the key would hold every key of the dataset in memory. Here, each row is first
represented by a hash of its key. Equal hashes are neighbours once sorted, and only rows whose hash
occurs twice are compared by the key itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence


def duplicated_rows(frame: pl.LazyFrame, columns: Sequence[str], row: str) -> pl.Series:
    """Find the rows that share the values of `columns` with another row.

    Null equals null, as in Pandera.

    Parameters
    ----------
    row
        Name of the column that numbers the rows.

    Returns
    -------
    pl.Series
        The numbers of these rows, ascending.
    """
    key = pl.col(columns[0]) if len(columns) == 1 else pl.struct(columns)
    hashes = frame.select(key.hash()).collect(engine="streaming").to_series().sort()
    repeated = hashes.filter(hashes == hashes.shift()).unique()
    if repeated.is_empty():
        return frame.select(row).head(0).collect().to_series()
    candidates = frame.select(row, *columns).filter(key.hash().is_in(repeated.implode()))
    return candidates.collect(engine="streaming").filter(key.is_duplicated()).get_column(row)
