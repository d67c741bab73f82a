"""The values that a column's contract allows and refuses, decided in plain Python, apart from the gate."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import chain, product
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.errors import ContractError
from featurestore.quality.rules.checks import built_in
from featurestore.testing.edges import edge_values, float32, neighbours, ordinary_values
from featurestore.testing.patterns import matching_texts
from featurestore.values.accepted import value_check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from random import Random

    from featurestore.definitions.contract import Column

MAX_MATCHES: Final = 12
MAX_LISTED: Final = 40


@dataclass(frozen=True)
class Domain:
    """The values of a column, without nulls, that cases are made of.

    Attributes
    ----------
    allowed
        Values that keep the contract.
    refused
        Values that break it. Empty where the rules of the column only warn.
    is_complete
        False where checks of the user's own decide too: some of `allowed` may break them.
    """

    allowed: tuple[Any, ...]
    refused: tuple[Any, ...]
    is_complete: bool


def domain_of(column: Column, random: Random, *, ordinary: bool = False) -> Domain:
    """Collect values at the edges of a column's dtype and at the bounds of its checks, and decide on each.

    Parameters
    ----------
    ordinary
        True: add values that are at no edge. Keys need many values.
    """
    known = [check for check in column.checks if is_known(check)]
    candidates: dict[str, Any] = {}
    for value in (
        *_from_checks(column, random),
        *edge_values(column.dtype),
        *(ordinary_values(column.dtype, random) if ordinary else ()),
    ):
        if _fits(column.dtype, value):
            candidates.setdefault(repr(value), value)
    candidates |= _not_finite(column.dtype)
    allowed: list[Any] = []
    refused: list[Any] = []
    for value in candidates.values():
        kept = keeps(column, value)
        if kept is not None:
            (allowed if kept else refused).append(value)
    only_warns = column.severity == "warning" or any(check.raise_warning for check in column.checks)
    return Domain(
        tuple(allowed), () if only_warns else tuple(refused), is_complete=len(known) == len(column.checks)
    )


def _not_finite(dtype: pl.DataType) -> dict[str, Any]:
    values = {"nan": math.nan, "inf": math.inf}
    if dtype.is_float():
        return values
    if isinstance(dtype, pl.List | pl.Array) and pl.Series(dtype=dtype.inner).dtype.is_float():
        size = dtype.size if isinstance(dtype, pl.Array) else 2
        return {name: [value, *([1.0] * (size - 1))] for name, value in values.items()}
    return {}


def held(column: Column, value: Any) -> Any:
    """Return a value as it stands after the gate: a fraction is rounded once, and NaN may become null."""
    if value is None:
        return None
    if isinstance(column.dtype, pl.List | pl.Array):
        inner = pl.Series(dtype=column.dtype.inner).dtype
        return [held(replace(column, dtype=inner), element) for element in value]
    if not isinstance(value, float):
        return value
    if math.isnan(value):
        return None if column.metadata.get("nan") == "null" else value
    return float32(value) if isinstance(column.dtype, pl.Float32) and math.isfinite(value) else value


def keeps(column: Column, value: Any) -> bool | None:
    """Return whether a value keeps the known checks of a column; None where plain Python cannot tell."""
    gated = held(column, value)
    if gated is None:
        return column.nullable
    floats = gated if isinstance(gated, list) else [gated]
    if any(isinstance(value, float) and not math.isfinite(value) for value in floats):
        return False
    try:
        return all(_passes(check, column.dtype, gated) for check in column.checks if is_known(check))
    except (TypeError, re.error):
        return None


def _fits(dtype: pl.DataType, value: Any) -> bool:
    try:
        value_check("value", "value", dtype)(value)
    except ContractError:
        return False
    return True


def is_known(check: Any) -> bool:
    """Return whether plain Python decides a check."""
    kind, _ = built_in(check)
    return kind in _CHECKS and check.ignore_na and not check.raise_warning


def _passes(check: Any, dtype: pl.DataType, value: Any) -> bool:
    kind, arguments = built_in(check)
    if isinstance(dtype, pl.Float32):
        # A literal beside a column of Float32 is a Float32.
        arguments = {
            name: float32(bound) if isinstance(bound, float) else bound for name, bound in arguments.items()
        }
    return bool(_CHECKS[str(kind)](value, arguments))


def _from_checks(column: Column, random: Random) -> Iterator[Any]:
    parts: dict[str, tuple[str, ...]] = {}
    for check in column.checks:
        kind, arguments = built_in(check)
        if kind in ("str_matches", "str_contains"):
            parts[kind] = matching_texts(str(arguments["pattern"]), random, MAX_MATCHES)
        elif kind in ("str_startswith", "str_endswith"):
            parts[kind] = (str(arguments["string"]),)
        elif kind == "str_length":
            yield from _lengths(arguments)
        elif kind in _CHECKS:
            yield from _bounds(column.dtype, arguments)
    yield from chain.from_iterable(parts.values())
    # Values that keep several of these checks at once, and values that break one of them by a letter.
    order = ("str_startswith", "str_matches", "str_contains", "str_endswith")
    for joined in map("".join, product(*(parts[kind] for kind in order if kind in parts))) if parts else ():
        yield from (joined, f"{joined}a", f"a{joined}", joined[:-1], joined[1:])


def _bounds(dtype: pl.DataType, arguments: Mapping[str, Any]) -> Iterator[Any]:
    for bound in arguments.values():
        listed = isinstance(bound, frozenset | set | list | tuple)
        for value in sorted(bound, key=repr)[:MAX_LISTED] if listed else (bound,):
            if not isinstance(value, bool) or isinstance(dtype, pl.Boolean):
                yield from (_in_dtype(dtype, value), *neighbours(dtype, value))


def _in_dtype(dtype: pl.DataType, value: Any) -> Any:
    if dtype.is_float() and isinstance(value, int | float):
        return float(value)
    if isinstance(dtype, pl.Decimal) and isinstance(value, int | float):
        return Decimal(str(value))
    return int(value) if dtype.is_integer() and isinstance(value, float) and math.isfinite(value) else value


def _lengths(arguments: Mapping[str, Any]) -> Iterator[str]:
    exact = arguments.get("exact_value")
    for limit in (arguments.get("min_value"), arguments.get("max_value"), exact):
        if limit is not None:
            for length in {max(limit - 1, 0), limit, limit + 1}:
                # Letters of several bytes: the length is that of the text, not of its bytes.
                yield from ("a" * length, "\u00e9" * length)


def _length_passes(value: str, arguments: Mapping[str, Any]) -> bool:
    exact, low, high = (arguments.get(name) for name in ("exact_value", "min_value", "max_value"))
    if exact is not None:
        return len(value) == int(exact)
    return (low is None or len(value) >= int(low)) and (high is None or len(value) <= int(high))


def _range_passes(value: Any, arguments: Mapping[str, Any]) -> bool:
    low, high = arguments["min_value"], arguments["max_value"]
    above = value >= low if arguments.get("include_min", True) else value > low
    below = value <= high if arguments.get("include_max", True) else value < high
    return bool(above and below)


_CHECKS: Final[dict[str, Callable[[Any, Mapping[str, Any]], Any]]] = {
    "equal_to": lambda value, a: value == a["value"],
    "not_equal_to": lambda value, a: value != a["value"],
    "greater_than": lambda value, a: value > a["min_value"],
    "greater_than_or_equal_to": lambda value, a: value >= a["min_value"],
    "less_than": lambda value, a: value < a["max_value"],
    "less_than_or_equal_to": lambda value, a: value <= a["max_value"],
    "in_range": _range_passes,
    "isin": lambda value, a: value in a["allowed_values"],
    "notin": lambda value, a: value not in a["forbidden_values"],
    "str_matches": lambda value, a: re.match(a["pattern"], value),
    "str_contains": lambda value, a: re.search(a["pattern"], value),
    "str_startswith": lambda value, a: value.startswith(a["string"]),
    "str_endswith": lambda value, a: value.endswith(a["string"]),
    "str_length": _length_passes,
}
