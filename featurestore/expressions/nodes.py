"""Write one expression: the tree that Polars serializes it to, node by node."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any, Final

import msgspec
import polars as pl

from featurestore.expressions import logic, numbers, strings, temporal
from featurestore.expressions.boundary import as_held
from featurestore.expressions.conversion import cast, widened
from featurestore.expressions.writer import UncompiledError, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from featurestore.expressions.writer import Writer

_CONSTANT_KINDS: Final = frozenset({"Literal", "BinaryExpr", "Cast", "Alias"})
_ROUNDINGS: Final = {"Floor": "floor", "Ceil": "ceil"}
_WITH_DEFAULT: Final = 4  # inputs of a replacement: the value, the old ones, the new ones, and the default
_LOGIC: Final = frozenset({"And", "Or", "Xor"})
_SAME_VALUE: Final = {"EqValidity": True, "NotEqValidity": False}


class Nodes:
    """Writes expressions over named values.

    Parameters
    ----------
    columns
        The values that the expressions may read, by name.
    functions
        The functions of one value that compute columns, by the name of the column.
    """

    def __init__(
        self,
        writer: Writer,
        columns: Mapping[str, Value],
        schema: pl.Schema,
        functions: Mapping[str, Callable[[Any], Any]],
    ) -> None:
        self._writer, self._columns, self._functions = writer, columns, functions
        self._rows = pl.LazyFrame(schema=schema)

    def value(self, node: Any) -> Value:  # noqa: C901, PLR0911 - one branch for each kind
        """Write an expression.

        Raises
        ------
        UncompiledError
            If a part of it has no plain Python function.
        """
        if _is_constant(node):
            return self._constant(node)
        if not isinstance(node, dict):
            raise UncompiledError(f"{node}")
        [(kind, parts)] = node.items()
        if kind == "Column":
            value = self._columns[parts]
            if value.is_literal:
                raise UncompiledError(f"column {parts!r}, which is constant")
            return value
        if kind == "Alias":
            if parts[1] in self._functions and "AnonymousFunction" in parts[0]:
                return self._called(parts[0], self._functions[parts[1]])
            return self.value(parts[0])
        if kind == "BinaryExpr":
            return self._binary(node, parts)
        if kind == "Ternary":
            values = [self.value(parts[name]) for name in ("predicate", "truthy", "falsy")]
            dtype = self._dtype(node)
            then, otherwise = (widened(self._writer, value, dtype) for value in values[1:])
            return logic.chosen(self._writer, values[0], then, otherwise)
        if kind == "Cast":
            if parts["options"] not in ("Strict", "NonStrict"):
                raise UncompiledError(f"a cast that is {parts['options']}")
            return cast(self._writer, self.value(parts["expr"]), self._dtype(node))
        if kind == "Function":
            return self._function(node, parts["function"], parts["input"])
        raise UncompiledError("a Python function" if kind == "AnonymousFunction" else kind)

    def _called(self, node: Any, function: Callable[[Any], Any]) -> Value:
        [argument] = node["AnonymousFunction"]["input"]
        text = f"{self._writer.constant(function)}({self.value(argument).text})"
        return Value(self._writer.let(text), self._dtype(node))

    def name(self, node: Any) -> str:
        """Return the name of the column that an expression makes."""
        if isinstance(node, dict) and "Alias" in node:
            return str(node["Alias"][1])
        return expression_of(node).meta.output_name()

    def _constant(self, node: Any) -> Value:
        float_literal = _float_literal(node)
        if float_literal is not None:
            return self._writer.literal(*float_literal)
        expression = expression_of(node)
        if tree_of(expression) != node:
            raise UncompiledError("a constant that Polars does not read back as it wrote it")
        try:
            column = pl.select(expression).to_series()
        except pl.exceptions.PolarsError as error:
            raise UncompiledError(f"a constant that fails: {error}") from error
        return self._writer.literal(as_held(column.item(), column.dtype), column.dtype)

    def _dtype(self, node: Any) -> pl.DataType:
        try:
            return self._rows.select(expression_of(node).alias("x")).collect_schema()["x"]
        except pl.exceptions.PolarsError as error:
            raise UncompiledError(f"{error}") from error

    def _binary(self, node: Any, parts: dict[str, Any]) -> Value:
        operator = parts["op"]
        left, right = self.value(parts["left"]), self.value(parts["right"])
        if operator in logic.COMPARISONS:
            left, right = self._comparable(parts, left, right)
            return logic.compared(self._writer, operator, left, right)
        if operator in _SAME_VALUE:
            left, right = self._comparable(parts, left, right)
            return logic.compared_with_nulls(self._writer, left, right, equal=_SAME_VALUE[operator])
        if operator in _LOGIC:
            return logic.combined(self._writer, operator, left, right)
        dtype = self._dtype(node)
        if left.dtype == right.dtype == dtype == pl.String and operator == "Plus":
            return self._writer.lifted(f"{left.text} + {right.text}", left, right, dtype=dtype)
        if dtype.is_temporal():
            return temporal.arithmetic(self._writer, operator, left, right, dtype)
        if operator in numbers.ARITHMETIC:
            return numbers.arithmetic(self._writer, operator, left, right, dtype)
        raise UncompiledError(f"{operator}")

    def _comparable(self, parts: dict[str, Any], left: Value, right: Value) -> tuple[Value, Value]:
        if left.dtype == right.dtype and not isinstance(left.dtype, pl.Null):
            return left, right
        if left.dtype.is_integer() and right.dtype.is_integer():
            return left, right
        both = self._dtype({"BinaryExpr": {**parts, "op": "Plus"}})
        if not both.is_float():
            raise UncompiledError(f"{left.dtype} compared with {right.dtype}")
        return widened(self._writer, left, both), widened(self._writer, right, both)

    def _function(  # noqa: PLR0911 - one for each kind
        self, node: Any, function: Any, inputs: Sequence[Any]
    ) -> Value:
        options: Any
        [(name, options)] = function.items() if isinstance(function, dict) else [(function, None)]
        if name == "Boolean":
            return self._boolean(options, inputs)
        if name == "ReplaceStrict":
            return self._replaced(node, inputs, options["return_dtype"])
        if name == "ArrayExpr" and isinstance(options, dict) and "Get" in options:
            return self._element(*map(self.value, inputs))
        dtype = self._dtype(node)
        values = [self.value(part) for part in inputs]
        first = values[0]
        if name == "StringExpr":
            return strings.function(self._writer, options, values, dtype)
        if name == "TemporalExpr" and len(values) == 1:
            return temporal.function(self._writer, options, first, dtype)
        if name == "ToPhysical" and (first.dtype.is_temporal() or first.dtype.is_integer()):
            return first.of(dtype)
        if name in ("FillNull", "Coalesce"):
            return logic.filled(self._writer, values, dtype)
        if name in ("MinHorizontal", "MaxHorizontal"):
            return numbers.extreme(self._writer, values, dtype, smallest=name == "MinHorizontal")
        return self._number(name, options, values, dtype)

    def _element(self, array: Value, position: Value) -> Value:
        index: Any = position.literal if position.is_literal else None
        if not isinstance(array.dtype, pl.Array) or index not in range(array.dtype.size):
            raise UncompiledError("arr.get at a position that is not a constant inside the array")
        inner = pl.Series(dtype=array.dtype.inner).dtype
        return self._writer.lifted(f"{array.text}[{index}]", array, dtype=inner, nullable=True)

    def _replaced(self, node: Any, inputs: Sequence[Any], return_dtype: Any) -> Value:
        # The lists are constants, and not values of the row: a table of vectors has thousands of them.
        if len(inputs) != _WITH_DEFAULT or not all("Literal" in part for part in inputs[1:3]):
            raise UncompiledError("replace_strict without constants and a default")
        value, default = self.value(inputs[0]), self.value(inputs[-1])
        as_default = {"Cast": {"expr": inputs[-1], "dtype": return_dtype, "options": "NonStrict"}}
        dtype = self._dtype(node if return_dtype is None else as_default)
        old, new = (pl.select(expression_of(part).explode()).to_series() for part in inputs[1:3])
        numbers = new.cast(dtype).to_list()
        held = numbers if dtype.is_float() else [as_held(number, dtype) for number in numbers]
        pairs = dict(zip(old.to_list(), held, strict=True))
        return logic.replaced(self._writer, value, pairs, old.dtype, widened(self._writer, default, dtype))

    def _number(  # noqa: PLR0911 - one for each function
        self, name: str, options: Any, values: list[Value], dtype: pl.DataType
    ) -> Value:
        first = values[0]
        if not (first.dtype.is_integer() or first.dtype.is_float()):
            raise UncompiledError(f"{_label(name, options)} of {first.dtype}")
        if name in _ROUNDINGS or (name == "Round" and options["mode"] == "HalfToEven"):
            if first.dtype.is_integer():
                return first
            call = (
                f"{_ROUNDINGS[name]}({first.text})"
                if name in _ROUNDINGS
                else f"round_apart({first.text}, {options['decimals']})"
            )
            return numbers.rounded(self._writer, call, first, dtype=dtype)
        if name == "Clip":
            bounds = iter(values[1:])
            low = next(bounds) if options["has_min"] else None
            high = next(bounds) if options["has_max"] else None
            return numbers.clipped(self._writer, first, low, high)
        if name == "Abs":
            return numbers.absolute(self._writer, first, dtype)
        if name == "Negate":
            return numbers.negated(self._writer, first, dtype)
        if name == "Pow" and options == "Generic":
            return numbers.power(self._writer, first, values[1], dtype)
        if name == "Pow" and options == "Sqrt":
            value = widened(self._writer, first, dtype)
            return numbers.rounded(self._writer, f"sqrt({value.text})", value, dtype=dtype)
        if name == "Atan2" and dtype == pl.Float64:
            both = [widened(self._writer, value, dtype) for value in values]
            return numbers.rounded(self._writer, f"atan2({both[0].text}, {both[1].text})", *both, dtype=dtype)
        return numbers.function(self._writer, _label(name, options), values, dtype)

    def _boolean(self, function: Any, inputs: Sequence[Any]) -> Value:
        options: Any
        [(name, options)] = function.items() if isinstance(function, dict) else [(function, None)]
        if name == "IsBetween":
            value, low, high = inputs
            first, second = logic.CLOSED[options["closed"]]
            sides = [
                self._binary({}, {"left": value, "op": operator, "right": bound})
                for operator, bound in ((first, low), (second, high))
            ]
            return logic.combined(self._writer, "And", *sides)
        if name == "IsIn" and not options["nulls_equal"] and "Literal" in inputs[1]:
            members = pl.select(expression_of(inputs[1]).explode()).to_series()
            held = [as_held(member, members.dtype) for member in members.to_list()]
            return logic.is_member(self._writer, self.value(inputs[0]), held, members.dtype)
        if len(inputs) != 1:
            raise UncompiledError(f"{name}")
        return logic.function(self._writer, name, self.value(inputs[0]))


def _is_constant(node: Any) -> bool:
    """Return whether an expression is one value, made of literals."""
    if not isinstance(node, dict):
        return False
    [(kind, parts)] = node.items()
    if kind == "Literal":
        return "Series" not in parts and "List" not in (parts.get("Scalar") or ())
    if kind not in _CONSTANT_KINDS:
        return False
    inputs = {"BinaryExpr": ("left", "right"), "Cast": ("expr",), "Alias": (0,)}[kind]
    return all(_is_constant(parts[name]) for name in inputs)


def _float_literal(node: Any) -> tuple[float, pl.DataType] | None:
    """Return a literal of 64 bits as it is written: what Polars reads back differs in the last bit of one in ten."""
    [(kind, parts)] = node.items()
    if kind != "Literal":
        return None
    value = parts["Dyn"].get("Float") if "Dyn" in parts else (parts.get("Scalar") or {}).get("Float64")
    return (value, pl.Float64()) if isinstance(value, float) else None


def _label(name: str, options: Any) -> str:
    """Return the name of a function as Polars writes it: the one inside its group, if there is one."""
    if isinstance(options, str):
        return options
    return f"{name} {next(iter(options))}" if name.endswith("Expr") and isinstance(options, dict) else name


def tree_of(expression: pl.Expr) -> Any:
    """Return the tree that Polars serializes an expression to."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return json.loads(expression.meta.serialize(format="json"))


def expression_of(node: Any) -> pl.Expr:
    """Return the expression that Polars serialized to a tree."""
    with warnings.catch_warnings():
        # Polars may change the form between versions; this project pins one.
        warnings.simplefilter("ignore")
        return pl.Expr.deserialize(msgspec.json.encode(node), format="json")
