"""A fair sample of the rows of a dataset, for what relates columns to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_SAMPLED: Final = 500
_HASH: Final = "__hash__"
_HASHED_AT_ONCE: Final = 1 << 15  # Polars hashes rows of more than a few megabytes at half the speed


class Sample(msgspec.Struct, frozen=True):
    """A fair sample of the distinct rows: those with the smallest hashes.

    Attributes
    ----------
    hashes
        The hashes of the rows, ascending.
    columns
        The numbers of the rows, by column.
    """

    hashes: tuple[int, ...] = ()
    columns: dict[str, tuple[float | None, ...]] = {}

    def __add__(self, other: Sample) -> Sample:
        rows: dict[int, tuple[float | None, ...]] = {}
        names = tuple(self.columns or other.columns)
        for part in (self, other):
            rows |= zip(part.hashes, zip(*part.columns.values(), strict=True), strict=False)
        hashes = sorted(rows)[:MAX_SAMPLED]
        return Sample(
            tuple(hashes), {name: tuple(rows[h][i] for h in hashes) for i, name in enumerate(names)}
        )

    @classmethod
    def of(cls, rows: pl.DataFrame) -> Sample:
        """Take the rows that `smallest_sample` returns."""
        columns = [name for name in rows.columns if name != _HASH]
        return cls(tuple(rows[_HASH]), {name: tuple(rows[name]) for name in columns})


def sample_of(
    rows: pl.DataFrame, numbers: Sequence[str], *, of_others: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Sample rows.

    Parameters
    ----------
    numbers
        The columns to keep. Without any, no row is.
    of_others
        The sample of other rows of the dataset: rows that it excludes need not be sampled.

    Returns
    -------
    pl.DataFrame
        The hash of each row in ``__hash__``, ascending, and the numbers as floats.
    """
    if not numbers:
        return pl.DataFrame(schema={_HASH: pl.UInt64})
    hashes = _hashes(rows)
    if of_others is not None and of_others.height == MAX_SAMPLED:
        largest = of_others[_HASH][-1]
    else:
        largest = hashes.unique().bottom_k(MAX_SAMPLED).max()
    sampled = (hashes <= largest).arg_true() if largest is not None else []
    floats = (_finite(pl.col(name).to_physical().cast(pl.Float64)).alias(name) for name in numbers)
    return smallest_sample(rows[sampled].lazy().select(hashes[sampled].alias(_HASH), *floats))


def smallest_sample(rows: pl.LazyFrame) -> pl.DataFrame:
    """Keep the distinct rows with the smallest hashes."""
    smallest = rows.unique(_HASH, keep="first", maintain_order=True).sort(_HASH).head(MAX_SAMPLED)
    return smallest.collect()


def _hashes(rows: pl.DataFrame) -> pl.Series:
    # The number of a category is another one in another process.
    texts = pl.selectors.categorical().cast(pl.String)
    hash_ = pl.struct(pl.all()).hash()
    parts = [part.with_columns(texts).select(hash_).to_series() for part in rows.iter_slices(_HASHED_AT_ONCE)]
    return pl.concat(parts) if parts else pl.Series(dtype=pl.UInt64)


def _finite(number: pl.Expr) -> pl.Expr:
    # -0.0 and 0.0 are equal, so they must have equal hashes.
    return pl.when(number == 0).then(0.0).when(number.is_finite()).then(number)
