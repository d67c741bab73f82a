"""Values of events whose windows fit into the dtypes of their features."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from featurestore.values.table import integer_limits
from featurestore.windows.aggregation import NUMERIC

if TYPE_CHECKING:
    import polars as pl

    from featurestore.definitions.feature_view import FeatureView
    from featurestore.testing.domain import Domain

# More events of a key than any case has.
MAX_EVENTS: Final = 32
_LARGEST_FLOATS: Final = {"Float32": math.ldexp(1, 127), "Float64": math.ldexp(1, 1023)}


def with_windows_that_fit(view: FeatureView, column: str, domain: Domain) -> Domain:
    """Leave out values of a column whose windows could be too large for the dtype of a feature.

    A view without windows, and a column whose values all are too large, keep all values.
    """
    limits = [
        _limit(view.feature_contract[name].dtype, window.kind)
        for name, window in view.windows.items()
        if window.column == column and window.kind not in ("distinct", "approximate_distinct")
    ]
    limit = min((limit for limit in limits if limit is not None), default=None)
    if limit is None:
        return domain
    fitting = tuple(value for value in domain.allowed if not _is_number(value) or abs(value) <= limit)
    return replace(domain, allowed=fitting or domain.allowed)


def _limit(dtype: pl.DataType, kind: str) -> int | float | None:
    if dtype.is_integer():
        return integer_limits(dtype)[1] // MAX_EVENTS
    if not dtype.is_float():
        return None
    largest = _LARGEST_FLOATS[str(dtype)]
    return math.sqrt(largest) / MAX_EVENTS if kind in NUMERIC - {"sum", "mean"} else largest / MAX_EVENTS


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
