"""Translate a pandas function of assignments and arithmetic to Polars. Other functions are left to a person."""

from __future__ import annotations

import ast
from textwrap import dedent
from typing import Final

from featurestore.quality.profile.suggest import literal

_ARITHMETIC: Final[dict[type[ast.operator], str]] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}


class _NotTranslatedError(Exception):
    """A part of the function has no certain translation."""


def translated(code: str, outputs: dict[str, bool]) -> dict[str, str] | None:
    """Return the Polars expression of each output, as source.

    Parameters
    ----------
    code
        The source of a function with one parameter, a frame of pandas.
    outputs
        The features; True: the feature is a float. Integers overflow and lose nulls in other ways.

    Returns
    -------
    dict or None
        None if a part of the function is not certain to mean the same in Polars: sums, differences and
        products of columns and numbers do. Polars may divide by a number with another rounding.
    """
    try:
        tree = ast.parse(dedent(code))
        [function] = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        expressions = _Translation(function).expressions()
    except (SyntaxError, ValueError, _NotTranslatedError):
        return None
    if set(expressions) != set(outputs) or not all(outputs.values()):
        return None
    return {name: expressions[name] for name in outputs}


def columns_of(code: str) -> frozenset[str]:
    """Return the constant texts of a function: the columns that it reads are among them."""
    nodes = ast.walk(ast.parse(dedent(code)))
    return frozenset(
        node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


class _Translation:
    """One function, statement by statement."""

    def __init__(self, function: ast.FunctionDef) -> None:
        if len(function.args.args) != 1:
            raise _NotTranslatedError
        self._inputs = function.args.args[0].arg
        self._body = function.body
        self._frame = ""
        self._columns: dict[str, str] = {}

    def expressions(self) -> dict[str, str]:
        """Return the expression of each column of the returned frame."""
        for statement in self._body[:-1]:
            self._statement(statement)
        last = self._body[-1]
        if not (
            isinstance(last, ast.Return) and isinstance(last.value, ast.Name) and last.value.id == self._frame
        ):
            raise _NotTranslatedError
        return self._columns

    def _statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Expr(value=ast.Constant(value=str())):
                return
            case ast.Assign(
                targets=[ast.Name(id=name)],
                value=ast.Call(func=ast.Attribute(value=ast.Name(), attr="DataFrame"), args=[], keywords=[]),
            ) if not self._frame and name != self._inputs:
                self._frame = name
            case ast.Assign(
                targets=[ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str(column)))],
                value=value,
            ) if name == self._frame:
                self._columns[column] = self._expression(value)
            case _:
                raise _NotTranslatedError

    def _expression(self, node: ast.expr) -> str:
        match node:
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str(column))):
                if name == self._inputs:
                    return f"pl.col({literal(column)})"
                if name == self._frame and column in self._columns:
                    return f"({self._columns[column]})"
            case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
                return repr(node.value)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return f"({self._expression(left)} {_ARITHMETIC[type(op)]} {self._expression(right)})"
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return f"(-{self._expression(operand)})"
        raise _NotTranslatedError
