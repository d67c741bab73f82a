"""What live functions and classes reveal about their code."""

from __future__ import annotations

import ast
from functools import partial
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from featurestore.definitions.fingerprint.scopes import parameters

if TYPE_CHECKING:
    from featurestore.definitions.fingerprint.scopes import Function


def cells_of(function: Any) -> dict[str, Any]:
    """Return the variables of enclosing functions that a function reads."""
    names = function.__code__.co_freevars
    cells: dict[str, Any] = {}
    for name, cell in zip(names, function.__closure__ or (), strict=True):
        try:
            cells[name] = cell.cell_contents
        except ValueError:  # not filled yet
            continue
    return cells


def uses_class(function: Function) -> bool:
    """Say whether a method reads its class or instance: then the whole class counts."""
    names = {"super", "__class__", *(arg.arg for arg in parameters(function)[:1])}
    return any(isinstance(node, ast.Name) and node.id in names for node in ast.walk(function))


def attributes(value: Any) -> list[Any]:
    """List what an instance of a library holds, such as the function inside Pandera's check."""
    return list(vars(value).values()) if hasattr(value, "__dict__") and not isinstance(value, type) else []


def class_file(kind: type) -> str | None:
    """Return the file of a class, found by its methods; None if it has none."""
    for member in vars(kind).values():
        function = getattr(member, "__func__", member)
        if isinstance(function, FunctionType) and not function.__code__.co_filename.startswith("<"):
            return function.__code__.co_filename if function.__module__ == kind.__module__ else None
    return None


def held_functions(function: Any, *, owned: bool) -> list[Any]:
    """List the functions that a wrapper holds: a partial, a bound method, a cache, a decorated function.

    Parameters
    ----------
    owned
        True for a function of the project: its variables are followed one by one where its code reads them.
    """
    wrapped = getattr(function, "__dict__", {}).get("__wrapped__")
    if isinstance(function, partial):
        values = [function.func, *function.args, *function.keywords.values()]
    elif isinstance(function, MethodType):
        values = [function.__func__]
    elif wrapped is not None:
        values = [wrapped]
    elif isinstance(function, FunctionType) and not owned:
        values = [held for value in cells_of(function).values() for held in (value, *attributes(value))]
    else:
        values = []
    return [value for value in values if callable(value) and not isinstance(value, type)]
