"""Comparisons, null logic and choices, as Polars decides them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.expressions.conversion import widened
from featurestore.expressions.writer import UncompiledError, Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from featurestore.expressions.writer import Writer

COMPARISONS: Final = {"Eq": "==", "NotEq": "!=", "Lt": "<", "LtEq": "<=", "Gt": ">", "GtEq": ">="}
CLOSED: Final = {
    "Both": ("GtEq", "LtEq"),
    "Left": ("GtEq", "Lt"),
    "Right": ("Gt", "LtEq"),
    "None": ("Gt", "Lt"),
}
_BOOLEAN: Final = pl.Boolean()
_NULL_LOGIC: Final = {"And": ("and", "False", "True"), "Or": ("or", "True", "False")}
_OF_FLOATS: Final = {
    "IsNan": "{0} != {0}",
    "IsNotNan": "{0} == {0}",
    "IsFinite": "-inf < {0} < inf",
    "IsInfinite": "{0} in (inf, -inf)",
}


def compared(writer: Writer, operator: str, left: Value, right: Value) -> Value:
    """Write a comparison of two values of one dtype. NaN equals NaN, and is greater than all numbers."""
    a, b = left.text, right.text
    text = f"{a} {COMPARISONS[operator]} {b}"
    if left.dtype.is_float():
        left_nan, right_nan = (None if v.is_literal else f"{v.text} != {v.text}" for v in (left, right))
        text = _with_nan(operator, text, left_nan, right_nan)
    return writer.lifted(f"({text})", left, right, dtype=_BOOLEAN)


def _with_nan(operator: str, text: str, left: str | None, right: str | None) -> str:
    """Extend the text of a comparison to values that may be NaN; a None is a constant, which is a number."""
    both = f"({left} and {right})" if left and right else None
    if operator == "Eq":
        return f"{text} or {both}" if both else text
    if operator == "NotEq":
        return f"{text} and not {both}" if both else text
    if operator == "GtEq":
        return f"{text} or {left}" if left else text
    if operator == "LtEq":
        return f"{text} or {right}" if right else text
    greater, smaller = (left, right) if operator == "Gt" else (right, left)
    if greater is None:
        return text
    return f"{text} or ({greater} and not {smaller})" if smaller else f"{text} or {greater}"


def compared_with_nulls(writer: Writer, left: Value, right: Value, *, equal: bool) -> Value:
    """Write whether two values are the same, where null is a value."""
    if left.dtype.is_float():
        raise UncompiledError("eq_missing of floats")
    return Value(writer.let(f"{left.text} {'==' if equal else '!='} {right.text}"), _BOOLEAN, nullable=False)


def combined(writer: Writer, operator: str, left: Value, right: Value) -> Value:
    """Write and, or, xor of three-valued logic."""
    if not all(side.dtype == pl.Boolean for side in (left, right)):
        raise UncompiledError(f"{operator} of {left.dtype} and {right.dtype}")
    if operator == "Xor":
        return writer.lifted(f"({left.text} is not {right.text})", left, right, dtype=_BOOLEAN)
    word, decides, otherwise = _NULL_LOGIC[operator]
    a, b = left.text, right.text
    if not left.nullable and not right.nullable:
        return Value(writer.let(f"{a} {word} {b}"), _BOOLEAN, nullable=False)
    text = f"{decides} if {a} is {decides} or {b} is {decides} else None if {a} is None or {b} is None else {otherwise}"
    return Value(writer.let(text), _BOOLEAN)


def chosen(writer: Writer, condition: Value, then: Value, otherwise: Value) -> Value:
    """Write when/then/otherwise; a condition that is null is not met."""
    text = f"{then.text} if {condition.text} else {otherwise.text}"
    return Value(writer.let(text), then.dtype, then.nullable or otherwise.nullable)


def filled(writer: Writer, values: Sequence[Value], dtype: pl.DataType) -> Value:
    """Write the first value that is not null."""
    first, *others = (widened(writer, value, dtype) for value in values)
    for later in others:
        if not first.nullable:
            break
        text = f"{later.text} if {first.text} is None else {first.text}"
        first = Value(writer.let(text), dtype, later.nullable)
    return first


def function(writer: Writer, name: str, value: Value) -> Value:
    """Write a question about one value.

    Raises
    ------
    UncompiledError
        If the question is not known for the dtype.
    """
    if name in ("IsNull", "IsNotNull"):
        text = f"{value.text} is {'' if name == 'IsNull' else 'not '}None"
        return Value(writer.let(text), _BOOLEAN, nullable=False)
    if name == "Not" and value.dtype == pl.Boolean:
        return writer.lifted(f"not {value.text}", value, dtype=_BOOLEAN)
    if name in _OF_FLOATS and value.dtype.is_float():
        return writer.lifted(f"({_OF_FLOATS[name].format(value.text)})", value, dtype=_BOOLEAN)
    raise UncompiledError(f"{name} of {value.dtype}")


def is_member(writer: Writer, value: Value, members: Sequence[Any], inner: pl.DataType) -> Value:
    """Write whether a value is one of constant members, which are in the form that values are held in.

    Raises
    ------
    UncompiledError
        If Python and Polars may compare them differently.
    """
    same_kind = value.dtype == inner or (value.dtype.is_integer() and inner.is_integer())
    if not same_kind or value.dtype.is_float() or None in members:
        raise UncompiledError(f"is_in of {value.dtype} in {inner}, or with a null")
    return writer.lifted(f"{value.text} in {writer.constant(frozenset(members))}", value, dtype=_BOOLEAN)


def replaced(
    writer: Writer, value: Value, pairs: Mapping[Any, Any], old: pl.DataType, default: Value
) -> Value:
    """Write a replacement of constant values by constant values; a null gets the default.

    Raises
    ------
    UncompiledError
        If Python and Polars may compare the values differently.
    """
    same_kind = value.dtype == old or (value.dtype.is_integer() and old.is_integer())
    is_plain = value.dtype.is_integer() or value.dtype in (pl.String, pl.Boolean)
    if not (same_kind and is_plain) or None in pairs or not default.is_literal:
        raise UncompiledError(f"replace_strict of {value.dtype} by {old}, or of a null")
    text = f"{writer.constant(pairs)}.get({value.text}, {default.text})"
    return Value(writer.let(text), default.dtype, default.nullable or None in pairs.values())
