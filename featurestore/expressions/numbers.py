"""Arithmetic, with the widths, the rounding and the division of Polars."""

from __future__ import annotations

import math
import random
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.expressions.conversion import widened
from featurestore.expressions.runtime import float32
from featurestore.expressions.writer import UncompiledError, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from featurestore.expressions.writer import Writer

SIGNS: Final = {"Plus": "+", "Minus": "-", "Multiply": "*"}
ARITHMETIC: Final = (*SIGNS, "TrueDivide", "Divide", "FloorDivide", "Modulus")
_DIVISIONS: Final = frozenset(ARITHMETIC) - SIGNS.keys()
_LIBM: Final[dict[str, tuple[str, Callable[[pl.Expr], pl.Expr]]]] = {
    "Sin": ("sin", pl.Expr.sin),
    "Cos": ("cos", pl.Expr.cos),
    "Tan": ("tan", pl.Expr.tan),
    "ArcSin": ("asin", pl.Expr.arcsin),
    "ArcCos": ("acos", pl.Expr.arccos),
    "ArcTan": ("atan", pl.Expr.arctan),
    "Sinh": ("sinh", pl.Expr.sinh),
    "Cosh": ("cosh", pl.Expr.cosh),
    "Tanh": ("tanh", pl.Expr.tanh),
    "Exp": ("exp", pl.Expr.exp),
    "Log1p": ("log1p", pl.Expr.log1p),
    "Log": ("log", pl.Expr.log),
}
_SAMPLE: Final = 1_000
_MAX_POWER: Final = 3


def arithmetic(writer: Writer, operator: str, left: Value, right: Value, dtype: pl.DataType) -> Value:
    """Write an operation on two numbers whose result has a dtype.

    Raises
    ------
    UncompiledError
        If a side is not a number.
    """
    if not all(side.dtype.is_integer() or side.dtype.is_float() for side in (left, right)):
        raise UncompiledError(f"{operator} of {left.dtype} and {right.dtype}")
    left, right = widened(writer, left, dtype), widened(writer, right, dtype)
    if dtype.is_float() and (unchanged := _beside_zero(writer, operator, left, right, dtype)) is not None:
        return unchanged
    if dtype.is_float():
        return rounded(writer, _float_text(writer, operator, left, right), left, right, dtype=dtype)
    if operator in _DIVISIONS:
        return _integer_division(writer, operator, left, right)
    text = f"{left.text} {SIGNS[operator]} {right.text}"
    return writer.fitted(writer.lifted(text, left, right, dtype=dtype))


def _beside_zero(
    writer: Writer, operator: str, left: Value, right: Value, dtype: pl.DataType
) -> Value | None:
    """Write a sum with a constant zero; None: it is none. Polars returns the other side as it is, also -0.0."""
    if right.is_literal and right.literal == 0 and operator in ("Plus", "Minus"):
        return left
    if left.is_literal and left.literal == 0:
        return right if operator == "Plus" else negated(writer, right, dtype) if operator == "Minus" else None
    return None


def rounded(writer: Writer, text: str, *inputs: Value, dtype: pl.DataType) -> Value:
    """Write the result of one operation on floats, rounded to its width."""
    return writer.lifted(
        f"c_float({text}).value" if dtype == pl.Float32 else f"({text})", *inputs, dtype=dtype
    )


def _float_text(writer: Writer, operator: str, left: Value, right: Value) -> str:
    if operator in SIGNS:
        return f"{left.text} {SIGNS[operator]} {right.text}"
    if operator == "Divide" and not left.dtype.is_float():
        raise UncompiledError("Divide of integers")
    if right.is_literal:
        # Polars divides a column by a constant as it multiplies by the reciprocal.
        if not right.literal or right.literal is None:
            raise UncompiledError("a division by a constant zero")
        single = right.dtype == pl.Float32
        inverse = float32(1 / right.literal) if single else 1 / right.literal
        quotient = f"{left.text} * {writer.literal(inverse, right.dtype).text}"
    else:
        quotient = f"divide({left.text}, {right.text})"
    if operator in ("TrueDivide", "Divide"):
        return quotient
    if right.dtype == pl.Float32:
        quotient = f"c_float({quotient}).value"
    if operator == "FloorDivide":
        return f"floor({quotient})"
    product = f"{right.text} * floor({quotient})"
    return f"{left.text} - {f'c_float({product}).value' if right.dtype == pl.Float32 else product}"


def _integer_division(writer: Writer, operator: str, left: Value, right: Value) -> Value:
    if operator not in ("FloorDivide", "Modulus"):
        raise UncompiledError(f"{operator} of integers")
    sign = "//" if operator == "FloorDivide" else "%"
    if right.is_literal:
        if right.literal == 0:
            raise UncompiledError("a division by a constant zero")
        return writer.fitted(writer.lifted(f"{left.text} {sign} {right.text}", left, dtype=left.dtype))
    text = f"({left.text} {sign} {right.text} if {right.text} else None)"
    return writer.fitted(writer.lifted(text, left, right, dtype=left.dtype, nullable=True))


