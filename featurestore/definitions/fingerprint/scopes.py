"""Scopes of Python code: which names a function binds, and which names it imports."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Comprehension: TypeAlias = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class ImportTarget(NamedTuple):
    """What an import statement binds to a name.

    Attributes
    ----------
    level
        Number of leading dots; 0 for an absolute import.
    module
        The module's dotted name, without the dots.
    name
        The name taken from the module; None where the module itself is bound.
    """

    level: int
    module: str
    name: str | None


@dataclass
class Scope:
    """One function, comprehension or class body while its canonical form is written.

    Attributes
    ----------
    numbers
        For each name met so far, the number that replaces it.
    imports
        Names that only import statements bind.
    """

    kind: Literal["function", "class"]
    depth: int
    bound: set[str] = field(default_factory=set)
    global_names: set[str] = field(default_factory=set)
    nonlocal_names: set[str] = field(default_factory=set)
    imports: dict[str, ImportTarget] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)

    def number(self, name: str) -> int:
        """Return the number of a name, in the order of first use."""
        return self.numbers.setdefault(name, len(self.numbers))


def import_targets(node: ast.Import | ast.ImportFrom) -> dict[str, ImportTarget]:
    """Return what an import statement binds, by name; a star import binds ``"*"``."""
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        return {
            alias.asname or alias.name: ImportTarget(node.level, module, alias.name) for alias in node.names
        }
    return {
        alias.asname or alias.name.partition(".")[0]: ImportTarget(
            0, alias.name if alias.asname else alias.name.partition(".")[0], None
        )
        for alias in node.names
    }


def parameters(node: Function) -> list[ast.arg]:
    """List the parameters of a function in the order of its signature."""
    args = node.args
    starred = [args.vararg] if args.vararg else []
    double_starred = [args.kwarg] if args.kwarg else []
    return [*args.posonlyargs, *args.args, *starred, *args.kwonlyargs, *double_starred]


def function_scope(node: Function, depth: int) -> Scope:
    """Collect the names that a function binds."""
    scope = Scope("function", depth, bound={arg.arg for arg in parameters(node)})
    collector = _Binder(scope)
    for statement in [node.body] if isinstance(node, ast.Lambda) else node.body:
        collector.visit(statement)
    return _settled(scope)


def class_scope(node: ast.ClassDef, depth: int) -> Scope:
    """Collect the names that a class body binds."""
    scope = Scope("class", depth)
    collector = _Binder(scope)
    for statement in node.body:
        collector.visit(statement)
    return _settled(scope)


def comprehension_scope(node: Comprehension, depth: int) -> Scope:
    """Collect the names that the ``for`` clauses of a comprehension bind."""
    scope = Scope("function", depth)
    collector = _Binder(scope)
    for generator in node.generators:
        collector.visit(generator.target)
    return scope


def bound_names(statements: Iterable[ast.AST]) -> set[str]:
    """Collect the names that statements bind where they stand, imports left out."""
    scope = Scope("class", 0)
    collector = _Binder(scope)
    for statement in statements:
        collector.visit(statement)
    return scope.bound


def _settled(scope: Scope) -> Scope:
    elsewhere = scope.global_names | scope.nonlocal_names
    scope.imports = {
        name: target
        for name, target in scope.imports.items()
        if name not in scope.bound and name not in elsewhere
    }
    scope.bound -= elsewhere
    return scope


class _Binder(ast.NodeVisitor):
    """Collects bindings of one scope; does not enter functions, classes and comprehensions."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.scope.bound.add(node.id)

    def visit_Import(self, node: ast.Import) -> None:
        self.scope.imports |= import_targets(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.scope.imports |= import_targets(node)

    def visit_Global(self, node: ast.Global) -> None:
        self.scope.global_names.update(node.names)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self.scope.nonlocal_names.update(node.names)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self.scope.bound.add(node.name)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        if node.name:
            self.scope.bound.add(node.name)
        self.generic_visit(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name:
            self.scope.bound.add(node.name)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        if node.rest:
            self.scope.bound.add(node.rest)
        self.generic_visit(node)

    def generic_visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            self.scope.bound.add(node.name)
        elif isinstance(node, COMPREHENSIONS):
            # An assignment expression inside a comprehension binds in the scope around it.
            for inner in ast.walk(node):
                if isinstance(inner, ast.NamedExpr) and isinstance(inner.target, ast.Name):
                    self.scope.bound.add(inner.target.id)
        elif not isinstance(node, ast.Lambda):
            super().generic_visit(node)
