"""A contract's checks as one Python function of a row, which confirms a good row in microseconds.

The function covers what Python and Polars decide alike: nulls, finite floats, and Pandera's
built-in checks over plain values. It never calls a row good that Polars would not. Where it returns
False, or does not cover a rule, Polars decides.
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
from featurestore.quality.rules.checks import built_in, check_id
from featurestore.quality.rules.rule_id import RuleId
from featurestore.values.table import integer_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from featurestore.definitions.contract import Column, Contract


@dataclass(frozen=True)
class Predicate:
    """The rules that Python can check.

    Attributes
    ----------
    is_good
        Returns True for a row, a sequence in the order of the contract's columns, that breaks no
        rule in `covers`.
    covers
        The rules that `is_good` checks.
    """

    is_good: Callable[[Sequence[Any]], bool]
    covers: frozenset[RuleId]


def predicate_of(contract: Contract) -> Predicate:
    """Compile the rules of a contract's columns that Python can check; warnings are left out."""
    constants: dict[str, Any] = {"inf": float("inf"), "float32": c_float}
    conditions: list[str] = []
    covers: set[RuleId] = set()
    for i, column in enumerate(contract.columns):
        condition, covered = _condition(column, f"v{i}", constants)
        conditions += [condition] if condition else []
        covers |= covered
    variables = "".join(f"v{i}, " for i in range(len(contract.columns)))
    text = f"def is_good(row):\n    ({variables}) = row\n    return {' and '.join(conditions) or True}"
    exec(text, constants)  # noqa: S102 - the text is ours: values of the contract are in `constants`
    return Predicate(constants["is_good"], frozenset(covers))


def _condition(column: Column, value: str, constants: dict[str, Any]) -> tuple[str, set[RuleId]]:
    """Write the condition that a column's value must meet, and list the rules it covers."""
    missing = f"{value} is None"
    may_be_missing = column.nullable
    tests: list[str] = []
    covers = {RuleId("not_null", (column.name,))}
    if isinstance(column.dtype, pl.Date | pl.Datetime):
        # Each of Python's dates and timestamps is in the years 1 to 9999.
        covers.add(RuleId("dtype", (column.name,), (str(column.dtype),)))
    uncovered = set()
    if column.dtype.is_float():
        covers.add(RuleId("finite", (column.name,)))
        rounded = f"({value} := float32({value}).value)" if column.dtype == pl.Float32 else value
        tests.append(f"-inf < {rounded} < inf")
        if column.metadata.get("nan") == "null":
            missing = f"({missing} or {value} != {value})"
    for check in column.checks:
        if check.raise_warning:
            continue
        rule = check_id(check, column.name)
        test = _Test.of(check, column.dtype, value, constants)
        if test is None:
            uncovered.add(rule)
        else:
            covers.add(rule)
            tests.append(test)
            may_be_missing &= check.ignore_na
    present = " and ".join(tests)
    if may_be_missing:
        return f"({missing} or ({present}))" if present else "", covers - uncovered
    return f"not {missing} and {present}" if present else f"not {missing}", covers - uncovered


@dataclass(frozen=True)
class _Test:
    """A built-in check of a value that is not None, as Python.

    Attributes
    ----------
    arguments
        The arguments of the check.
    value
        The name of the variable that holds the value.
    constants
        The values that the written text refers to, by name.
    """

    arguments: Mapping[str, Any]
    dtype: pl.DataType
    value: str
    constants: dict[str, Any]

    @classmethod
    def of(cls, check: Any, dtype: pl.DataType, value: str, constants: dict[str, Any]) -> str | None:
        """Write a check; None where only Polars can check it."""
        name, arguments = built_in(check)
        return _WRITERS[name](cls(arguments, dtype, value, constants)) if name in _WRITERS else None

    def compared(self, sign: str, argument: str) -> str | None:
        bound = comparable(self.arguments[argument], self.dtype)
        if bound is None or (self.dtype == pl.Boolean and sign not in ("==", "!=")):
            return None
        return f"{self.value} {sign} {self._constant(bound)}"

    def within(self) -> str | None:
        low = self.compared(">=" if self.arguments.get("include_min", True) else ">", "min_value")
        high = self.compared("<=" if self.arguments.get("include_max", True) else "<", "max_value")
        return f"{low} and {high}" if low and high else None

    def among(self, word: str, argument: str) -> str | None:
        members = [comparable(member, self.dtype) for member in self.arguments[argument]]
        # Polars compares members as they are, and does not round them to 32 bits.
        if None in members or self.dtype == pl.Float32:
            return None
        return f"{self.value} {word} {self._constant(frozenset(members))}"

    def has(self, method: str) -> str | None:
        return f"{self.value}.{method}({self._constant(self.arguments['string'])})" if self._text else None

    def length(self) -> str | None:
        exact, minimum, maximum = (
            self.arguments.get(name) for name in ("exact_value", "min_value", "max_value")
        )
        bounds = (minimum or 0, float("inf") if maximum is None else maximum)
        low, high = bounds if exact is None else (exact, exact)
        return f"{self._constant(low)} <= len({self.value}) <= {self._constant(high)}" if self._text else None

    def matches(self, *, anchored: bool) -> str | None:
        pattern = flat_pattern(self.arguments["pattern"], anchored=anchored)
        if pattern is None or not self._text:
            return None
        search = self._constant(re.compile(pattern, re.ASCII).search)
        tests = [f"len({self.value}) <= {MAX_LENGTH}", f"{search}({self.value}) is not None"]
        return " and ".join([*tests, f"{self.value}.isascii()"] if ascii_only(pattern) else tests)

    @property
    def _text(self) -> bool:
        return self.dtype == pl.String

    def _constant(self, constant: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = constant
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


def comparable(bound: Any, dtype: pl.DataType) -> Any:
    """Return a bound that Python compares as Polars does; None where they may differ."""
    if dtype.is_integer():
        low, high = integer_limits(dtype)
        return bound if type(bound) is int and low <= bound <= high else None
    if dtype.is_float():
        if type(bound) not in (int, float) or not isfinite(bound):
            return None
        rounded = c_float(bound).value if dtype == pl.Float32 else float(bound)
        return rounded if isfinite(rounded) and (rounded == bound or type(bound) is float) else None
    if dtype == pl.Datetime("us", "UTC"):
        return bound if isinstance(bound, datetime) and bound.utcoffset() == timedelta(0) else None
    kinds: dict[Any, type] = {pl.String: str, pl.Boolean: bool, pl.Date: date}
    return bound if type(bound) is kinds.get(type(dtype)) else None
