"""From which effect on a drift counts: the defaults, and what a feature's own schema says instead.

======================  =====  ======  ==================================================================
measure                  some  strong  what it says
======================  =====  ======  ==================================================================
``psi``                  0.1    0.25   population stability index over about ten cells, or over values
``js``                   0.1    0.2    Jensen-Shannon distance (base 2) over the same cells
``ks``                   0.1    0.2    numbers: largest difference of the shares up to a point
``wasserstein``          none   none   numbers: how far the average row moves, in the column's unit
``wasserstein_scaled``   0.2    0.4    the same in standard deviations of `before`
``chi_square``           0.15   0.25   categories: Cramér's V, both sides counting alike
``l_infinity``           0.1    0.2    categories: largest difference of a share
``null_rate``            0.05   0.1    difference of the share of rows without a value
``distinct``             1.5    2      ratio of the number of distinct values, in equally many rows
======================  =====  ======  ==================================================================

The index' bounds are the convention of credit scoring (Siddiqi, Credit Risk Scorecards, 2006; Yurdakul and Naranjo, 2020).
The others are the same effect in their own measure, rounded: for a normal variable whose mean moves by d deviations the
index is d squared, so 0.25 is d = 0.5, Cohen's medium effect (Statistical Power Analysis, 1988); that d gives a
Jensen-Shannon distance of 0.21 and a Kolmogorov-Smirnov distance of 0.2; Cramér's V is half the root of the index. Those of
shares, of missing values and of distinct values have no convention and are ours.

A schema's field sets its own: ``metadata={"drift": {"psi": 0.4, "ks": None}}``. A number is the bound from which a drift is
strong (some drift begins at the same part of it as by default, or at half of it); None: this measure never decides.
``{"drift": None}``: none does. Moments and columns declared unique are different in all data: of them only missing values
decide, unless their field sets a bound.
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
    "truth": _CATEGORIES,
    "moment": _CATEGORIES,
    "other": _ANY,
}
KNOWN = tuple(dict.fromkeys(name for names in MEASURES.values() for name in names))
_SOME = 0.5


def size(measure: str, value: float) -> float:
    """Say how large a measure is, whichever way it points: half as many distinct values are as far as twice as many."""
    if measure != "distinct":
        return abs(value)
    return max(value, 1 / value) - 1 if value > 0 else inf


def thresholds_of(column: Column | None, kind: str) -> dict[str, Threshold]:
    """Return the bounds of a column's measures, as sizes: where some and where strong drift begins."""
    timeless = kind != "moment" and not (column is not None and column.unique)
    names = MEASURES[kind] if timeless else _ANY
    found = {n: (size(n, THRESHOLDS[n][0]), size(n, THRESHOLDS[n][1])) for n in names if n in THRESHOLDS}
    declared = {} if column is None else column.metadata.get("drift", {})
    if declared is None:
        return {}
    for measure, bound in declared.items():
        if bound is None:
            found.pop(measure, None)
        else:
            strong = size(measure, bound)
            some, usual = (size(measure, b) for b in THRESHOLDS.get(measure, (_SOME, 1.0)))
            found[measure] = (strong * some / usual, strong)
    return found


def check_thresholds(contract: Contract) -> None:
    """Find bounds of a contract's columns that mean nothing.

    Raises
    ------
    DefinitionError
        If a column's ``drift`` names no measure, one that its kind has not, or sets a bound that is none.
    """
    declared = [column for column in contract.columns if "drift" in column.metadata]
    empty = profile(pl.LazyFrame(schema={c.name: c.dtype for c in declared}), dataset=contract.name)
    for column in declared:
        where, bounds = f"schema {contract.name}, column {column.name!r}, drift", column.metadata["drift"]
        if not isinstance(bounds, Mapping | None):
            raise DefinitionError(f"{where}: {bounds!r} is no table of bounds", hint='say {"psi": 0.25}')
        _check({} if bounds is None else bounds, empty.columns[column.name].kind, where)


def _check(bounds: Mapping[Any, Any], kind: str, where: str) -> None:
    for measure, bound in bounds.items():
        if measure not in KNOWN:
            raise DefinitionError(
                f"{where}: there is no measure {measure!r}", hint=f"known: {', '.join(KNOWN)}"
            )
        if measure not in MEASURES[kind]:
            raise DefinitionError(
                f"{where}: {measure!r} is not measured of a {kind} column",
                hint=f"measured are {', '.join(MEASURES[kind])}",
            )
        if bound is None:
            continue
        if isinstance(bound, bool) or not isinstance(bound, int | float) or not isfinite(bound) or bound <= 0:
            raise DefinitionError(f"{where}: {measure} {bound!r} is no number above 0, nor None")
        if measure == "distinct" and bound <= 1:
            raise DefinitionError(f"{where}: distinct {bound!r} is no ratio above 1")
