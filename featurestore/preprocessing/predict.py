"""The step that fills in missing values by a decision tree over other columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

import msgspec
import numpy as np
import polars as pl

from featurestore.errors import ContractError, DefinitionError, MissingPackageError
from featurestore.preprocessing.impute import INDICATOR
from featurestore.preprocessing.selectors import Columns, Selector, columns_of, selected
from featurestore.preprocessing.statistics import mean_and_variance, median
from featurestore.preprocessing.step import (
    FLOAT,
    Observed,
    Outputs,
    State,
    Step,
    float_literal,
    is_number,
    number_expression,
)
from featurestore.values.arguments import integer_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


MAX_DEPTH: Final = 6
_SEED: Final = 0
_LARGEST: Final = float(np.finfo(np.float32).max)
Leaf: TypeAlias = bool | float | str


class Split(msgspec.Struct, frozen=True):
    """A question about a column, and what follows from the answer: another question, or a value.

    Attributes
    ----------
    column, threshold
        Whether the value of the column is this number or less.
    then, otherwise
        What follows if it is, and if it is not.
    """

    column: str
    threshold: float
    then: Split | Leaf
    otherwise: Split | Leaf


class Predicted(State, frozen=True, tag="predicted"):
    """The value of a tree in place of a null.

    Attributes
    ----------
    fills
        The columns that the tree reads, each with the number that stands for its nulls.
    tree
        The first question; or one value, where no question tells more.
    indicator
        Whether a column tells which values were null.
    """

    fills: dict[str, float]
    tree: Split | Leaf
    indicator: bool = False

    @property
    def beside(self) -> tuple[str, ...]:
        """The columns that the tree reads."""
        return tuple(self.fills)

    def expressions(self, name: str) -> Outputs:
        """Return the filled column, and the indicator after it."""
        numbers = {
            predictor: number_expression(predictor).fill_null(float_literal(fill))
            for predictor, fill in self.fills.items()
        }
        column = pl.col(name).cast(_dtype_of(self.tree))
        filled = pl.when(column.is_null()).then(_value(self.tree, numbers)).otherwise(column)
        if not self.indicator:
            return {name: filled}
        return {name: filled, f"{INDICATOR}{name}": pl.col(name).is_null().cast(FLOAT)}


def _dtype_of(tree: Split | Leaf) -> pl.DataType:
    if isinstance(tree, Split):
        return _dtype_of(tree.then)
    return pl.Boolean() if isinstance(tree, bool) else pl.String() if isinstance(tree, str) else FLOAT


def _value(tree: Split | Leaf, numbers: Mapping[str, pl.Expr]) -> pl.Expr:
    if not isinstance(tree, Split):
        return pl.lit(tree, dtype=_dtype_of(tree))
    condition = numbers[tree.column] <= float_literal(tree.threshold)
    return pl.when(condition).then(_value(tree.then, numbers)).otherwise(_value(tree.otherwise, numbers))


@dataclass(frozen=True, kw_only=True)
class ImputePredicted(Step):
    """See `impute_predicted`."""

    kind: ClassVar[str] = "impute_predicted"
    takes: ClassVar[str] = "numbers, text or booleans"
    by: Columns
    depth: int = 3
    min_rows: int = 20
    indicator: bool = False

    def accepts(self, dtype: pl.DataType) -> bool:
        """Return whether a tree can predict values of a dtype."""
        return is_number(dtype) or isinstance(dtype, pl.String)

    def outputs(self, name: str, dtype: pl.DataType) -> Mapping[str, pl.DataType]:
        """Return the filled column and the indicator."""
        filled = {name: dtype if isinstance(dtype, pl.String | pl.Boolean) else FLOAT}
        return {**filled, f"{INDICATOR}{name}": FLOAT} if self.indicator else filled

    def check(self, name: str, schema: Mapping[str, pl.DataType], place: str) -> None:
        """Check the columns that the tree reads. Raises as `_read_columns`."""
        self._read_columns(name, schema, place)

    def _read_columns(self, name: str, schema: Mapping[str, pl.DataType], place: str) -> tuple[str, ...]:
        """Return the columns that the tree reads.

        Raises
        ------
        UnknownNameError
            If one does not exist.
        DefinitionError
            If one holds no numbers, is the column itself, or there is none.
        """
        names = selected(self.by, schema, place)
        if isinstance(self.by, Selector):
            names = tuple(predictor for predictor in names if predictor != name)
        for predictor in names:
            if predictor == name or not is_number(schema[predictor]):
                what = "the column itself" if predictor == name else f"{schema[predictor]}"
                raise DefinitionError(
                    f"{place}: {name!r} is predicted by {predictor!r}, which is {what}; expected other columns of numbers",
                    hint="name other columns, or add a step before it that makes them numbers",
                )
        if not names:
            raise DefinitionError(
                f"{place}: there is no other column to predict {name!r} by",
                hint='name columns: by=["amount"]',
            )
        return names

    def fit(self, observed: Observed) -> Predicted:
        """Fit a tree to the rows whose value is present.

        Raises
        ------
        ContractError
            As `Observed.present` and `Observed.numbers`, also of the columns that the tree reads.
        MissingPackageError
            If scikit-learn is not installed.
        """
        name = observed.column.name
        rows = observed.column.to_frame() if observed.rows is None else observed.rows
        names = self._read_columns(name, rows.schema, observed.place)
        is_text = isinstance(observed.column.dtype, pl.String | pl.Boolean)
        values = observed.present() if is_text else observed.numbers()
        columns = {
            predictor: _numbers(Observed(rows[predictor], None, f"{observed.place}, by {predictor!r}"))
            for predictor in names
        }
        fills = {predictor: median(numbers.drop_nulls()) for predictor, numbers in columns.items()}
        known = observed.column.is_not_null()
        # In an order that the rows decide: the sums of a tree depend on the order of its rows.
        matrix = pl.DataFrame(
            [
                numbers.fill_null(fills[predictor]).filter(known) + 0.0
                for predictor, numbers in columns.items()
            ]
        )
        ordered = matrix.with_columns(values.alias(name)).sort(pl.all())
        return Predicted(
            fills=fills,
            tree=self._tree(ordered.drop(name), ordered[name], is_text=is_text),
            indicator=self.indicator,
        )

    def _tree(self, columns: pl.DataFrame, values: pl.Series, *, is_text: bool) -> Split | Leaf:
        try:
            from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise MissingPackageError("a decision tree", "sklearn", extra="sklearn") from error
        kind = DecisionTreeClassifier if is_text else DecisionTreeRegressor
        estimator = kind(max_depth=self.depth, min_samples_leaf=self.min_rows, random_state=_SEED)
        target = values.rank("dense").to_numpy() if is_text else values.to_numpy()
        tree = estimator.fit(columns.to_numpy(), target).tree_
        return _node(tree, 0, columns, values)


def _node(tree: Any, number: int, columns: pl.DataFrame, values: pl.Series) -> Split | Leaf:
    """Return a node of scikit-learn's tree over the rows that reach it, with a value that is rounded once."""
    if tree.children_left[number] < 0:
        return _leaf(values)
    name = columns.columns[tree.feature[number]]
    threshold = _threshold(tree.threshold[number])
    inside = columns[name] <= threshold
    then, otherwise = (
        _node(tree, child, columns.filter(mask), values.filter(mask))
        for child, mask in (
            (tree.children_left[number], inside),
            (tree.children_right[number], ~inside),
        )
    )
    return (
        then if then == otherwise else Split(column=name, threshold=threshold, then=then, otherwise=otherwise)
    )


