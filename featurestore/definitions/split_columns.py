"""The columns that a split and a sample add to a training set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.definitions.contract import Column
from featurestore.splits.declare import SPLIT, SPLITS
from featurestore.splits.sample import IS_REPEATED, WEIGHT

if TYPE_CHECKING:
    from featurestore.splits.declare import SplitStrategy
    from featurestore.splits.sample import SampleStrategy


def _column(name: str, dtype: pl.DataType, description: str) -> Column:
    return Column(
        name=name, dtype=dtype, nullable=False, unique=False, description=description, checks=(), metadata={}
    )


SPLIT_COLUMN: Final = _column(SPLIT, pl.String(), f"part of the training set: {', '.join(SPLITS)}")
SAMPLE_COLUMNS: Final = (
    _column(WEIGHT, pl.Float64(), "how many rows of train this row stands for"),
    _column(IS_REPEATED, pl.Boolean(), "whether the row is a copy of another row"),
)


def added_columns(split: tuple[SplitStrategy, ...], sample: SampleStrategy | None) -> tuple[Column, ...]:
    """Return the columns that come after those of the entity rows."""
    return (*([SPLIT_COLUMN] if split else []), *(SAMPLE_COLUMNS if sample is not None else ()))
