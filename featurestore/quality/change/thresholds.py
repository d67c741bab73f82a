"""The thresholds of minor and major drift: the defaults, and what a column sets instead.

======================  =====  =====  =====================================================================
measure                 minor  major  meaning
======================  =====  =====  =====================================================================
``psi``                 0.1    0.25   population stability index over about ten bins, or over values
``js``                  0.1    0.2    Jensen-Shannon distance (base 2) over the same bins
``ks``                  0.1    0.2    numbers: largest difference between the cumulative shares
``wasserstein``                       numbers: how far the average row moves, in the column's unit
``wasserstein_scaled``  0.2    0.4    the same in standard deviations of `before`
``chi_square``          0.15   0.25   categories: Cramér's V, both sides with equal weight
``l_infinity``          0.1    0.2    categories: largest difference of a share
``null_rate``           0.05   0.1    difference of the share of missing values
``distinct``            1.5    2      ratio of the numbers of distinct values in equally many rows
======================  =====  =====  =====================================================================

The thresholds of the index are the convention of credit scoring (Siddiqi, Credit Risk Scorecards,
2006; Yurdakul and Naranjo, 2020). The others are the same effect in their own measure, rounded. If
the mean of a normal variable moves by d standard deviations, the index is d squared, so 0.25 is d =
0.5, Cohen's medium effect (Statistical Power Analysis, 1988). The same d gives a Jensen-Shannon
distance of 0.21 and a Kolmogorov-Smirnov distance of 0.2. Cramér's V is half the root of the index.
There is no convention for shares, missing values and distinct values; those thresholds are our own.

The field of a schema sets its own thresholds: ``metadata={"drift": {"psi": 0.4, "ks": None}}``. A
number is the threshold of major drift. The threshold of minor drift keeps its default proportion to
it, or is half of it. None: the measure does not count. ``{"drift": None}``: no measure counts.
Timestamps and unique columns differ between any two datasets, so only missing values count there,
unless the field sets a threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.errors import DefinitionError
from featurestore.quality.profile.profile import profile

if TYPE_CHECKING:
    from featurestore.definitions.contract import Column, Contract

Threshold = tuple[float, float]
THRESHOLDS: dict[str, Threshold] = {
    "psi": (0.1, 0.25),
    "js": (0.1, 0.2),
    "ks": (0.1, 0.2),
    "wasserstein_scaled": (0.2, 0.4),
    "chi_square": (0.15, 0.25),
    "l_infinity": (0.1, 0.2),
    "null_rate": (0.05, 0.1),
    "distinct": (1.5, 2.0),
}
_ANY = ("null_rate",)
_NUMBERS = ("psi", "js", "ks", "wasserstein", "wasserstein_scaled", *_ANY)
_CATEGORIES = ("psi", "js", "chi_square", "l_infinity", "distinct", *_ANY)
MEASURES: dict[str, tuple[str, ...]] = {
    "number": (*_NUMBERS, "distinct"),
    "list": _NUMBERS,
    "text": _CATEGORIES,
    "boolean": _CATEGORIES,
    "timestamp": _CATEGORIES,
    "other": _ANY,
}
KNOWN = tuple(dict.fromkeys(name for names in MEASURES.values() for name in names))
_MINOR = 0.5  # of the major threshold, for measures without a default


def size(measure: str, value: float) -> float:
    """Return the size of a measure in either direction.

    Half as many distinct values are as far as twice as many.
    """
    if measure != "distinct":
        return abs(value)
    return max(value, 1 / value) - 1 if value > 0 else inf


def thresholds_of(column: Column | None, kind: str) -> dict[str, Threshold]:
    """Return the thresholds of a column's measures, as sizes: of minor and of major drift.

    Parameters
    ----------
    column
        The column as its contract declares it; None if no contract does.
    kind
        The kind of the column, a key of `MEASURES`.
    """
    differs_always = kind == "timestamp" or (column is not None and column.unique)
    names = _ANY if differs_always else MEASURES[kind]
    thresholds = {n: (size(n, THRESHOLDS[n][0]), size(n, THRESHOLDS[n][1])) for n in names if n in THRESHOLDS}
    declared = {} if column is None else column.metadata.get("drift", {})
    if declared is None:
        return {}
    for measure, threshold in declared.items():
        if threshold is None:
            thresholds.pop(measure, None)
        else:
            major = size(measure, threshold)
            minor_default, major_default = (size(measure, t) for t in THRESHOLDS.get(measure, (_MINOR, 1.0)))
            thresholds[measure] = (major * minor_default / major_default, major)
    return thresholds


def check_thresholds(contract: Contract) -> None:
    """Check the drift thresholds that the columns of a contract set.

    Raises
    ------
    DefinitionError
        If the ``drift`` metadata of a column is not a dictionary or None, names an unknown measure
        or one that does not apply to the kind of the column, or sets an invalid threshold.
    """
    declared = [column for column in contract.columns if "drift" in column.metadata]
    empty = profile(pl.LazyFrame(schema={c.name: c.dtype for c in declared}), dataset=contract.name)
    for column in declared:
        where = f"schema {contract.name}, column {column.name!r}, drift"
        thresholds = column.metadata["drift"]
        if not isinstance(thresholds, Mapping | None):
            raise DefinitionError(
                f"{where}: expected a dictionary of thresholds or None, got {thresholds!r}",
                hint='such as {"psi": 0.25}',
            )
        _check({} if thresholds is None else thresholds, empty.columns[column.name].kind, where)


def _check(thresholds: Mapping[Any, Any], kind: str, where: str) -> None:
    for measure, threshold in thresholds.items():
        if measure not in KNOWN:
            raise DefinitionError(f"{where}: unknown measure {measure!r}", hint=f"known: {', '.join(KNOWN)}")
        if measure not in MEASURES[kind]:
            raise DefinitionError(
                f"{where}: measure {measure!r} does not apply to a {kind} column",
                hint=f"these apply: {', '.join(MEASURES[kind])}",
            )
        if threshold is None:
            continue
        is_number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
        if not is_number or not isfinite(threshold) or threshold <= 0:
            raise DefinitionError(
                f"{where}: {measure} is {threshold!r}; expected a number above 0, or None",
                hint=f'example: metadata={{"drift": {{"{measure}": 0.5}}}}',
            )
        if measure == "distinct" and threshold <= 1:
            raise DefinitionError(
                f"{where}: distinct is {threshold!r}; expected a ratio above 1",
                hint='example: metadata={"drift": {"distinct": 2}}',
            )
