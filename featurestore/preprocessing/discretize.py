"""The step that replaces a number by the number of its bin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias, get_args

import numpy as np
import polars as pl

from featurestore.errors import MissingPackageError
from featurestore.preprocessing.numbers import extremes
from featurestore.preprocessing.selectors import columns_of
from featurestore.preprocessing.statistics import quantiles
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
from featurestore.values.arguments import integer_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from featurestore.preprocessing.selectors import Selector

DiscretizeStrategy: TypeAlias = Literal["uniform", "quantile", "kmeans"]
MAX_BINS = 256


class Binned(State, frozen=True, tag="binned"):
    """The number of the bin: how many inner edges are at or below a value.

    Attributes
    ----------
    edges
        All edges, in order. A value outside the first and the last belongs to the first or the last bin.
    """

    edges: tuple[float, ...]

    def expressions(self, name: str) -> Outputs:
        """Return the bin of each value."""
        value = number_expression(name)
        steps = [(value >= float_literal(edge)).cast(FLOAT) for edge in self.edges[1:-1]]
        # A column with one bin: 0, and null where the value is null.
        total = steps[0] if steps else pl.when(value.is_not_null()).then(float_literal(0.0))
        for step in steps[1:]:
            total = total + step
        return {name: total}


@dataclass(frozen=True, kw_only=True)
class Discretize(Step):
    """See `discretize`."""

    kind: ClassVar[str] = "discretize"
    takes: ClassVar[str] = "numbers"
    strategy: DiscretizeStrategy = "quantile"
    bins: int = 5

    def accepts(self, dtype: pl.DataType) -> bool:
        """Return whether a column holds numbers."""
        return is_number(dtype)

    def outputs(self, name: str, dtype: pl.DataType) -> Mapping[str, pl.DataType]:  # noqa: ARG002 - any number
        """Return the column as Float64."""
        return {name: FLOAT}

    def fit(self, observed: Observed) -> Binned:
        """Learn the edges. Raises as `Observed.numbers`, and `MissingPackageError` for k-means without scikit-learn."""
        values = observed.numbers()
        low, high = extremes(values)
        if low == high:
            return Binned(edges=(low, high))
        if self.strategy == "quantile":
            edges = quantiles(values, np.linspace(0, 1, self.bins + 1).tolist())
        elif self.strategy == "uniform":
            edges = np.linspace(low, high, self.bins + 1).tolist()
        else:
            edges = _clusters(values, low, high, self.bins)
        return Binned(edges=tuple(dict.fromkeys(edges)))


def discretize(
    strategy: DiscretizeStrategy = "quantile", *, columns: str | Iterable[str] | Selector, bins: int = 5
) -> Discretize:
    """Replace a number by the number of its bin, from 0; nulls stay null.

    Parameters
    ----------
    strategy
        ``"uniform"``: bins of one width. ``"quantile"``: bins of about as many rows each. ``"kmeans"``: an edge halfway
        between the centers of clusters, which scikit-learn finds; where a column has at most `bins` different numbers, each
        is a bin.
    columns
        Names, or a selector.
    bins
        From 2 to 256. Edges that coincide count once, so that a column may have fewer.

    Raises
    ------
    DefinitionError
        If the strategy does not exist, no column is named, or `bins` is out of range.
    """
    one_of("discretize", "strategy", strategy, get_args(DiscretizeStrategy))
    # One bin tells nothing.
    bins = integer_of("step discretize: bins", bins, smallest=2, largest=MAX_BINS, example="bins=5")
    return Discretize(strategy=strategy, columns=columns_of(columns, "discretize"), bins=bins)


def _clusters(values: pl.Series, low: float, high: float, bins: int) -> list[float]:
    """Return the edges of `KBinsDiscretizer`; of at most as many different numbers as bins, each has a bin of its own."""
    centers = values.unique().sort().to_numpy()
    if len(centers) > bins:
        first = np.linspace(low, high, bins + 1)
        centers = _centers(values.sort(), (first[1:] + first[:-1]) / 2)
    return [low, *((centers[1:] + centers[:-1]) / 2).tolist(), high]


def _centers(ordered: pl.Series, initial: NDArray[np.float64]) -> NDArray[np.float64]:
    try:
        from sklearn.cluster import KMeans  # noqa: PLC0415 - an extra
        from threadpoolctl import threadpool_limits  # noqa: PLC0415 - scikit-learn requires it
    except ImportError as error:
        raise MissingPackageError("k-means", "sklearn", extra="sklearn") from error
    clustering = KMeans(n_clusters=len(initial), init=initial.reshape(-1, 1), n_init=1)
    # scikit-learn adds up the numbers of each thread: the last bits depend on how many there are, and on the order of rows.
    with threadpool_limits(limits=1, user_api="openmp"):
        clustering.fit(ordered.to_numpy().reshape(-1, 1))
    centers: NDArray[np.float64] = np.sort(clustering.cluster_centers_[:, 0])
    return centers
