"""Steps over numbers: scale and clip."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal, TypeAlias, get_args

from featurestore.errors import ContractError, DefinitionError
from featurestore.preprocessing.selectors import columns_of
from featurestore.preprocessing.statistics import deviation, mean_and_variance, median, quantiles
from featurestore.preprocessing.step import (
    FLOAT,
    Observed,
    Outputs,
    State,
    Step,
    float_literal,
    is_number,
    number_expression,
    one_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import polars as pl

    from featurestore.preprocessing.selectors import Selector

ScaleMethod: TypeAlias = Literal["standard", "min_max", "robust"]
_QUARTILES: Final = (0.25, 0.75)


class Scaled(State, frozen=True, tag="scaled"):
    """Numbers less a center, times a factor."""

    center: float
    factor: float

    def expressions(self, name: str) -> Outputs:
        """Return the scaled column."""
        value = number_expression(name)
        # Polars takes a zero from many rows in another way than from one: -0.0 would depend on the number of rows.
        moved = value - float_literal(self.center) if self.center else value
        return {name: moved * float_literal(self.factor)}


class Linear(State, frozen=True, tag="linear"):
    """Numbers times a factor, plus an offset."""

    factor: float
    offset: float

    def expressions(self, name: str) -> Outputs:
        """Return the scaled column."""
        scaled = number_expression(name) * float_literal(self.factor)
        return {name: scaled + float_literal(self.offset) if self.offset else scaled}


class Clipped(State, frozen=True, tag="clipped"):
    """Numbers between two bounds. None: no bound."""

    low: float | None
    high: float | None

    def expressions(self, name: str) -> Outputs:
        """Return the clipped column."""
        return {name: number_expression(name).clip(self.low, self.high)}


@dataclass(frozen=True, kw_only=True)
class Scale(Step):
    """See `scale`."""

    kind: ClassVar[str] = "scale"
    takes: ClassVar[str] = "numbers"
    method: ScaleMethod = "standard"

    def accepts(self, dtype: pl.DataType) -> bool:
        """Return whether a column holds numbers."""
        return is_number(dtype)

    def outputs(self, name: str, dtype: pl.DataType) -> Mapping[str, pl.DataType]:  # noqa: ARG002 - any number
        """Return the column as Float64."""
        return {name: FLOAT}

    def fit(self, observed: Observed) -> Scaled | Linear:
        """Learn center and factor. Raises as `Observed.numbers`."""
        values = observed.numbers()
        if self.method == "standard":
            mean, variance = mean_and_variance(values)
            spread = deviation(variance, mean, values.len())
            return Scaled(center=mean, factor=_factor(spread, observed.place))
        if self.method == "robust":
            low, high = quantiles(values, _QUARTILES)
            return Scaled(center=median(values), factor=_factor(_range(low, high), observed.place))
        low, high = extremes(values)
        factor = _factor(_range(low, high), observed.place)
        return Linear(factor=factor, offset=-(low * factor))


@dataclass(frozen=True, kw_only=True)
class Clip(Step):
    """See `clip`."""

    kind: ClassVar[str] = "clip"
    takes: ClassVar[str] = "numbers"
    min: float | None = None
    max: float | None = None
    quantiles: tuple[float, float] | None = None

    def accepts(self, dtype: pl.DataType) -> bool:
        """Return whether a column holds numbers."""
        return is_number(dtype)

    def outputs(self, name: str, dtype: pl.DataType) -> Mapping[str, pl.DataType]:  # noqa: ARG002 - any number
        """Return the column as Float64."""
        return {name: FLOAT}

    def fit(self, observed: Observed) -> Clipped:
        """Learn the bounds. Raises as `Observed.numbers`, if they are quantiles."""
        if self.quantiles is None:
            return Clipped(low=self.min, high=self.max)
        low, high = quantiles(observed.numbers(), self.quantiles)
        return Clipped(low=low, high=high)


def scale(method: ScaleMethod = "standard", *, columns: str | Iterable[str] | Selector) -> Scale:
    """Scale numbers; nulls stay null.

    Parameters
    ----------
    method
        ``"standard"``: mean 0 and standard deviation 1. ``"min_max"``: from 0 to 1 over the fitted rows. ``"robust"``:
        median 0, and 1 between the quartiles. A column whose values do not differ is moved and not stretched.
    columns
        Names, or a selector.

    Raises
    ------
    DefinitionError
        If the method does not exist, or no column is named.
    """
    one_of("scale", "method", method, get_args(ScaleMethod))
    return Scale(method=method, columns=columns_of(columns, "scale"))


def clip(
    *,
    columns: str | Iterable[str] | Selector,
    min: float | None = None,  # noqa: A002 - as polars.Expr.clip has it
    max: float | None = None,  # noqa: A002
    quantiles: tuple[float, float] | None = None,
) -> Clip:
    """Bring outliers to the nearest bound.

    Parameters
    ----------
    columns
        Names, or a selector.
    min, max
        Fixed bounds. None: no bound on this side.
    quantiles
        Two shares from 0 to 1; the bounds are these quantiles of the fitted rows.

    Raises
    ------
    DefinitionError
        If the bounds are missing, in the wrong order, or given twice.
    """
    fixed = min is not None or max is not None
    if fixed == (quantiles is not None):
        raise DefinitionError(
            "step clip: expected either `min` and `max`, or `quantiles`",
            hint='example: clip(columns=["amount"], quantiles=(0.01, 0.99))',
        )
    if quantiles is not None and not 0 <= quantiles[0] < quantiles[1] <= 1:
        raise DefinitionError(
            f"step clip: quantiles are {quantiles}; expected two shares from 0 to 1, the smaller first",
            hint="example: quantiles=(0.01, 0.99)",
        )
    if min is not None and max is not None and not min < max:
        raise DefinitionError(
            f"step clip: min is {min} and max is {max}; expected min below max", hint="exchange them"
        )
    return Clip(
        columns=columns_of(columns, "clip"),
        min=None if min is None else float(min),
        max=None if max is None else float(max),
        quantiles=quantiles,
    )


def extremes(values: pl.Series) -> tuple[float, float]:
    """Return the smallest and the largest number."""
    numbers = values.sort()
    return numbers[0], numbers[-1]


def _range(low: float, high: float) -> float:
    # As scikit-learn: no stretch where there is no range.
    return high - low if high > low else 1.0


def _factor(spread: float, place: str) -> float:
    """Return one over a spread. Raises `ContractError` if no float holds it."""
    factor = 1 / spread
    if not (math.isfinite(spread) and math.isfinite(factor)):
        raise ContractError(
            f"{place}: the values spread over {spread}, which cannot be scaled to 1",
            hint="clip the feature first, or give it another unit",
        )
    return factor
