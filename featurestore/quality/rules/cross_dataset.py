"""Rules between two datasets: references that exist, sums that agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import polars as pl

from featurestore.quality.rules.rule import ROW

if TYPE_CHECKING:
    from collections.abc import Sequence

Scan: TypeAlias = Callable[[], pl.LazyFrame]


def orphans(frame: pl.LazyFrame, *, referenced: Scan, columns: Sequence[str]) -> pl.Series:
    """Find the rows whose values of `columns` do not occur in another dataset.

    A row with a null refers to nothing.

    Returns
    -------
    pl.Series
        The numbers of these rows (of column `ROW`), ascending.
    """
    references = frame.select(ROW, *columns).drop_nulls(columns)
    without_target = references.join(referenced(), on=list(columns), how="anti")
    return without_target.select(ROW).collect(engine="streaming").to_series().sort()


def too_many_orphans(
    frame: pl.LazyFrame, *, referenced: Scan, columns: Sequence[str], max_share: float
) -> bool:
    """Return whether the share of orphans among all rows is larger than `max_share` (0 to 1)."""
    rows = frame.select(pl.len()).collect(engine="streaming").item()
    return bool(orphans(frame, referenced=referenced, columns=columns).len() > max_share * rows)


def sums_differ(
    frame: pl.LazyFrame, *, counterpart: Scan, column: str, groups: Sequence[str], max_share: float
) -> bool:
    """Return whether two sums of a column differ by more than a share of the larger one.

    Parameters
    ----------
    groups
        Columns by whose values the sums are compared; a group that only one dataset has sums to 0
        in the other. Empty: the sums over all rows are compared.
    max_share
        The tolerated difference, 0 to 1.
    """
    sums = _sums(frame, column, "__sum__", groups)
    other_sums = _sums(counterpart(), column, "__other__", groups)
    both = (
        sums.join(other_sums, on=list(groups), how="full", coalesce=True, nulls_equal=True)
        if groups
        else pl.concat([sums, other_sums], how="horizontal")
    ).with_columns(pl.col("__sum__", "__other__").fill_null(0.0))
    larger = pl.max_horizontal(pl.col("__sum__").abs(), pl.col("__other__").abs())
    differs = (pl.col("__sum__") - pl.col("__other__")).abs() > max_share * larger
    return bool(both.select(differs.any()).collect(engine="streaming").item())


def _sums(rows: pl.LazyFrame, column: str, name: str, groups: Sequence[str]) -> pl.LazyFrame:
    total = pl.col(column).sum().cast(pl.Float64).alias(name)
    return rows.group_by(list(groups)).agg(total) if groups else rows.select(total)
