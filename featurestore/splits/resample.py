"""Keep or repeat rows of train, each with the number of rows that it stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import polars as pl

from featurestore.errors import ContractError
from featurestore.labels.classes import each_class
from featurestore.splits.declare import SPLIT, TRAIN
from featurestore.splits.sample import IS_REPEATED, WEIGHT, ClassSample, RandomSample
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.stable_hash import stable_hash
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featurestore.splits.sample import SampleStrategy, SystematicSample

_COPIES: Final = "__copies"
_RANK: Final = "__rank"
_CLASS: Final = "__class"


class Sampled(msgspec.Struct, frozen=True, kw_only=True):
    """What a sample made of train.

    Attributes
    ----------
    rows_before, rows
        The rows of train before and after.
    repeated
        How many of the rows after are copies of others.
    prior
        The share of each class of the label before, by its value as text: the prior to which predictions of a model
        that was trained on the sample are brought back. Empty: the label is a quantity.
    """

    rows_before: int
    rows: int
    repeated: int
    prior: dict[str, float]


def resample(
    rows: pl.DataFrame, strategy: SampleStrategy, identity: Sequence[str], label: str, *, where: str
) -> pl.DataFrame:
    """Sample the rows of train, and add the columns ``weight`` and ``is_repeated``; all other rows stay, with weight 1.

    The weight says how many rows of train a row stands for. Copies of a row are next to it; the order stays.

    Parameters
    ----------
    rows
        Rows with their split, or without: then all rows are of train.
    identity
        The columns that identify a row, for strategies that name no others.
    where
        What is sampled, for messages.

    Raises
    ------
    ContractError
        If train has a class without a share, or lacks a class with one.
    """
    is_train = rows[SPLIT] == TRAIN if SPLIT in rows else pl.repeat(value=True, n=rows.height, eager=True)
    train = rows.filter(is_train)
    if isinstance(strategy, RandomSample):
        copies = _random(train, strategy, identity)
    elif isinstance(strategy, ClassSample):
        copies = _by_class(train, strategy, identity, label, where)
    else:
        copies = _systematic(train, strategy, identity)
    place = pl.int_range(rows.height, eager=True)
    counts = pl.DataFrame({"place": place.filter(is_train), **copies.to_dict()})
    every = (
        pl.DataFrame({"place": place})
        .join(counts, on="place", how="left", maintain_order="left")
        .with_columns(pl.col(_COPIES).fill_null(1), pl.col(WEIGHT).fill_null(1.0))
        .filter(pl.col(_COPIES) > 0)
        .with_columns(pl.int_ranges(_COPIES).alias(IS_REPEATED))
        .explode(IS_REPEATED, empty_as_null=False)
    )
    marks = every.select(WEIGHT, pl.col(IS_REPEATED) > 0)
    return pl.concat([rows[every["place"]], marks], how="horizontal")


def _random(rows: pl.DataFrame, strategy: RandomSample, identity: Sequence[str]) -> pl.DataFrame:
    if strategy.by:
        clusters = rows.select(strategy.by).unique(maintain_order=True)
        chosen = _kept(_ranked(clusters, strategy.by, strategy.seed), [], strategy.share)
        # Clusters of other sizes have one weight: the estimate is right on average, and not for each sample.
        return (
            rows.select(strategy.by)
            .join(
                pl.concat([clusters, chosen], how="horizontal"),
                on=strategy.by,
                how="left",
                nulls_equal=True,
                maintain_order="left",
            )
            .select(_COPIES, WEIGHT)
        )
    return _kept(_ranked(rows, identity, strategy.seed), strategy.stratify, strategy.share)


def _ranked(rows: pl.DataFrame, identity: Sequence[str], seed: int) -> pl.DataFrame:
    hashes = pl.Series(stable_hash(rows.select(identity).get_columns(), seed), dtype=pl.UInt64)
    return rows.with_columns(hashes.alias(_RANK))


def _kept(rows: pl.DataFrame, strata: Sequence[str], share: float) -> pl.DataFrame:
    """Keep the rows of the smallest hashes of each stratum: its share, and at least one row."""
    stratum: list[str] | list[pl.Expr] = list(strata) or [pl.lit(1)]
    height = pl.len().over(stratum)
    count = pl.max_horizontal((height * share).round().cast(pl.Int64), pl.lit(1))
    rank = pl.col(_RANK).rank("ordinal").over(stratum)
    return rows.select((rank <= count).cast(pl.Int64).alias(_COPIES), (height / count).alias(WEIGHT))


def _systematic(rows: pl.DataFrame, strategy: SystematicSample, identity: Sequence[str]) -> pl.DataFrame:
    every = min(strategy.every, max(rows.height, 1))
    start = int(stable_hash([pl.Series([every])], strategy.seed)[0] % every)
    place = pl.struct(EVENT_TIMESTAMP, *identity).rank("ordinal").cast(pl.Int64) - 1
    is_kept = place % every == start
    return rows.select(is_kept.cast(pl.Int64).alias(_COPIES), (pl.len() / is_kept.sum()).alias(WEIGHT))


def _by_class(
    rows: pl.DataFrame, strategy: ClassSample, identity: Sequence[str], label: str, where: str
) -> pl.DataFrame:
    heights = class_counts(rows[label])
    shares = strategy.shares or dict.fromkeys(heights, 1 / max(len(heights), 1))
    if shares.keys() != heights.keys():
        without = sorted(heights.keys() - shares.keys())
        absent = sorted(shares.keys() - heights.keys())
        texts = [
            *([f"{counted(len(without), 'class')} without a share: {', '.join(without)}"] if without else []),
            *([f"{counted(len(absent), 'class')} without rows: {', '.join(absent)}"] if absent else []),
        ]
        raise ContractError(
            f"{where}: the shares of the sample do not fit the classes of {label!r} in train: {'; '.join(texts)}",
            hint="give each class that train has a share",
        )
    full = [heights[value] / share for value, share in shares.items()]
    total = max(full) if strategy.repeats else min(full)
    limit = max if strategy.repeats else min
    counts = {value: limit(heights[value], max(round(total * share), 1)) for value, share in shares.items()}
    wanted = pl.DataFrame(
        {
            _CLASS: list(counts),
            "count": list(counts.values()),
            "height": [heights[value] for value in counts],
        },
        schema={_CLASS: pl.String, "count": pl.Int64, "height": pl.Int64},
    )
    rank = pl.col(_RANK).rank("ordinal").over(_CLASS).cast(pl.Int64) - 1
    is_further = rank < pl.col("count") % pl.col("height")
    return (
        _ranked(rows, identity, strategy.seed)
        .with_columns(_texts(rows[label]).alias(_CLASS))
        .join(wanted, on=_CLASS, how="left", maintain_order="left")
        .select(
            (pl.col("count") // pl.col("height") + is_further).alias(_COPIES),
            (pl.col("height") / pl.col("count")).alias(WEIGHT),
        )
    )


def class_counts(label: pl.Series) -> dict[str, int]:
    """Count the rows of each class, by its value as text."""
    return dict(_texts(each_class(label)).value_counts(sort=True).sort(label.name).rows())


def _texts(label: pl.Series) -> pl.Series:
    """Write values as Python does, so that the keys of shares are those of the data."""
    values = label.unique()
    return label.replace_strict(values, pl.Series([str(value) for value in values], dtype=pl.String))
