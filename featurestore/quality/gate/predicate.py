"""A contract's checks as one Python function of a row, which says in microseconds that a row is good.

It covers what Python and Polars decide alike: nulls, finite floats, and Pandera's built-in checks over plain values. It
never calls a row good that Polars would not; where it says no, or does not cover a rule, Polars is asked.
"""

from __future__ import annotations

import re
from ctypes import c_float
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.quality.gate.patterns import MAX_LENGTH, ascii_only, flat_pattern
from featurestore.values.table import integer_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from featurestore.definitions.contract import Column, Contract


@dataclass(frozen=True)
class Predicate:
    """What Python can say of a row.

    Attributes
    ----------
    good
        True of a row, a sequence in the order of the contract's columns, that breaks none of the rules in `covers`.
    covers
        Names of rules.
    """

    good: Callable[[Sequence[Any]], bool]
    covers: frozenset[str]


def predicate_of(contract: Contract) -> Predicate:
    """Compile what Python can check of a contract's columns; checks that only warn are left out."""
    constants: dict[str, Any] = {"inf": float("inf"), "float32": c_float}
    conditions: list[str] = []
    covers: set[str] = set()
    for i, column in enumerate(contract.columns):
        condition, names = _condition(column, f"v{i}", constants)
        conditions += [condition] if condition else []
        covers |= names
    variables = "".join(f"v{i}, " for i in range(len(contract.columns)))
    text = f"def good(row):\n    ({variables}) = row\n    return {' and '.join(conditions) or True}"
    exec(text, constants)  # noqa: S102 - our own text: what the contract says is in `constants`
    return Predicate(constants["good"], frozenset(covers))


def _condition(column: Column, value: str, constants: dict[str, Any]) -> tuple[str, set[str]]:
    """Write what must be true of a column's value, and name the rules that this covers."""
    missing, may_be_missing = f"{value} is None", column.nullable
    tests: list[str] = []
    covers, left = {f"{column.name}.not_null"}, set()
    if column.dtype.is_float():
        covers.add(f"{column.name}.finite")
        rounded = f"({value} := float32({value}).value)" if column.dtype == pl.Float32 else value
        tests.append(f"-inf < {rounded} < inf")
        if column.metadata.get("nan") == "null":
            missing = f"({missing} or {value} != {value})"
    for check in column.checks:
        if check.raise_warning:
            continue
        name = f"{column.name}.{check.error or check.name}"
        test = _Test.of(check, column.dtype, value, constants)
        if test is None:
            left.add(name)
        else:
            covers.add(name)
            tests.append(test)
            may_be_missing &= check.ignore_na
    present = " and ".join(tests)
    if may_be_missing:
        return f"({missing} or ({present}))" if present else "", covers - left
    return f"not {missing} and {present}" if present else f"not {missing}", covers - left


@dataclass(frozen=True)
class _Test:
    """A built-in check of a value that is there, as Python."""

    given: Mapping[str, Any]
    dtype: pl.DataType
    value: str
    constants: dict[str, Any]

    @classmethod
    def of(cls, check: Any, dtype: pl.DataType, value: str, constants: dict[str, Any]) -> str | None:
        """Write a check; None where only Polars can tell."""
        name, given = built_in(check)
        return _WRITERS[name](cls(given, dtype, value, constants)) if name in _WRITERS else None

    def compared(self, sign: str, argument: str) -> str | None:
        bound = comparable(self.given[argument], self.dtype)
        if bound is None or (self.dtype == pl.Boolean and sign not in ("==", "!=")):
            return None
        return f"{self.value} {sign} {self._constant(bound)}"

    def within(self) -> str | None:
        low = self.compared(">=" if self.given.get("include_min", True) else ">", "min_value")
        high = self.compared("<=" if self.given.get("include_max", True) else "<", "max_value")
        return f"{low} and {high}" if low and high else None

    def among(self, word: str, argument: str) -> str | None:
        members = [comparable(member, self.dtype) for member in self.given[argument]]
        # Polars compares members as they are, and does not round them to 32 bits.
        if None in members or self.dtype == pl.Float32:
            return None
        return f"{self.value} {word} {self._constant(frozenset(members))}"

    def has(self, method: str) -> str | None:
        return f"{self.value}.{method}({self._constant(self.given['string'])})" if self._text else None

    def length(self) -> str | None:
        exact, least, most = (self.given.get(name) for name in ("exact_value", "min_value", "max_value"))
        low, high = (least or 0, float("inf") if most is None else most) if exact is None else (exact, exact)
        return f"{self._constant(low)} <= len({self.value}) <= {self._constant(high)}" if self._text else None

    def matches(self, *, anchored: bool) -> str | None:
        pattern = flat_pattern(self.given["pattern"], anchored=anchored)
        if pattern is None or not self._text:
            return None
        search = self._constant(re.compile(pattern, re.ASCII).search)
        tests = [f"len({self.value}) <= {MAX_LENGTH}", f"{search}({self.value}) is not None"]
        return " and ".join([*tests, f"{self.value}.isascii()"] if ascii_only(pattern) else tests)

    @property
    def _text(self) -> bool:
        return self.dtype == pl.String

    def _constant(self, found: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = found
        return name


_WRITERS: Final[dict[str, Callable[[_Test], str | None]]] = {
    "equal_to": lambda test: test.compared("==", "value"),
    "not_equal_to": lambda test: test.compared("!=", "value"),
    "greater_than": lambda test: test.compared(">", "min_value"),
    "greater_than_or_equal_to": lambda test: test.compared(">=", "min_value"),
    "less_than": lambda test: test.compared("<", "max_value"),
    "less_than_or_equal_to": lambda test: test.compared("<=", "max_value"),
    "in_range": _Test.within,
    "isin": lambda test: test.among("in", "allowed_values"),
    "notin": lambda test: test.among("not in", "forbidden_values"),
    "str_startswith": lambda test: test.has("startswith"),
    "str_endswith": lambda test: test.has("endswith"),
    "str_length": _Test.length,
    "str_matches": lambda test: test.matches(anchored=True),
    "str_contains": lambda test: test.matches(anchored=False),
}


def built_in(check: Any) -> tuple[str | None, Mapping[str, Any]]:
    """Name a check of Pandera's own, and its arguments; a user's check has no such name."""
    from pandera.api.function_dispatch import Dispatcher  # noqa: PLC0415 - the user's schema has imported Pandera

    function = check._check_fn  # noqa: SLF001 - Pandera has no public name for it
    return function.__name__ if isinstance(function, Dispatcher) else None, check._check_kwargs  # noqa: SLF001


def comparable(bound: Any, dtype: pl.DataType) -> Any:
    """Return what Python compares a value of a dtype with, to decide as Polars does; None where that is not sure."""
    if dtype.is_integer():
        low, high = integer_limits(dtype)
        return bound if type(bound) is int and low <= bound <= high else None
    if dtype.is_float():
        if type(bound) not in (int, float) or not isfinite(bound):
            return None
        found = c_float(bound).value if dtype == pl.Float32 else float(bound)
        return found if isfinite(found) and (found == bound or type(bound) is float) else None
    if dtype == pl.Datetime("us", "UTC"):
        return bound if isinstance(bound, datetime) and bound.utcoffset() == timedelta(0) else None
    kinds: dict[Any, type] = {pl.String: str, pl.Boolean: bool, pl.Date: date}
    return bound if type(bound) is kinds.get(type(dtype)) else None
