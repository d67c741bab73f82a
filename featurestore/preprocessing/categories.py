"""Steps over categories: one column for each, the position in an order, or how often each occurs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np
import polars as pl

from featurestore.errors import ContractError, DefinitionError
from featurestore.preprocessing.counts import array_columns, array_of, member_counts
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
from featurestore.values.arguments import integer_of, scalar_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from featurestore.preprocessing.selectors import Selector

Category: TypeAlias = bool | int | str
UNKNOWN = "unknown"


class OneHot(State, frozen=True, tag="one_hot"):
    """A column for each category, and one for all others: nulls, rare ones, and those that were never seen."""

    categories: tuple[Category, ...]

    def expressions(self, name: str) -> Outputs:
        """Return the columns, each 1.0 or 0.0; exactly one of a row is 1.0."""
        column = pl.col(name)
        hot = {
            f"{name}_{text_of(category)}": column.eq_missing(pl.lit(category)).cast(FLOAT)
            for category in self.categories
        }
        known = column.is_in(list(self.categories)).fill_null(value=False)
        return {**hot, f"{name}_{UNKNOWN}": (~known).cast(FLOAT)}


class MultiHot(State, frozen=True, tag="multi_hot"):
    """A column for each category that a list may have, and one for all others."""

    categories: tuple[Category, ...]

    def functions(self, name: str) -> dict[str, ColumnFunction]:
        """Return the function to all columns at once."""
        dtype = pl.Array(FLOAT, len(self.categories) + 1)
        return {f"{COMPUTED}{name}": ColumnFunction(name, dtype, self._of_column, self._of_value)}

    def expressions(self, name: str) -> Outputs:
        """Return the columns: 1.0 where the list has the category. A null is an empty list."""
        names = [f"{name}_{text_of(category)}" for category in self.categories]
        return array_columns(f"{COMPUTED}{name}", [*names, f"{name}_{UNKNOWN}"])

    def _of_column(self, lists: pl.Series) -> pl.Series:
        return array_of(np.minimum(counts, 1.0) for counts in member_counts(lists, self.categories))

    def _of_value(self, elements: list[Category | None] | None) -> list[float]:
        present = set(elements or ())
        others = present.difference(self.categories)
        return [*(float(category in present) for category in self.categories), float(bool(others))]


class Mapped(State, frozen=True, tag="mapped"):
    """A number for each category.

    Attributes
    ----------
    default
        The number of a category that was never seen. None: null.
    missing
        The number of a null. None: null.
    """

    categories: tuple[Category, ...]
    numbers: tuple[float, ...]
    default: float | None
    missing: float | None = None

    def expressions(self, name: str) -> Outputs:
        """Return the number of each value."""
        column = pl.col(name)
        mapped = column.replace_strict(
            list(self.categories), list(self.numbers), default=self.default, return_dtype=FLOAT
        )
        missing = pl.lit(self.missing, dtype=FLOAT)
        return {name: pl.when(column.is_null()).then(missing).otherwise(mapped)}


def text_of(category: Category) -> str:
    """Return a category as part of the name of a column."""
    return str(category).lower() if isinstance(category, bool) else str(category)


@dataclass(frozen=True, kw_only=True)
class _OfCategories(Step):
    """A step over one column of categories.

    Attributes
    ----------
    min_frequency
        A category with fewer rows is rare. 1: none is.
    max_categories
        How many categories are kept at most, the most frequent ones. None: all.
    """

    takes: ClassVar[str] = "text, integers or booleans"
    min_frequency: int = 1
    max_categories: int | None = None

    def accepts(self, dtype: pl.DataType) -> bool:
        """Return whether values of a dtype can be categories."""
        return is_category(dtype)

    def frequent(self, values: pl.Series) -> dict[Category, int]:
        """Return the categories that are not rare, in their own order, with the number of rows of each."""
        counts = dict(values.value_counts(name="count").rows())
        # The most frequent first; of equally frequent ones the smaller first.
        ranked = sorted(sorted(counts), key=lambda category: -counts[category])
        kept = [category for category in ranked if counts[category] >= self.min_frequency][
            : self.max_categories
        ]
        return {category: counts[category] for category in sorted(kept)}


@dataclass(frozen=True, kw_only=True)
class OneHotStep(_OfCategories):
    """See `one_hot`."""

    kind: ClassVar[str] = "one_hot"

    def outputs(self, name: str, dtype: pl.DataType) -> None:
        """Return None: the categories are those of the fitted rows."""

    def fit(self, observed: Observed) -> OneHot:
        """Learn the categories. Raises as `Observed.present`."""
        return OneHot(categories=_with_columns(self.frequent(observed.present())))


@dataclass(frozen=True, kw_only=True)
class MultiHotStep(_OfCategories):
    """See `multi_hot`."""

    kind: ClassVar[str] = "multi_hot"
    takes: ClassVar[str] = "lists of text, integers or booleans"

    def accepts(self, dtype: pl.DataType) -> bool:
        """Return whether a column holds lists of categories."""
        return isinstance(dtype, pl.List) and is_category(pl.Series(dtype=dtype.inner).dtype)

    def outputs(self, name: str, dtype: pl.DataType) -> None:
        """Return None: the categories are those of the fitted rows."""

    def fit(self, observed: Observed) -> MultiHot:
        """Learn the categories; each counts once in a row. Raises as `Observed.present`."""
        lists = observed.present()
        elements = lists.list.unique().explode(empty_as_null=False).drop_nulls()
        if elements.is_empty():
            raise ContractError(
                f"{observed.place}: no list has a category, so there is nothing to fit to",
                hint="drop the feature from the service",
            )
        return MultiHot(categories=_with_columns(self.frequent(elements)))


@dataclass(frozen=True, kw_only=True)
class Ordinal(_OfCategories):
    """See `ordinal`."""

    kind: ClassVar[str] = "ordinal"
    categories: tuple[Category, ...] | None = None

    def mismatch(self, dtype: pl.DataType) -> str | None:
        """Return what is expected of declared categories of another dtype."""
        kind, expected = (
            (str, "text")
            if isinstance(dtype, pl.String)
            else (bool, "booleans")
            if isinstance(dtype, pl.Boolean)
            else (int, "integers")
        )
        if self.categories is None or type(self.categories[0]) is kind:
            return None
        return f"categories are {self.categories!r}; expected {expected}"

    def outputs(self, name: str, dtype: pl.DataType) -> Mapping[str, pl.DataType]:  # noqa: ARG002 - any category
        """Return the column as Float64."""
        return {name: FLOAT}

    def fit(self, observed: Observed) -> Mapped:
        """Learn the categories, unless their order is declared. Raises as `Observed.present`."""
        categories = self.categories or tuple(self.frequent(observed.present()))
        return Mapped(categories=categories, numbers=tuple(map(float, range(len(categories)))), default=-1.0)


@dataclass(frozen=True, kw_only=True)
class Frequency(_OfCategories):
    """See `frequency`."""

    kind: ClassVar[str] = "frequency"

    def outputs(self, name: str, dtype: pl.DataType) -> Mapping[str, pl.DataType]:  # noqa: ARG002 - any category
        """Return the column as Float64."""
        return {name: FLOAT}

    def fit(self, observed: Observed) -> Mapped:
        """Learn the share of each category among all rows. Raises as `Observed.present`."""
        counts = self.frequent(observed.present())
        rows = observed.column.len()
        return Mapped(
            categories=tuple(counts),
            numbers=tuple(count / rows for count in counts.values()),
            default=0.0,
            missing=observed.column.null_count() / rows,
        )


def one_hot(
    columns: str | Iterable[str] | Selector, *, min_frequency: int = 1, max_categories: int | None = None
) -> OneHotStep:
    """Replace a category by a column for each: ``<column>_<category>``, and ``<column>_unknown`` for all others.

    Parameters
    ----------
    columns
        Names, or a selector.
    min_frequency
        A category with fewer fitted rows counts as unknown.
    max_categories
        Keep at most this many, the most frequent ones. None: all.

    Raises
    ------
    DefinitionError
        If no column is named, or a limit is below 1.
    """
    _require_limits("one_hot", min_frequency, max_categories)
    return OneHotStep(
        columns=columns_of(columns, "one_hot"), min_frequency=min_frequency, max_categories=max_categories
    )


def multi_hot(
    columns: str | Iterable[str] | Selector, *, min_frequency: int = 1, max_categories: int | None = None
) -> MultiHotStep:
    """Replace a list of categories by a column for each, as `one_hot` does for one category.

    Raises
    ------
    DefinitionError
        As `one_hot`.
    """
    _require_limits("multi_hot", min_frequency, max_categories)
    return MultiHotStep(
        columns=columns_of(columns, "multi_hot"), min_frequency=min_frequency, max_categories=max_categories
    )


def ordinal(
    columns: str | Iterable[str] | Selector, *, categories: Iterable[Category] | None = None
) -> Ordinal:
    """Replace a category by its position, from 0. A category that was never seen is -1; a null stays null.

    Parameters
    ----------
    columns
        Names, or a selector.
    categories
        All categories in their order. None: those of the fitted rows, sorted.

    Raises
    ------
    DefinitionError
        If no column is named, there is no category, one is named twice, or they are not of one type: text, integers or
        booleans.
    """
    order = None if categories is None else _order(categories)
    return Ordinal(columns=columns_of(columns, "ordinal"), categories=order)


def frequency(columns: str | Iterable[str] | Selector) -> Frequency:
    """Replace a category by the share of the fitted rows that have it; 0 for one that was never seen.

    Raises
    ------
    DefinitionError
        If no column is named.
    """
    return Frequency(columns=columns_of(columns, "frequency"))


def _order(categories: object) -> tuple[Category, ...]:
    example = 'categories=["low", "medium", "high"]'
    is_listed = isinstance(categories, Iterable) and not isinstance(categories, str | bytes | set | frozenset)
    values: tuple[object, ...] = tuple(categories) if is_listed else ()  # type: ignore[arg-type]
    if not values:
        raise DefinitionError(
            f"step ordinal: categories is {categories!r}; expected the categories in their order, at least one",
            hint=f"example: {example}",
        )
    order = tuple(scalar_of("step ordinal: a category", value, example=example) for value in values)
    if len({type(value) for value in order}) > 1 or isinstance(order[0], float):
        raise DefinitionError(
            f"step ordinal: categories are {order!r}; expected text, integers or booleans, all of one type",
            hint=f"example: {example}",
        )
    if len(set(order)) != len(order):
        raise DefinitionError("step ordinal: a category is named twice", hint="name each category once")
    return order  # type: ignore[return-value]


def _with_columns(categories: Iterable[Category]) -> tuple[Category, ...]:
    """Return the categories that get a column: one that is named ``unknown`` belongs to the column of this name."""
    return tuple(category for category in categories if text_of(category) != UNKNOWN)


def _require_limits(step: str, min_frequency: int, max_categories: int | None) -> None:
    for name, limit in (("min_frequency", min_frequency), ("max_categories", max_categories)):
        if limit is not None:
            integer_of(f"step {step}: {name}", limit, smallest=1, example=f"{name}=10")
