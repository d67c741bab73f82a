"""What is counted of a column, part by part.

The counts of a part are a few numbers and small frames. They add up without rounding, in any order and for any parts,
and become a `ColumnProfile` once, at the end: what Python does for a column does not grow with its rows.

Many threads count, each a part of its own. So a part is counted without the threads of Polars, which would wait for each
other: by NumPy, and by those methods of a series that work in the calling thread.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from featurestore.quality.profile.column_profile import (
    MAX_VALUES,
    STEPS,
    WHOLE,
    ColumnProfile,
    NumberType,
    Values,
    coarse,
    signed,
)
from featurestore.quality.profile.partial_sum import FRACTION, ExactSum, added, binned, total
from featurestore.values.bits import without_negative_zero

if TYPE_CHECKING:
    from collections.abc import Sequence

LARGEST: Final = 1.7976931348623157e308
FEW: Final = 1 << 12  # values that NumPy sorts sooner than Polars hashes them
_NOT_HASHED: Final = (pl.List, pl.Array, pl.Struct, pl.Binary, pl.Object, pl.Null)


@dataclass(frozen=True)
class Facts:
    """Numbers about a column.

    Attributes
    ----------
    total
        The sum of integers, otherwise 0.
    min, max
        The extremes of numbers, times and lengths. None: there is no value.
    """

    rows: int
    nulls: int
    zeros: int = 0
    non_finite: int = 0
    total: int = 0
    min: Any = None
    max: Any = None

    @classmethod
    def sum(cls, parts: Sequence[Facts]) -> Facts:
        """Return the facts of all parts together."""
        return cls(
            rows=sum(part.rows for part in parts),
            nulls=sum(part.nulls for part in parts),
            zeros=sum(part.zeros for part in parts),
            non_finite=sum(part.non_finite for part in parts),
            total=sum(part.total for part in parts),
            min=min((part.min for part in parts if part.min is not None), default=None),
            max=max((part.max for part in parts if part.max is not None), default=None),
        )


@dataclass(frozen=True)
class ColumnCounts:
    """The counts of a column of some rows.

    Attributes
    ----------
    bins, squares
        The numbers (of text and lists: the lengths) and their squares, as `binned` groups them.
    days
        ``day`` and ``count``.
    values
        ``hash``, ``value`` and ``count`` of the distinct values with the smallest hashes.
    below
        Only values with a smaller hash are in `values`; None: all values are.
    """

    facts: Facts
    bins: pl.DataFrame | None = None
    squares: pl.DataFrame | None = None
    days: pl.DataFrame | None = None
    values: pl.DataFrame | None = None
    below: int | None = None

    @classmethod
    def of(cls, column: pl.Series, *, below: int | None = None) -> ColumnCounts:
        """Count a column.

        Parameters
        ----------
        below
            A bound on the hashes of values, from other rows of the column: larger hashes need not be listed.
        """
        dtype = column.dtype
        values = column.drop_nulls() if column.null_count() else column
        if isinstance(dtype, pl.Duration):
            values = values.dt.total_microseconds()
        if isinstance(dtype, pl.Categorical):
            # The number of a category is another one in another process.
            values = values.cast(pl.String)
        counts = cls(Facts(rows=column.len(), nulls=column.null_count()))
        if dtype.is_numeric() or isinstance(dtype, pl.Duration):
            counts = _with_numbers(counts, values)
        elif isinstance(dtype, pl.Date | pl.Datetime):
            counts = _with_days(counts, values)
        elif isinstance(dtype, pl.Boolean):
            counts = _with_facts(counts, zeros=values.len() - (values.sum() or 0))
        elif isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
            counts = _with_lengths(counts, values.cast(pl.String).str.len_chars())
        elif isinstance(dtype, pl.List | pl.Array):
            lengths = values.list.len() if isinstance(dtype, pl.List) else values.arr.len()
            counts = _with_lengths(counts, lengths)
        return counts if isinstance(dtype, _NOT_HASHED) else _with_values(counts, values, below)

    @classmethod
    def sum(cls, parts: Sequence[ColumnCounts]) -> ColumnCounts:
        """Add up the counts of a column of several parts."""
        first = parts[0]
        return cls(
            facts=Facts.sum([part.facts for part in parts]),
            bins=None if first.bins is None else added(_all(parts, "bins")),
            squares=None if first.squares is None else added(_all(parts, "squares")),
            days=None if first.days is None else _days_added(_all(parts, "days")),
            **({} if first.values is None else _values_added(parts)),
        )

    def profile(self, dtype: pl.DataType, *, personal: bool) -> ColumnProfile:
        """Return the profile of the column. Of a personal column it has no values and no extremes of values."""
        facts = self.facts
        kind, number_type = _kind(dtype), _number_type(dtype)
        is_hidden = personal and kind in ("number", "timestamp")
        bins, squares = (() if groups is None else groups.rows() for groups in (self.bins, self.squares))
        # The numbers of text and lists are lengths: they have no sum.
        sum_of_floats = total(bins if squares else (), STEPS)
        days = {} if self.days is None or personal else _text_of_days(self.days)
        return ColumnProfile(
            dtype=str(dtype),
            kind=kind,
            number_type=number_type,
            rows=facts.rows,
            nulls=facts.nulls,
            zeros=facts.zeros,
            non_finite=facts.non_finite,
            min=None if is_hidden else json_value(facts.min),
            max=None if is_hidden else json_value(facts.max),
            bins=dict(sorted((signed(bin_), count) for bin_, count, _ in bins)),
            total=ExactSum.of(facts.total) if number_type in WHOLE else sum_of_floats,
            squares=total(squares, FRACTION),
            days=coarse(days),
            values=self._listed(personal=personal),
        )

    def _listed(self, *, personal: bool) -> Values:
        rows = () if self.values is None else self.values.rows()
        return Values(tuple((h, None if personal else json_value(v), n) for h, v, n in rows), self.below)


def _all(parts: Sequence[ColumnCounts], field: str) -> list[pl.DataFrame]:
    return [getattr(part, field) for part in parts]


def _kind(dtype: pl.DataType) -> Any:
    if dtype.is_numeric() or isinstance(dtype, pl.Duration):
        return "number"
    if isinstance(dtype, pl.Date | pl.Datetime):
        return "timestamp"
    if isinstance(dtype, pl.Boolean):
        return "boolean"
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return "text"
    return "list" if isinstance(dtype, pl.List | pl.Array) else "other"


def _number_type(dtype: pl.DataType) -> NumberType | None:
    if dtype.is_integer():
        return "integer"
    if dtype.is_float():
        return "float"
    if isinstance(dtype, pl.Duration):
        return "duration"
    return "decimal" if dtype.is_numeric() else None


def _with_facts(counts: ColumnCounts, **facts: Any) -> ColumnCounts:
    return replace(counts, facts=replace(counts.facts, **facts))


def _with_numbers(counts: ColumnCounts, values: pl.Series) -> ColumnCounts:
    is_whole = values.dtype.is_integer()
    floats = values.cast(pl.Float64).to_numpy()
    finite = floats if is_whole else floats[np.isfinite(floats)]
    with np.errstate(over="ignore"):
        squares = np.minimum(finite * finite, LARGEST)
    counts = _with_facts(
        counts,
        zeros=int(np.count_nonzero(finite == 0)),
        non_finite=len(floats) - len(finite),
        total=int(values.cast(pl.Int128).sum()) if is_whole else 0,
    )
    counts = replace(counts, bins=binned(finite, STEPS), squares=binned(squares, FRACTION))
    if is_whole:
        return _with_extremes(counts, values)
    # -0.0 becomes 0.0: they are equal, so the order of the rows would decide which one is met first.
    extremes = {"min": float(finite.min() + 0.0), "max": float(finite.max() + 0.0)} if len(finite) else {}
    return _with_facts(counts, **extremes)


def _with_extremes(counts: ColumnCounts, values: pl.Series) -> ColumnCounts:
    return _with_facts(counts, min=values.min(), max=values.max())


def _with_days(counts: ColumnCounts, values: pl.Series) -> ColumnCounts:
    days = values
    if isinstance(values.dtype, pl.Datetime):
        if values.dtype.time_zone is not None:
            values = values.dt.convert_time_zone("UTC")
        days = values.dt.date()
    counted = days.value_counts(parallel=False)
    grouped = pl.DataFrame({"day": counted.to_series(0), "count": counted["count"].cast(pl.Int64)})
    return _with_extremes(replace(counts, days=grouped), values)


def _days_added(parts: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(parts).group_by("day").agg(pl.col("count").sum())


def _text_of_days(days: pl.DataFrame) -> dict[str, int]:
    return dict(days.select(pl.col("day").dt.strftime("%Y-%m-%d"), "count").sort("day").rows())


def _with_lengths(counts: ColumnCounts, lengths: pl.Series) -> ColumnCounts:
    bins = binned(lengths.cast(pl.Float64).to_numpy(), STEPS)
    return _with_extremes(replace(counts, bins=bins), lengths)


def _with_values(counts: ColumnCounts, values: pl.Series, below: int | None) -> ColumnCounts:
    hashes = values.hash()
    if below is None and (distinct := hashes.unique()).len() > MAX_VALUES:
        below = _bound(distinct)
    if below is not None:
        is_listed = hashes < below
        values = values.filter(is_listed)
        hashes = hashes.filter(is_listed)
    listed = _distinct(hashes, values)
    return replace(counts, **_smallest(listed, below))


def _distinct(hashes: pl.Series, values: pl.Series) -> pl.DataFrame:
    """Count the different values; ordered by their hashes."""
    if hashes.len() <= FEW:
        different, first, counts = np.unique(hashes.to_numpy(), return_index=True, return_counts=True)
    else:
        counted = hashes.alias("hash").value_counts(parallel=False)
        first = hashes.arg_unique().to_numpy()
        first = first[np.argsort(hashes.to_numpy()[first])]
        order = np.argsort(counted["hash"].to_numpy())
        different, counts = (counted[name].to_numpy()[order] for name in ("hash", "count"))
    return pl.DataFrame(
        {"hash": different, "value": without_negative_zero(values[first]), "count": counts.astype(np.int64)}
    )


def _values_added(parts: Sequence[ColumnCounts]) -> dict[str, Any]:
    below = min((part.below for part in parts if part.below is not None), default=None)
    listed = pl.concat(_all(parts, "values"))
    if below is not None:
        listed = listed.filter(pl.col("hash") < below)
    summed = listed.group_by("hash").agg(pl.col("value").first(), pl.col("count").sum())
    return _smallest(summed.sort("hash"), below)


def _smallest(listed: pl.DataFrame, below: int | None) -> dict[str, Any]:
    """Keep the values with the smallest hashes, of values that are ordered by them."""
    if listed.height > MAX_VALUES:
        below = int(listed["hash"][MAX_VALUES])
    return {"values": listed.head(MAX_VALUES), "below": below}


def _bound(hashes: pl.Series) -> int:
    return int(hashes.bottom_k(MAX_VALUES + 1).max())  # type: ignore[arg-type]


def json_value(value: Any) -> Any:
    """Convert a value to one that JSON can represent; NaN and infinite numbers become text."""
    if isinstance(value, float) and value - value != 0:
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else _text(value)


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
