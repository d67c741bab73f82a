"""Whether a plan computes each row from that row only, as far as its tree of expressions shows.

At request time a function sees the rows of one request, in training all rows of a set. An expression that reads other
rows (a mean, a shift, a rank) gives two answers. The plan is read as the data that Polars serializes it to.
"""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.expressions.plan import plan_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

# Steps of a plan, and kinds of expressions, that read or remove other rows.
_STEPS: Final = frozenset({"Distinct", "Filter", "GroupBy", "Slice", "Sort", "SQL", "Union"})
_EXPRESSIONS: Final = frozenset(
    {"Agg", "Explode", "Filter", "Gather", "Over", "Rolling", "Slice", "Sort", "SortBy", "Window"}
)
_FRAME_FUNCTIONS: Final = frozenset({"Hint", "Rename", "Unnest"})
# These hold names, values and dtypes, and no expressions.
_LEAVES: Final = frozenset({"Column", "Field", "Literal", "Selector"})
_ROW_SEPARABLE: Final = "ROW_SEPARABLE"


def operation_on_other_rows(plan: pl.LazyFrame, inputs: pl.LazyFrame) -> str | None:
    """Return the first operation of a plan that reads other rows than its own.

    Parameters
    ----------
    plan
        What a function returned.
    inputs
        The frame that the function was given. Frames of its own are constants, and may be used in any way.

    Returns
    -------
    str or None
        The name of the operation in Polars. None: the plan shows none, or it cannot be read.
    """
    steps, source = plan_tree(plan), plan_tree(inputs)
    if steps is None or source is None:
        return None
    return next(_in_step(steps, source), None)


def _in_step(step: Any, source: Any) -> Iterator[str]:
    if step == source or not _reads(step, source):
        return
    [(kind, parts)] = step.items()
    if kind in _STEPS:
        yield kind
    if kind == "Join" and _reads(parts["input_left"], source) and _reads(parts["input_right"], source):
        yield kind
    if kind == "MapFunction":
        function = parts["function"]
        name = function if isinstance(function, str) else next(iter(function))
        if name not in _FRAME_FUNCTIONS:
            yield name
    for name in ("input", "input_left", "input_right"):
        if name in parts:
            yield from _in_step(parts[name], source)
    for part in parts.get("inputs", ()):
        yield from _in_step(part, source)
    for expression in (*_listed(parts.get("expr")), *_listed(parts.get("exprs"))):
        yield from _in_expression(expression)


def _reads(step: Any, source: Any) -> bool:
    if step == source:
        return True
    if isinstance(step, dict):
        return any(_reads(part, source) for name, part in step.items() if name != "df")
    return isinstance(step, list) and any(_reads(part, source) for part in step)


def _in_expression(expression: Any) -> Iterator[str]:
    if expression == "Len":
        yield "Len"
    if not isinstance(expression, dict):
        return
    for kind, parts in expression.items():
        if kind in _EXPRESSIONS:
            yield next(iter(parts)) if kind == "Agg" else kind
        elif kind in ("Function", "AnonymousFunction"):
            yield from _in_function(kind, parts)
        else:
            for part in _operands(kind, parts):
                yield from _in_expression(part)


def _operands(kind: str, parts: Any) -> list[Any]:
    if kind in _LEAVES:
        return []
    if kind == "Alias":
        return [parts[0]]
    if kind == "Eval":  # what it evaluates are the elements of one row's list
        return [parts["expr"]]
    return [
        element
        for part in (parts.values() if isinstance(parts, dict) else parts)
        for element in _listed(part)
    ]


def _in_function(kind: str, parts: dict[str, Any]) -> Iterator[str]:
    inputs = _listed(parts["input"])
    if kind == "AnonymousFunction":
        if _ROW_SEPARABLE not in parts["options"]["flags"]:
            yield "map_batches"
    else:
        function = parts["function"]
        name = function if isinstance(function, str) else next(iter(function))
        is_callback = (
            isinstance(function, dict) and isinstance(function[name], dict) and "callback" in function[name]
        )
        if not is_callback and not _is_row_separable(parts, inputs):
            nested = function[name] if isinstance(function, dict) else None
            yield f"{name} {nested}" if isinstance(nested, str) else name
    for part in inputs:
        yield from _in_expression(part)


def _is_row_separable(parts: dict[str, Any], inputs: list[Any]) -> bool:
    columns = [
        part if isinstance(part, dict) and "Literal" in part else {"Column": f"c{i}"}
        for i, part in enumerate(inputs)
    ]
    text = json.dumps({"Function": {**parts, "input": columns}})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return pl.Expr.deserialize(text.encode(), format="json").meta.is_row_separable()
        except (pl.exceptions.PolarsError, TypeError, ValueError):
            return True  # Polars cannot tell without the dtypes: `check` compares the results


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
