"""Values that differ only by rounding."""

from __future__ import annotations

import math
from typing import Any, Final

import polars as pl

# Two floats that differ by less than this share of the larger one differ by rounding.
SHARE: Final = 1e-6


def is_rounded(first: Any, second: Any) -> bool:
    """Return whether two values that differ in their bits differ only by rounding.

    Floats and lists of floats are compared with a tolerance. Timestamps that differ by nanoseconds are equal as Python
    values.
    """
    if isinstance(first, pl.Series) and isinstance(second, pl.Series):
        pairs = list(zip(first.to_list(), second.to_list(), strict=False))
        return first.len() == second.len() and all(a == b or is_rounded(a, b) for a, b in pairs)
    if isinstance(first, float) and isinstance(second, float):
        return math.isclose(first, second, rel_tol=SHARE)
    return first is not None and type(first) is type(second) and bool(first == second)
