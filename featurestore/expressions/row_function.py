"""Compile a plan of expressions to one plain Python function of a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.expressions.boundary import load, unload
from featurestore.expressions.nodes import Nodes, expression_of
from featurestore.expressions.plan import plan_tree
from featurestore.expressions.runtime import NeedsPolarsError
from featurestore.expressions.writer import UncompiledError, Value, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

MAX_REASON_LENGTH: Final = 160


@dataclass(frozen=True)
class RowFunction:
    """A plan as a function of one row.

    Attributes
    ----------
    schema
        The columns that it computes.
    """

    schema: pl.Schema
    _compute: Callable[[Sequence[Any]], tuple[Any, ...]]

    def compute(self, row: Sequence[Any]) -> tuple[Any, ...] | None:
        """Compute a row, whose values are in the order of the inputs, with timestamps in UTC.

        Returns
        -------
        tuple or None
            The values that Polars computes, bit for bit. None: only Polars knows them, or its error.
        """
        try:
            return self._compute(row)
        except (NeedsPolarsError, ArithmeticError, ValueError):
            # An overflow, the logarithm of zero, a date after the year 9999: Polars has rules of its own.
            return None


@dataclass(frozen=True)
class NotCompiled:
    """Why a plan has no plain Python function."""

    reason: str


def row_function(
    build: Callable[[pl.LazyFrame], pl.LazyFrame],
    schema: pl.Schema,
    functions: Mapping[str, Callable[[Any], Any]] | None = None,
) -> RowFunction | NotCompiled:
    """Compile what a function computes from rows of a schema.

    Parameters
    ----------
    build
        Returns the plan for a frame of inputs. It is called twice: a plan that differs, because it has the time in it,
        is not compiled.
    functions
        For columns of the plan that a Python function computes from one other column: the same function of one value.
    """
    inputs = pl.LazyFrame(schema=schema)
    plan, again, source = (plan_tree(frame) for frame in (build(inputs), build(inputs), inputs))
    if plan is None or source is None:
        return NotCompiled("it calls a Python function of its own")
    if plan != again:
        return NotCompiled("it returns another plan at each call")
    writer = Writer()
    try:
        columns = _Plan(writer, source, schema, functions or {}).columns(plan)
        expected = build(inputs).collect_schema()
        if {name: value.dtype for name, value in columns.items()} != dict(expected):
            return NotCompiled(f"its columns are {', '.join(f'{n}: {v.dtype}' for n, v in columns.items())}")
        results = [unload(writer, columns[name]) for name in expected]
    except UncompiledError as error:
        lines = str(error).splitlines() or [""]
        return NotCompiled(lines[0][:MAX_REASON_LENGTH])
    return RowFunction(expected, writer.function(results))


class _Inputs(dict[str, Value]):
    """The columns of the row, each read when the first expression needs it."""

    def __init__(self, writer: Writer, schema: pl.Schema) -> None:
        super().__init__()
        self._writer, self._schema = writer, schema

    def __missing__(self, name: str) -> Value:
        position = self._schema.names().index(name)
        self[name] = load(self._writer, position, name, self._schema[name])
        return self[name]


class _Plan:
    def __init__(
        self, writer: Writer, source: Any, schema: pl.Schema, functions: Mapping[str, Callable[[Any], Any]]
    ) -> None:
        self._writer, self._source, self._schema, self._functions = writer, source, schema, functions
        self._inputs = _Inputs(writer, schema)

    def columns(self, step: Any) -> dict[str, Value]:
        """Write the steps of a plan; returns the columns of the last one."""
        columns, schema = self._step(step)
        return {name: columns[name] for name in schema}

    def _step(self, step: Any) -> tuple[Mapping[str, Value], pl.Schema]:
        if step == self._source:
            return self._inputs, self._schema
        [(kind, parts)] = step.items()
        if kind not in ("Select", "HStack"):
            function = parts.get("function") if isinstance(parts, dict) else None
            raise UncompiledError(f"the step {function if isinstance(function, str) else kind}")
        before, schema = self._step(parts["input"])
        nodes = Nodes(self._writer, before, schema, self._functions)
        computed: dict[str, Value] = {}
        for expression in parts["expr" if kind == "Select" else "exprs"]:
            for name, node in _expanded(expression, schema):
                computed[name or nodes.name(node)] = nodes.value(node)
        if kind == "Select":
            if all(value.is_literal for value in computed.values()):
                raise UncompiledError("a selection of constants only, which has one row")
            return computed, pl.Schema({name: value.dtype for name, value in computed.items()})
        after = pl.Schema({**schema, **{name: value.dtype for name, value in computed.items()}})
        return _Later(before, computed), after


class _Later(dict[str, Value]):
    """Columns after a step: those that it computed, and those from before."""

    def __init__(self, before: Mapping[str, Value], computed: dict[str, Value]) -> None:
        super().__init__(computed)
        self._before = before

    def __missing__(self, name: str) -> Value:
        return self._before[name]


def _expanded(expression: Any, schema: pl.Schema) -> Iterator[tuple[str | None, Any]]:
    """Return the expressions that one selects: a selector alone selects columns as they are."""
    if isinstance(expression, dict) and "Selector" in expression:
        selected = pl.LazyFrame(schema=schema).select(expression_of(expression)).collect_schema()
        yield from ((name, {"Column": name}) for name in selected)
    else:
        yield None, expression
