"""Which columns of a plan hold the result of `rolling` or `group_by_dynamic`, as far as its tree of steps shows.

Such a result is about the time of its row. Served as a feature, it stands until the next row of the key, however old it is then.
The plan is read as the data that Polars serializes it to. Polars itself expands selectors and names columns.
"""

from __future__ import annotations

import io
import json
import warnings
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.expressions.plan import plan_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# The operation that computed a column, by the name of the column.
Rolled = dict[str, str]
_EXPRESSIONS: Final = ("expr", "exprs")
# These hold names, values and dtypes, and no expressions.
_COLUMNS: Final = frozenset({"Column", "Selector"})
_LEAVES: Final = _COLUMNS | {"Field", "Literal"}
_WITH_OWN_ROW: Final = frozenset({"Right", "Both"})


def rolled_columns(plan: pl.LazyFrame, inputs: Sequence[tuple[pl.LazyFrame, Rolled]]) -> Rolled:
    """Return the columns of a plan that depend on the result of a rolling operation.

    Parameters
    ----------
    plan
        What a function returned.
    inputs
        The frames that the function was given, each with its own such columns.

    Returns
    -------
    dict[str, str]
        The name of the operation in Polars, by column; empty if the plan cannot be read.
    """
    steps = plan_tree(plan)
    sources = [(plan_tree(frame), rolled) for frame, rolled in inputs]
    if steps is None or not (any(rolled for _, rolled in sources) or _rolls(steps)):
        return {}
    return _Reader(sources).step(steps)


def _rolls(tree: Any) -> bool:
    if isinstance(tree, list):
        return any(_rolls(part) for part in tree)
    if not isinstance(tree, dict):
        return False
    return any(
        (name in ("Rolling", "RollingExprBy", "rolling", "dynamic") and part is not None) or _rolls(part)
        for name, part in tree.items()
        if name != "df"
    )


class _Reader:
    def __init__(self, sources: list[tuple[Any, Rolled]]) -> None:
        self.sources = sources

    def step(self, step: Any) -> Rolled:
        """Return the rolled columns of the result of a step."""
        matches = [rolled for source, rolled in self.sources if source == step]
        if matches:
            return {column: name for rolled in matches for column, name in rolled.items()}
        [(kind, parts)] = step.items()
        if kind in ("Select", "HStack"):
            return self._columns(kind, parts)
        if kind == "GroupBy":
            return self._group_by(parts)
        if kind == "Join":
            return self._join(step, parts)
        below = {column: name for part in _inputs(parts) for column, name in self.step(part).items()}
        return self._renamed(step, parts, below) if below and kind == "MapFunction" else below

    def _columns(self, kind: str, parts: dict[str, Any]) -> Rolled:
        below = self.step(parts["input"])
        columns = dict(below) if kind == "HStack" else {}
        for expression in parts[_EXPRESSIONS[kind == "HStack"]]:
            names, operations = _Expressions(parts["input"], below).read(expression)
            columns = {name: operation for name, operation in columns.items() if name not in names}
            columns |= operations
        return columns

    def _group_by(self, parts: dict[str, Any]) -> Rolled:
        expressions = _Expressions(parts["input"], self.step(parts["input"]))
        rolling, dynamic = parts["options"]["rolling"], parts["options"]["dynamic"]
        columns: Rolled = {}
        for expression in (*parts["keys"], *parts["aggs"]):
            names, operations = expressions.read(expression)
            if expression in parts["aggs"] and (dynamic or (rolling and not _own_row(expression, rolling))):
                operations = dict.fromkeys(names, "group_by_dynamic" if dynamic else "rolling")
            columns |= operations
        return columns

    def _join(self, step: Any, parts: dict[str, Any]) -> Rolled:
        left, right = self.step(parts["input_left"]), self.step(parts["input_right"])
        if not right:
            return left
        names, suffix = set(_columns_of(parts["input_left"])), parts["options"]["args"]["suffix"] or "_right"
        renamed = {f"{name}{suffix}" if name in names else name: rolled for name, rolled in right.items()}
        of_result = set(_columns_of(step))
        return left | {name: rolled for name, rolled in renamed.items() if name in of_result}

    def _renamed(self, step: Any, parts: dict[str, Any], below: Rolled) -> Rolled:
        function = parts["function"]
        if isinstance(function, dict) and "Rename" in function:
            names = dict(zip(function["Rename"]["existing"], function["Rename"]["new"], strict=True))
            return {names.get(name, name): operation for name, operation in below.items()}
        before, after = _columns_of(parts["input"]), _columns_of(step)
        kept = {name: operation for name, operation in below.items() if name in after}
        # A column that is gone went into the new ones: an unpivoted one, the fields of a struct.
        gone = next((operation for name, operation in below.items() if name not in after), None)
        new = [name for name in after if name not in before] if gone else []
        return kept | {name: str(gone) for name in new}


