"""The text of a compiled function, written one assignment at a time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.expressions.runtime import NAMES
from featurestore.values.table import integer_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class UncompiledError(Exception):
    """An expression that has no plain Python function; its text is the reason."""


_COLUMN: Final = object()


@dataclass(frozen=True)
class Value:
    """A value of the row, as the compiled function holds it.

    Dates are days, timestamps and durations are ticks of their unit since 1970-01-01, all others are what Polars
    returns to Python.

    Attributes
    ----------
    text
        The name of the variable, or the constant.
    nullable
        False: it is never None.
    literal
        The value itself, where it is the same in each row.
    """

    text: str
    dtype: pl.DataType
    nullable: bool = True
    literal: Any = _COLUMN

    @property
    def is_literal(self) -> bool:
        """Whether the value is the same in each row."""
        return self.literal is not _COLUMN

    def of(self, dtype: pl.DataType) -> Value:
        """Return the same value under another dtype that holds it in the same form."""
        return replace(self, dtype=dtype)


@dataclass
class Writer:
    """Collects assignments and constants; equal texts are computed once."""

    lines: list[str] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=lambda: dict(NAMES))
    _names: dict[str, str] = field(default_factory=dict)

    def let(self, text: str) -> str:
        """Assign an expression to a variable, and return its name."""
        if text.isidentifier():
            return text
        if text not in self._names:
            self._names[text] = f"t{len(self._names)}"
            self.lines.append(f"{self._names[text]} = {text}")
        return self._names[text]

    def require(self, condition: str) -> None:
        """Leave the row to Polars unless a condition holds."""
        line = f"if not ({condition}): unsure()"
        if line not in self.lines:
            self.lines.append(line)

    def constant(self, value: Any) -> str:
        """Name an object that the function refers to."""
        known = next((name for name, held in self.constants.items() if held is value), None)
        name = known or f"k{len(self.constants)}"
        self.constants[name] = value
        return name

    def literal(self, value: Any, dtype: pl.DataType) -> Value:
        """Return a constant as a value."""
        is_plain = value is None or type(value) in (int, bool) or (type(value) is float and isfinite(value))
        text = repr(value) if is_plain else self.constant(value)
        return Value(f"({text})" if text.startswith("-") else text, dtype, value is None, value)

    def lifted(self, text: str, *inputs: Value, dtype: pl.DataType, nullable: bool = False) -> Value:
        """Return what an expression of inputs is: None where an input is None."""
        missing = " or ".join(dict.fromkeys(f"{value.text} is None" for value in inputs if value.nullable))
        return Value(
            self.let(f"None if {missing} else {text}" if missing else text), dtype, nullable or bool(missing)
        )

    def fitted(self, value: Value) -> Value:
        """Leave the row to Polars where an integer is out of the range of its dtype."""
        low, high = limits(value.dtype)
        within = f"{low} <= {value.text} <= {high}"
        self.require(f"{value.text} is None or {within}" if value.nullable else within)
        return value

    def function(self, results: Sequence[str]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
        """Compile what was written to a function of a row."""
        body = "\n    ".join([*self.lines, f"return ({''.join(f'{name}, ' for name in results)})"])
        names = dict(self.constants)
        exec(f"def compute(row):\n    {body}", names)  # noqa: S102 - the text is ours: values of users are in `constants`
        function: Callable[[Sequence[Any]], tuple[Any, ...]] = names["compute"]
        return function


def limits(dtype: pl.DataType) -> tuple[int, int]:
    """Return the range of the integers that hold a dtype."""
    if isinstance(dtype, pl.Datetime | pl.Duration):
        return integer_limits(pl.Int64())
    return integer_limits(pl.Int32() if isinstance(dtype, pl.Date) else dtype)