def function(writer: Writer, name: str, inputs: Sequence[Value], dtype: pl.DataType) -> Value:
    """Write a function of the math library, of a number.

    Raises
    ------
    UncompiledError
        If Python and Polars may round it differently.
    """
    if name not in ("Degrees", "Radians", *_LIBM) or dtype != pl.Float64:
        raise UncompiledError(f"{name} of {inputs[0].dtype}")
    value = widened(writer, inputs[0], dtype)
    if name in ("Degrees", "Radians"):
        factor = 180 / math.pi if name == "Degrees" else math.pi / 180
        return rounded(writer, f"{value.text} * {factor!r}", value, dtype=dtype)
    if not same_libm(name):
        raise UncompiledError(f"{name}, which Python and Polars round differently on this machine")
    text = f"{writer.constant(getattr(math, _LIBM[name][0]))}({value.text})"
    if name == "Log":
        base: Any = inputs[1].literal if len(inputs) > 1 and inputs[1].is_literal else None
        if type(base) not in (int, float) or base <= 1:
            raise UncompiledError("Log to a base that is not a constant above 1")
        text = f"{text} / {math.log(base)!r}"
    return rounded(writer, text, value, dtype=dtype)


def power(writer: Writer, base: Value, exponent: Value, dtype: pl.DataType) -> Value:
    """Write a power with a small whole exponent.

    Raises
    ------
    UncompiledError
        If the exponent is another one.
    """
    count: Any = exponent.literal if exponent.is_literal else None
    if count not in range(1, _MAX_POWER + 1) or base.is_literal:
        raise UncompiledError("a power that is not a constant 1, 2 or 3")
    value = result = widened(writer, base, dtype)
    for _ in range(count - 1):
        result = arithmetic(writer, "Multiply", result, value, dtype)
    return result


def absolute(writer: Writer, value: Value, dtype: pl.DataType) -> Value:
    """Write the distance from zero."""
    result = writer.lifted(f"abs({value.text})", value, dtype=dtype)
    return result if dtype.is_float() else writer.fitted(result)


def negated(writer: Writer, value: Value, dtype: pl.DataType) -> Value:
    """Write the negative."""
    result = writer.lifted(f"-{value.text}", value, dtype=dtype)
    return result if dtype.is_float() else writer.fitted(result)


def clipped(writer: Writer, value: Value, low: Value | None, high: Value | None) -> Value:
    """Write a value between two constant bounds.

    Raises
    ------
    UncompiledError
        If a bound is not a constant of the value's kind.
    """
    text = value.text
    for bound, sign in ((high, ">"), (low, "<")):
        if bound is None:
            continue
        if not bound.is_literal or bound.literal is None:
            raise UncompiledError("clip to a bound that is not a constant")
        if bound.dtype.is_float() and not value.dtype.is_float():
            raise UncompiledError(f"clip of {value.dtype} to {bound.dtype}")
        within = widened(writer, bound, value.dtype)
        text = f"({within.text} if {value.text} {sign} {within.text} else {text})"
    return writer.lifted(text, value, dtype=value.dtype)


def extreme(writer: Writer, inputs: Sequence[Value], dtype: pl.DataType, *, smallest: bool) -> Value:
    """Write the smallest or greatest of several values, without nulls.

    Raises
    ------
    UncompiledError
        If the values are neither numbers nor points in time.
    """
    if not (dtype.is_integer() or dtype.is_float() or dtype.is_temporal()):
        raise UncompiledError(f"the extremes of {dtype}")
    first, *others = (widened(writer, value, dtype) for value in inputs)
    names = ("smaller", "greater") if dtype.is_float() else ("min", "max")
    for later in others:
        both = f"{names[not smallest]}({first.text}, {later.text})"
        text = f"({later.text} if {first.text} is None else {first.text} if {later.text} is None else {both})"
        first = Value(writer.let(text), dtype, first.nullable and later.nullable)
    return first


@lru_cache(maxsize=64)
def same_libm(name: str) -> bool:
    """Return whether Python and Polars compute a function alike on this machine, as far as a sample shows."""
    in_python, in_polars = _LIBM[name]
    generator = random.Random(name)  # noqa: S311 - a sample, the same each time
    sample = [generator.uniform(-1, 1) * 10.0 ** generator.randint(-8, 8) for _ in range(_SAMPLE)]
    results = pl.DataFrame({"x": sample}).select(in_polars(pl.col("x")))["x"].to_list()
    return all(
        result == expected
        for value, result in zip(sample, results, strict=True)
        if (expected := _in_python(getattr(math, in_python), value)) is not None
    )


def _in_python(function_: Callable[[float], float], value: float) -> float | None:
    try:
        return function_(value)
    except (ValueError, OverflowError):
        return None  # the compiled function leaves such a row to Polars