def _leaf(values: pl.Series) -> Leaf:
    """Return the mean of numbers, or the smallest of the most frequent values."""
    if values.dtype == FLOAT:
        return mean_and_variance(values).mean
    counts = values.value_counts(name="count")
    modes = counts.filter(pl.col("count") == pl.col("count").max())[values.name]
    smallest: bool | str = modes.sort()[0]
    return smallest


def _threshold(narrow: float) -> float:
    """Return the largest float of 64 bits whose nearest float of 32 bits is at most a threshold.

    Scikit-learn compares floats of 32 bits: the same question about floats of 64 bits needs no rounding.
    """
    low = np.float32(narrow)
    if float(low) > narrow:
        low = np.nextafter(low, np.float32(-np.inf))
    middle = (float(low) + float(np.nextafter(low, np.float32(np.inf)))) / 2
    # A float midway between two of 32 bits is rounded to the even one.
    return middle if np.float32(middle) == low else float(np.nextafter(middle, -np.inf))


def _numbers(observed: Observed) -> pl.Series:
    numbers = observed.numbers()
    if float(np.abs(numbers.to_numpy()).max()) > _LARGEST:
        raise ContractError(
            f"{observed.place}: a number is larger than {_LARGEST:.3g}; a tree compares floats of 32 bits",
            hint="clip the feature first, or give it another unit",
        )
    return observed.column.cast(FLOAT)


def impute_predicted(
    columns: str | Iterable[str] | Selector,
    *,
    by: str | Iterable[str] | Selector,
    depth: int = 3,
    min_rows: int = 20,
    indicator: bool = False,
) -> ImputePredicted:
    """Fill in missing values by a decision tree that scikit-learn fits to the rows with a value.

    Numbers become the mean of the rows that give the same answers as the row, as Float64; text and booleans the most
    frequent value of these rows. The tree is applied as an expression, so one row has the bits of many.

    Parameters
    ----------
    columns
        Names, or a selector.
    by
        The columns of numbers or booleans that the tree reads: names, or a selector, without the column itself. Their own
        nulls count as the median of the fitted rows. Columns that the same step fills are read with their nulls.
    depth
        How many questions follow each other at most: 1 to 6.
    min_rows
        Every value is that of at least this many fitted rows.
    indicator
        Add ``missingindicator_<column>``: 1.0 where a value was missing, else 0.0.

    Raises
    ------
    DefinitionError
        If no column is named, or a number is out of range.
    """
    example = "depth=3"
    depth = integer_of("step impute_predicted: depth", depth, smallest=1, largest=MAX_DEPTH, example=example)
    min_rows = integer_of("step impute_predicted: min_rows", min_rows, smallest=1, example="min_rows=20")
    return ImputePredicted(
        columns=columns_of(columns, "impute_predicted"),
        by=columns_of(by, "impute_predicted, by"),
        depth=depth,
        min_rows=min_rows,
        indicator=indicator,
    )