class _Expressions:
    """Reads expressions over the result of a step."""

    def __init__(self, step: Any, rolled: Rolled) -> None:
        self.step = step
        self.rolled = rolled

    def read(self, expression: Any) -> tuple[list[str], Rolled]:
        """Return the columns that an expression makes, and the rolling operations in them."""
        names = self._names(expression)
        operation = next(self._operations(expression), None)
        if operation is not None:
            return names, dict.fromkeys(names, operation)
        rolled: Rolled = {}
        for selector in _selectors(expression):
            columns = self._names(selector)
            # One column makes one column, or all of them make each.
            pairs = (
                zip(columns, names, strict=True) if len(columns) == len(names) else product(columns, names)
            )
            rolled |= {name: self.rolled[column] for column, name in pairs if column in self.rolled}
        return names, rolled

    def _names(self, expression: Any) -> list[str]:
        return _frame(self.step).select(_expression(expression)).collect_schema().names()

    def _operations(self, expression: Any) -> Iterator[str]:
        for kind, parts in _nodes(expression):
            if kind == "Column" and parts in self.rolled:
                yield self.rolled[parts]
            elif kind == "Rolling" and not _own_row(parts["function"], parts):
                yield "rolling"
            elif kind == "RollingExprBy":
                yield f"rolling_{_name(parts['function_by']).removesuffix('By').lower()}_by"


def _selectors(expression: Any) -> list[Any]:
    return [{kind: parts} for kind, parts in _nodes(expression) if kind == "Selector"]


def _nodes(expression: Any) -> Iterator[tuple[str, Any]]:
    """List the nodes of an expression, each as its kind and its parts."""
    if isinstance(expression, list):
        for part in expression:
            yield from _nodes(part)
    if isinstance(expression, dict):
        for kind, parts in expression.items():
            yield kind, parts
            if kind not in _LEAVES:
                yield from _nodes(parts)


def _own_row(expression: Any, options: dict[str, Any]) -> bool:
    """Return whether an aggregate takes the last value of a window that ends with its row: that of the row."""
    period, offset = ({**options[name], "negative": False} for name in ("period", "offset"))
    if options["closed_window"] not in _WITH_OWN_ROW or period != offset or not options["offset"]["negative"]:
        return False
    while next(iter(expression)) in ("Alias", "Cast"):
        expression = expression["Alias"][0] if "Alias" in expression else expression["Cast"]["expr"]
    return "Agg" in expression and next(iter(expression["Agg"].get("Last", {})), None) in _COLUMNS


def _inputs(parts: dict[str, Any]) -> Iterator[Any]:
    if "input" in parts:
        yield parts["input"]
    yield from parts.get("inputs", ())


def _name(value: Any) -> str:
    return value if isinstance(value, str) else next(iter(value))


def _columns_of(step: Any) -> list[str]:
    return _frame(step).collect_schema().names()


def _frame(step: Any) -> pl.LazyFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pl.LazyFrame.deserialize(io.BytesIO(json.dumps(step).encode()), format="json")


def _expression(expression: Any) -> pl.Expr:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pl.Expr.deserialize(json.dumps(expression).encode(), format="json")
