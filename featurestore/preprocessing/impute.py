"""The step that fills in missing values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias, get_args

import polars as pl

from featurestore.errors import DefinitionError
from featurestore.preprocessing.selectors import columns_of
from featurestore.preprocessing.statistics import mean_and_variance, median
from featurestore.preprocessing.step import (
    FLOAT,
    Observed,
    Outputs,
    State,
    Step,
    is_category,
    is_number,
    one_of,
)
from featurestore.values.arguments import scalar_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from featurestore.preprocessing.selectors import Selector

ImputeStrategy: TypeAlias = Literal["mean", "median", "most_frequent", "constant"]
# As scikit-learn names the column of a `MissingIndicator`.
INDICATOR = "missingindicator_"


class Filled(State, frozen=True, tag="filled"):
    """A value in place of nulls.

    Attributes
    ----------
    value
        A float for a column of Float64, an integer for one of Int64.
    indicator
        Whether a column tells which values were null.
    """

    value: bool | int | float | str
    indicator: bool = False

    def expressions(self, name: str) -> Outputs:
        """Return the filled column, and the indicator after it."""
        column = pl.col(name)
        dtype = _dtype_of(self.value)
        filled = column.cast(dtype).fill_null(pl.lit(self.value, dtype=dtype))
        if not self.indicator:
            return {name: filled}
        return {name: filled, f"{INDICATOR}{name}": column.is_null().cast(FLOAT)}


def _dtype_of(value: bool | float | str) -> pl.DataType:  # noqa: FBT001 - one of the values of a column
    return {bool: pl.Boolean(), int: pl.Int64(), float: FLOAT, str: pl.String()}[type(value)]


@dataclass(frozen=True, kw_only=True)
class Impute(Step):
    """See `impute`."""

    kind: ClassVar[str] = "impute"
    takes: ClassVar[str] = "numbers, or with most_frequent and constant also text"
    strategy: ImputeStrategy = "mean"
    fill_value: bool | int | float | str | None = None
    indicator: bool = False

    def accepts(self, dtype: pl.DataType) -> bool:
        """Return whether a column holds what the strategy can compute."""
        if self.strategy in ("mean", "median"):
            return is_number(dtype)
        return (is_number(dtype) or is_category(dtype)) and not isinstance(dtype, pl.UInt64)

    def mismatch(self, dtype: pl.DataType) -> str | None:
        """Return what is expected of a constant of another dtype."""
        if self.strategy != "constant" or _is_of(self.fill_value, dtype):
            return None
        expected = (
            "text"
            if isinstance(dtype, pl.String)
            else "a boolean"
            if isinstance(dtype, pl.Boolean)
            else "a number"
        )
        return f"fill_value is {self.fill_value!r}; expected {expected}"

    def outputs(self, name: str, dtype: pl.DataType) -> Mapping[str, pl.DataType]:
        """Return the filled column and the indicator."""
        filled = {name: self._filled_dtype(dtype)}
        return {**filled, f"{INDICATOR}{name}": FLOAT} if self.indicator else filled

    def _filled_dtype(self, dtype: pl.DataType) -> pl.DataType:
        if dtype.is_float() or self.strategy in ("mean", "median") or type(self.fill_value) is float:
            return FLOAT
        return pl.Int64() if dtype.is_integer() else dtype

    def fit(self, observed: Observed) -> Filled:
        """Learn the value. Raises as `Observed.present`, unless it is a constant."""
        if self.strategy == "constant":
            is_float = self._filled_dtype(observed.column.dtype) == FLOAT
            return self._filled(float(self.fill_value) if is_float else self.fill_value)  # type: ignore[arg-type]
        if self.strategy == "mean":
            return self._filled(mean_and_variance(observed.numbers()).mean)
        if self.strategy == "median":
            return self._filled(median(observed.numbers()))
        values = observed.numbers() if observed.column.dtype.is_float() else observed.present()
        counts = values.value_counts(name="count")
        modes = counts.filter(pl.col("count") == pl.col("count").max())[values.name]
        return self._filled(modes.sort()[0])

    def _filled(self, value: bool | float | str) -> Filled:  # noqa: FBT001
        return Filled(value=value, indicator=self.indicator)


def impute(
    strategy: ImputeStrategy = "mean",
    *,
    columns: str | Iterable[str] | Selector,
    fill_value: bool | float | str | None = None,
    indicator: bool = False,
) -> Impute:
    """Fill in missing values.

    Parameters
    ----------
    strategy
        ``"mean"`` and ``"median"`` of the fitted rows give Float64. ``"most_frequent"``: the smallest of the most
        frequent values. ``"constant"``: `fill_value`.
    columns
        Names, or a selector.
    fill_value
        The value of ``"constant"``.
    indicator
        Add ``missingindicator_<column>``: 1.0 where a value was missing, else 0.0.

    Raises
    ------
    DefinitionError
        If the strategy does not exist, or `fill_value` is missing, not used, or not a value that a file can keep.
    """
    one_of("impute", "strategy", strategy, get_args(ImputeStrategy))
    if (strategy == "constant") != (fill_value is not None):
        expected = "a `fill_value`" if strategy == "constant" else "no `fill_value`"
        raise DefinitionError(
            f"step impute: strategy {strategy!r} takes {expected}",
            hint='example: impute("constant", columns=["amount"], fill_value=0)',
        )
    return Impute(
        strategy=strategy,
        columns=columns_of(columns, "impute"),
        fill_value=None
        if fill_value is None
        else scalar_of("step impute: fill_value", fill_value, example="fill_value=0"),
        indicator=indicator,
    )


def _is_of(value: object, dtype: pl.DataType) -> bool:
    if isinstance(dtype, pl.String):
        return isinstance(value, str)
    if isinstance(dtype, pl.Boolean):
        return isinstance(value, bool)
    return is_number(dtype) and isinstance(value, int | float) and not isinstance(value, bool)
