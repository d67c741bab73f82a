"""What datasets promise of each other: references that lead somewhere, sums that agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import polars as pl

from featurestore.quality.rules.contract_rules import ROW

if TYPE_CHECKING:
    from collections.abc import Sequence

Scan: TypeAlias = Callable[[], pl.LazyFrame]


def orphans(frame: pl.LazyFrame, *, known: Scan, columns: Sequence[str]) -> pl.Series:
    """Find the rows, numbered in `ROW`, whose values of `columns` are there and do not occur in `known`."""
    asked = frame.select(ROW, *columns).drop_nulls(columns)
    lost = asked.join(known(), on=list(columns), how="anti")
    return lost.select(ROW).collect(engine="streaming").to_series().sort()


def too_many_orphans(frame: pl.LazyFrame, *, known: Scan, columns: Sequence[str], most: float) -> bool:
    """Say whether more than a share of the rows refer to nothing."""
    rows = frame.select(pl.len()).collect(engine="streaming").item()
    return bool(orphans(frame, known=known, columns=columns).len() > most * rows)


def sums_differ(
    frame: pl.LazyFrame, *, theirs: Scan, column: str, groups: Sequence[str], most: float
) -> bool:
    """Say whether the sums of a column, of each group, differ by more than a share of the larger one.

    A group that only one of the two has counts as a sum of 0 in the other.
    """
    ours, other = _sums(frame, column, "ours", groups), _sums(theirs(), column, "theirs", groups)
    both = (
        ours.join(other, on=list(groups), how="full", coalesce=True, nulls_equal=True)
        if groups
        else pl.concat([ours, other], how="horizontal")
    ).with_columns(pl.col("ours", "theirs").fill_null(0.0))
    larger = pl.max_horizontal(pl.col("ours").abs(), pl.col("theirs").abs())
    apart = (pl.col("ours") - pl.col("theirs")).abs() > most * larger
    return bool(both.select(apart.any()).collect(engine="streaming").item())


def _sums(rows: pl.LazyFrame, column: str, name: str, groups: Sequence[str]) -> pl.LazyFrame:
    total = pl.col(column).sum().cast(pl.Float64).alias(name)
    return rows.group_by(list(groups)).agg(total) if groups else rows.select(total)
