"""The three kinds of rules: over one row, over the whole dataset, and by a search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from featurestore.quality.rules.rule_id import RuleId

# The column that numbers the rows of a frame that a rule reads.
ROW = "__row__"

# What a search returns: the numbers (of `ROW`) of the rows that break the rule, ascending; or
# whether the dataset breaks it.
SearchResult: TypeAlias = "pl.Series | bool"


@dataclass(frozen=True, eq=False)
class RowRule:
    """A rule that one expression decides for each row.

    Attributes
    ----------
    broken
        Boolean, True for each row that breaks the rule, over the columns in the contract's dtypes;
        null counts as kept. Where the expression mixes rows (a window), its result may depend on
        the other rows.
    warning
        True: rows that break the rule are counted, and pass.
    independent
        True where rows that keep the rule still keep it when other rows are removed.
    """

    id: RuleId
    broken: pl.Expr
    warning: bool = False
    independent: bool = False


@dataclass(frozen=True)
class Bounds:
    """The range that must contain a measured value; None: no bound on that side."""

    minimum: Any = None
    maximum: Any = None

    def contain(self, value: Any) -> bool:
        """Return whether a value is in the range; None, which could not be computed, is not."""
        if value is None:
            return False
        # Not >= and <=: NaN is left to the rule `finite`, which blames the rows.
        below = self.minimum is not None and value < self.minimum
        above = self.maximum is not None and value > self.maximum
        return not (below or above)


@dataclass(frozen=True, eq=False)
class DatasetRule:
    """A rule that one aggregate decides for the whole dataset; it blames no row.

    Attributes
    ----------
    aggregate
        The value that is measured; without `bounds` a boolean, True where the dataset breaks the
        rule.
    bounds
        The range of the measured value; None where `aggregate` is the boolean.
    expected
        The bounds as text, where they come from the validation context and not from the rule's
        parameters.
    warning
        True: a dataset that breaks the rule passes with a warning.
    """

    id: RuleId
    aggregate: pl.Expr
    bounds: Bounds | None = None
    expected: str | None = None
    warning: bool = False

    def is_broken(self, value: Any) -> bool:
        """Return whether the value of `aggregate` breaks the rule."""
        return bool(value) if self.bounds is None else not self.bounds.contain(value)


@dataclass(frozen=True, eq=False)
class SearchRule:
    """A rule that no expression decides: a search finds the rows, or answers for the dataset.

    Attributes
    ----------
    search
        Takes the rows in the contract's dtypes, numbered in `ROW`.
    whole_dataset
        True where the search answers for the dataset and blames no row.
    compares_rows
        True where the search compares rows with each other; then it decides nothing about a single
        row.
    warning
        True: rows that break the rule are counted, and pass.
    independent
        True where rows that keep the rule still keep it when other rows are removed.
    """

    id: RuleId
    search: Callable[[pl.LazyFrame], SearchResult]
    whole_dataset: bool = False
    compares_rows: bool = False
    warning: bool = False
    independent: bool = False


Rule: TypeAlias = RowRule | DatasetRule | SearchRule


def covers_dataset(rule: Rule) -> bool:
    """Return whether a rule decides about the whole dataset and blames no row."""
    return isinstance(rule, DatasetRule) or (isinstance(rule, SearchRule) and rule.whole_dataset)
