"""Quantiles, and numbers of different values, from the values of a window or from what is kept of them."""

from __future__ import annotations

from decimal import Decimal
from operator import add
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.windows.cardinality import Registers, precision_of
from featurestore.windows.histogram import histogram, merged, packed, quantile_of, unpacked
from featurestore.windows.measure import Measure
from featurestore.windows.significant import nearest_rank, significant_bits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from featurestore.windows.aggregation import Aggregation


def measure_of_distribution(aggregation: Aggregation) -> Measure:
    """Return the measure of values, not of events: all of them, or with a bound, a histogram or registers."""
    if aggregation.error is None:
        return Measure(list, add, list, list)
    if aggregation.quantile is None:
        registers = Registers(precision_of(aggregation.error))
        return Measure(registers.of, registers.merge, registers.pack, registers.unpack)
    bits = significant_bits(aggregation.error)
    return Measure(lambda values: histogram(values, bits), merged, packed, unpacked)


def finish_distribution(aggregation: Aggregation, dtype: pl.DataType | None) -> Callable[[Any, int], Any]:
    """Return the function that computes the value of a window from the state and the timestamp."""
    quantile, error = aggregation.quantile, aggregation.error
    if quantile is not None and error is None:
        return _exact(quantile, dtype)
    if quantile is not None and error is not None:
        bits = significant_bits(error)
        return lambda counts, _: quantile_of(counts, quantile, bits)
    if error is not None:
        count = Registers(precision_of(error)).count
        return lambda state, _: count(state)
    raise ValueError(f"{aggregation.kind} has neither a quantile nor an error")


def comparable(dtype: pl.DataType | None) -> Callable[[Any], Any] | None:
    """Return the key by which stored values of a dtype are compared; None: themselves."""
    return Decimal if isinstance(dtype, pl.Decimal) else None


def _exact(quantile: float, dtype: pl.DataType | None) -> Callable[[Any, int], Any]:
    is_float = dtype is not None and dtype.is_float()

    def nearest(values: Sequence[Any], _: int) -> Any:
        if not values:
            return None
        value = sorted(values, key=comparable(dtype))[nearest_rank(quantile, len(values)) - 1]
        return value + 0.0 if is_float else value

    return nearest
