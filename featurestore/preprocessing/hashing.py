"""The step that spreads categories over a fixed number of columns by a pinned hash."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
import polars as pl

from featurestore.preprocessing.selectors import columns_of
from featurestore.preprocessing.step import (
    COMPUTED,
    FLOAT,
    ColumnFunction,
    Observed,
    Outputs,
    State,
    Step,
    is_category,
)
from featurestore.values.arguments import integer_of
from featurestore.values.stable_hash import stable_hash, stable_hash_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from featurestore.preprocessing.categories import Category
    from featurestore.preprocessing.selectors import Selector

MAX_BUCKETS: Final = 1_024
_SEED: Final = 0


class Hashed(State, frozen=True, tag="hashed"):
    """A column for each bucket: 1.0 in the one that the hash of a category names. A null is in none.

    Attributes
    ----------
    collisions
        How many of the fitted categories share a bucket with another one.
    """

    buckets: int
    collisions: int

    def functions(self, name: str) -> dict[str, ColumnFunction]:
        """Return the function to the bucket. The hash runs once for each value of a column."""
        return {f"{COMPUTED}{name}": ColumnFunction(name, pl.Int64(), self._of_column, self._of_value)}

    def expressions(self, name: str) -> Outputs:
        """Return the columns."""
        bucket = pl.col(f"{COMPUTED}{name}")
        return {
            f"{name}_{number}": (bucket == number).fill_null(value=False).cast(FLOAT)
            for number in range(self.buckets)
        }

    def _of_column(self, values: pl.Series) -> pl.Series:
        return buckets_of(values, self.buckets)

    def _of_value(self, value: Category | None) -> int | None:
        return None if value is None else stable_hash_of(value, _SEED) % self.buckets


def buckets_of(values: pl.Series, buckets: int) -> pl.Series:
    """Return the bucket of each value, from 0; null for a null."""
    numbers = stable_hash([values], _SEED) % np.uint64(buckets)
    return pl.Series(values.name, numbers.astype(np.int64)).set(values.is_null(), None)


@dataclass(frozen=True, kw_only=True)
class Hashing(Step):
    """See `hashing`."""

    kind: ClassVar[str] = "hashing"
    takes: ClassVar[str] = "text, integers or booleans"
    buckets: int

    def accepts(self, dtype: pl.DataType) -> bool:
        """Return whether values of a dtype can be categories."""
        return is_category(dtype)

    def outputs(self, name: str, dtype: pl.DataType) -> Mapping[str, pl.DataType]:  # noqa: ARG002 - any category
        """Return a column for each bucket."""
        return {f"{name}_{number}": FLOAT for number in range(self.buckets)}

    def fit(self, observed: Observed) -> Hashed:
        """Count the collisions; no row decides a bucket."""
        used = buckets_of(observed.column.drop_nulls().unique(), self.buckets).value_counts(name="categories")
        shared = used.filter(pl.col("categories") > 1)["categories"].sum()
        return Hashed(buckets=self.buckets, collisions=int(shared))


def hashing(columns: str | Iterable[str] | Selector, *, buckets: int) -> Hashing:
    """Replace a category by `buckets` columns, ``<column>_<number>``, one of which is 1.0: the one of its hash.

    For columns with more categories than a vector can have columns. No vocabulary is kept, so a new category has a place
    too. The state counts the categories that share a bucket.

    Parameters
    ----------
    columns
        Names, or a selector.
    buckets
        From 2 to 1,024.

    Raises
    ------
    DefinitionError
        If no column is named, or `buckets` is out of range.
    """
    # One bucket tells nothing.
    buckets = integer_of(
        "step hashing: buckets", buckets, smallest=2, largest=MAX_BUCKETS, example="buckets=32"
    )
    return Hashing(columns=columns_of(columns, "hashing"), buckets=buckets)
