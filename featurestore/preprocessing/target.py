"""The step that replaces a category by the mean label of its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import polars as pl

from featurestore.errors import ContractError, DefinitionError
from featurestore.preprocessing.categories import Category, text_of
from featurestore.preprocessing.selectors import columns_of
from featurestore.preprocessing.statistics import mean_and_variance
from featurestore.preprocessing.step import FLOAT, Observed, Outputs, State, Step, is_category, is_number
from featurestore.values.arguments import integer_of, number_of
from featurestore.values.exact_sum import exact_sum

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from featurestore.preprocessing.selectors import Selector

_CATEGORY, _LABEL, _SUM, _ROWS = "category", "label", "sum", "rows"
BINARY: Final = 2
MAX_FOLDS: Final = 100


class TargetMeans(State, frozen=True, tag="target"):
    """The smoothed mean label of each category.

    Attributes
    ----------
    classes
        The classes of a label of three or more, in a pinned order: one column for each. Empty: one column.
    means
        For each class, or once, the mean of each category.
    prior
        For each class, or once, the mean of all rows: for a category that was never seen.
    missing
        The same for nulls.
    """

    categories: tuple[Category, ...]
    means: tuple[tuple[float, ...], ...]
    prior: tuple[float, ...]
    missing: tuple[float, ...]
    classes: tuple[str, ...] = ()

    def expressions(self, name: str) -> Outputs:
        """Return the mean label of each value."""
        names = [f"{name}_{label}" for label in self.classes] or [name]
        column = pl.col(name)
        outputs = {}
        for output, means, prior, missing in zip(names, self.means, self.prior, self.missing, strict=True):
            mapped = column.replace_strict(
                list(self.categories), list(means), default=prior, return_dtype=FLOAT
            )
            outputs[output] = pl.when(column.is_null()).then(pl.lit(missing, dtype=FLOAT)).otherwise(mapped)
        return outputs


@dataclass(frozen=True, kw_only=True)
class Target(Step):
    """See `target`."""

    kind: ClassVar[str] = "target"
    takes: ClassVar[str] = "text, integers or booleans"
    smooth: float = 10.0
    folds: int = 5

    def accepts(self, dtype: pl.DataType) -> bool:
        """Return whether values of a dtype can be categories."""
        return is_category(dtype)

    def outputs(self, name: str, dtype: pl.DataType) -> None:
        """Return None: a label of three or more classes gives a column for each."""

    def fit(self, observed: Observed) -> TargetMeans:
        """Learn the mean label of each category.

        Raises
        ------
        ContractError
            If the rows have no label, or a label that is neither a number nor text.
        """
        observed.present()
        classes, labels = _labels(observed)
        return self._fitted(observed.column, classes, labels)

    def training_values(self, observed: Observed, state: State) -> list[pl.Series]:
        """Return the means of fitted rows, each from the other folds: a row's own label is not in its feature."""
        classes, labels = _labels(observed)
        position = pl.int_range(observed.column.len(), eager=True)
        parts = []
        for fold in range(self.folds):
            inside = position % self.folds == fold
            others = [label.filter(~inside) for label in labels]
            if others[0].is_empty():
                others, outside = labels, observed.column
            else:
                outside = observed.column.filter(~inside)
            fitted = self._fitted(outside, classes, others)
            held = pl.DataFrame({observed.column.name: observed.column, "position": position}).filter(inside)
            parts.append(held.select("position", **fitted.expressions(observed.column.name)))
        names = state.expressions(observed.column.name)
        return pl.concat(parts).sort("position").select(*names).get_columns()

    def _fitted(self, column: pl.Series, classes: tuple[str, ...], labels: list[pl.Series]) -> TargetMeans:
        results = [self._means(column, label) for label in labels]
        categories = sorted({category for means, _ in results for category in means if category is not None})
        return TargetMeans(
            categories=tuple(categories),
            means=tuple(tuple(means[category] for category in categories) for means, _ in results),
            prior=tuple(prior for _, prior in results),
            missing=tuple(means.get(None, prior) for means, prior in results),
            classes=classes,
        )

    def _means(self, column: pl.Series, label: pl.Series) -> tuple[dict[Category | None, float], float]:
        rows = pl.DataFrame([column.alias(_CATEGORY), label.alias(_LABEL)]).drop_nulls(_LABEL)
        prior = mean_and_variance(rows[_LABEL]).mean
        sums = rows.group_by(_CATEGORY).agg(exact_sum(pl.col(_LABEL)).alias(_SUM), pl.len().alias(_ROWS))
        weight = self.smooth * prior
        return {c: (total + weight) / (count + self.smooth) for c, total, count in sums.rows()}, prior


def target(columns: str | Iterable[str] | Selector, *, smooth: float = 10.0, folds: int = 5) -> Target:
    """Replace a category by the mean label of its rows, drawn towards the mean of all rows.

    A fitted row gets the mean of the other folds, so that its own label is not in its feature; all other rows, and
    serving, get the mean of all fitted rows. A category that was never seen gets the mean of all rows.

    Parameters
    ----------
    columns
        Names, or a selector.
    smooth
        The mean of all rows counts as this many rows of each category.
    folds
        Into how many parts the fitted rows are divided: 2 to 100, since the means are learned once for each.

    Raises
    ------
    DefinitionError
        If no column is named, or a number is out of range.
    """
    smooth = number_of("step target: smooth", smooth, example="smooth=10")
    if smooth < 0:
        raise DefinitionError(
            f"step target: smooth is {smooth}; expected 0 or more", hint="example: smooth=10"
        )
    # One fold has no others.
    folds = integer_of("step target: folds", folds, smallest=2, largest=MAX_FOLDS, example="folds=5")
    return Target(columns=columns_of(columns, "target"), smooth=smooth, folds=folds)


def _labels(observed: Observed) -> tuple[tuple[str, ...], list[pl.Series]]:
    """Return the classes that get columns, and the label as numbers: once, or for each class."""
    label = observed.label
    if label is None or label.drop_nulls().is_empty():
        raise ContractError(
            f"{observed.place}: the rows have no label to take the mean of",
            hint="fit the service by a training set with labels",
        )
    if is_number(label.dtype):
        return (), [label.cast(FLOAT)]
    if not isinstance(label.dtype, pl.String):
        raise ContractError(
            f"{observed.place}: the label is {label.dtype}; expected numbers, booleans or text",
            hint="give the label as a number or as text",
        )
    classes: list[str] = sorted(label.drop_nulls().unique())
    # Of two classes the second is the positive one, as in scikit-learn.
    shown = classes[1:] if len(classes) == BINARY else classes
    return (
        () if len(shown) == 1 else tuple(map(text_of, shown)),
        list(_is_each(label, shown)),
    )


def _is_each(label: pl.Series, classes: Iterable[str]) -> Iterator[pl.Series]:
    for name in classes:
        yield (label == name).cast(FLOAT)
