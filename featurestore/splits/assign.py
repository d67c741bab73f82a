"""Assign rows to splits, before anything is fitted or joined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.splits.declare import SPLIT, TEST, TRAIN, VALIDATION, RandomSplit
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.stable_hash import stable_hash
from featurestore.values.table import UTC_MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featurestore.splits.declare import SplitStrategy, TimeSplit

# Why a row is in no split.
GAP: Final = "gap"
CROSSING: Final = "crossing"
LEFT_OUT: Final = {
    GAP: "in the gap before a later split, or their label was not known when it began",
    CROSSING: "the strategies of the split put them in different splits",
}
_BITS: Final = 53


def assign(
    rows: pl.DataFrame,
    strategies: Sequence[SplitStrategy],
    identity: Sequence[str],
    label_known: pl.Expr | None = None,
) -> pl.DataFrame:
    """Add the column ``split``: the name of a split, or why the row is in none (a key of `LEFT_OUT`).

    Whether a row is in a split depends on that row alone. A row is in a split if every strategy puts it there.

    Parameters
    ----------
    identity
        The columns that identify a row, for strategies that name no others.
    label_known
        When the label of a row is known, in microseconds since 1970. None: from the start.
    """
    parts = [_assigned(rows, strategy, identity, label_known) for strategy in strategies]
    first, *others = parts
    if not others:
        return rows.with_columns(first.alias(SPLIT))
    is_gap, is_equal = first == GAP, pl.repeat(value=True, n=rows.height, dtype=pl.Boolean, eager=True)
    for part in others:
        is_gap |= part == GAP
        is_equal &= part == first
    split = pl.when(is_gap).then(pl.lit(GAP)).when(is_equal).then(first).otherwise(pl.lit(CROSSING))
    return rows.with_columns(split.alias(SPLIT))


def _assigned(
    rows: pl.DataFrame, strategy: SplitStrategy, identity: Sequence[str], label_known: pl.Expr | None
) -> pl.Series:
    if isinstance(strategy, RandomSplit):
        return _by_hash(rows.select(strategy.by or identity), strategy)
    return rows.select(_by_time(strategy, label_known).alias(SPLIT)).to_series()


def _by_hash(identity: pl.DataFrame, strategy: RandomSplit) -> pl.Series:
    place = pl.Series(stable_hash(identity.get_columns(), strategy.seed) >> (64 - _BITS))
    # Test comes first: another share of validation moves no row out of test.
    test_end = round(strategy.test * 2**_BITS)
    validation_end = round((strategy.test + strategy.validation) * 2**_BITS)
    split = (
        pl.when(place < test_end)
        .then(pl.lit(TEST))
        .when(place < validation_end)
        .then(pl.lit(VALIDATION))
        .otherwise(pl.lit(TRAIN))
    )
    return identity.select(split.alias(SPLIT)).to_series()


def _by_time(strategy: TimeSplit, label_known: pl.Expr | None) -> pl.Expr:
    begins = [
        (name, pl.lit(begin, dtype=UTC_MICROSECONDS))
        for name, begin in ((VALIDATION, strategy.validation_from), (TEST, strategy.test_from))
        if begin is not None
    ]
    timestamp = pl.col(EVENT_TIMESTAMP)
    gap = pl.lit(strategy.gap, dtype=pl.Duration("us"))
    result = pl.lit(begins[-1][0])
    names = [TRAIN, *(name for name, _ in begins)]
    for name, (_, begin) in reversed(list(zip(names, begins, strict=False))):
        is_known = timestamp + gap <= begin
        if label_known is not None:
            # A label that is never known tells the model nothing before the later split begins.
            is_known &= (label_known <= begin.dt.epoch("us")).fill_null(value=False)
        earlier = pl.when(is_known).then(pl.lit(name)).otherwise(pl.lit(GAP))
        result = pl.when(timestamp < begin).then(earlier).otherwise(result)
    return result
