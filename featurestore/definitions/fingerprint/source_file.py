"""A Python file of the project, parsed once: what it binds, imports, and does when it is imported."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import defaultdict
from functools import cached_property, lru_cache
from types import FunctionType
from typing import TYPE_CHECKING

from featurestore.definitions.fingerprint.canonical import canonical
from featurestore.definitions.fingerprint.scopes import FUNCTIONS, ImportTarget, bound_names, import_targets
from featurestore.definitions.fingerprint.syntax import is_type_checking
from featurestore.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from featurestore.definitions.fingerprint.form import Form
    from featurestore.definitions.fingerprint.scopes import Function

MUTATORS = frozenset(
    [
        "add",
        "append",
        "appendleft",
        "clear",
        "discard",
        "extend",
        "extendleft",
        "insert",
        "move_to_end",
        "pop",
        "popitem",
        "popleft",
        "remove",
        "reverse",
        "setdefault",
        "sort",
        "update",
    ]
)
IMMUTABLE = (type(None), bool, int, float, complex, str, bytes, FunctionType, type)
KEPT_FILES = 512


class SourceFile:
    """The syntax tree of a file and what is known of its top-level statements.

    Parameters
    ----------
    text
        The file's content.

    Attributes
    ----------
    bindings
        For each name the top-level statements that bind it, imports left out.
    imports
        For each name the imports that bind it, anywhere at module level.
    also_run
        Modules that ``import a.b`` runs without binding them.
    effects
        Top-level statements that do more than bind names, such as calls and assignments to attributes.
    """

    def __init__(self, text: str) -> None:
        self.tree = ast.parse(text)
        self.bindings: dict[str, list[ast.stmt]] = defaultdict(list)
        self.imports: dict[str, list[ImportTarget]] = defaultdict(list)
        self.also_run: list[ImportTarget] = []
        self.effects: list[ast.stmt] = []
        self._text = text
        self._functions: dict[tuple[str, int], list[Function]] = {}
        self._forms: dict[tuple[object, ...], Form] = {}
        for statement in self.tree.body:
            self._read_statement(statement)

    def _read_statement(self, statement: ast.stmt) -> None:
        if is_type_checking(statement):
            return
        if isinstance(statement, ast.Import | ast.ImportFrom):
            self._add_imports(statement)
            return
        if isinstance(statement, ast.If | ast.Try | ast.With | ast.For | ast.While):
            for inner in ast.walk(statement):
                if isinstance(inner, ast.Import | ast.ImportFrom):
                    self._add_imports(inner)
        for name in bound_names([statement]):
            self.bindings[name].append(statement)
        if _has_effect(statement):
            self.effects.append(statement)

    def _add_imports(self, node: ast.Import | ast.ImportFrom) -> None:
        for name, target in import_targets(node).items():
            self.imports[name].append(target)
        if isinstance(node, ast.Import):
            self.also_run += [ImportTarget(0, alias.name, None) for alias in node.names]

    def is_text_of(self, path: Path) -> bool:
        """Return whether a file still holds this text."""
        try:
            return _decoded(path.read_bytes()) == self._text
        except (OSError, SyntaxError, ValueError):  # the file is gone, or cannot be decoded
            return False

    @cached_property
    def state_names(self) -> frozenset[str]:
        """Module-level names whose values functions of the file change while they run."""
        names: set[str] = set()
        for function in (node for node in ast.walk(self.tree) if isinstance(node, FUNCTIONS)):
            body = [function.body] if isinstance(function, ast.Lambda) else function.body
            local = bound_names(body) | {
                arg.arg for arg in ast.walk(function.args) if isinstance(arg, ast.arg)
            }
            for node in (inner for statement in body for inner in ast.walk(statement)):
                if isinstance(node, ast.Global):
                    names.update(node.names)
                elif (name := _changed_name(node)) is not None and name not in local:
                    names.add(name)
        return frozenset(names & self.bindings.keys())

    def functions_at(self, name: str, line: int) -> Sequence[Function]:
        """Find the functions of a name whose code starts at a line."""
        if (name, line) not in self._functions:
            self._functions[name, line] = list(_functions_at(self.statement_at(line), name, line))
        return self._functions[name, line]

    def changes(self, name: str, value: object) -> bool:
        """Say whether functions of the file may change a module-level name, or its value in place."""
        if isinstance(value, IMMUTABLE) and "global " not in self._text:
            return False
        # For most files the text gives the answer, without a walk over the tree.
        mentioned = re.search(
            rf"\b{re.escape(name)}\s*[\[.]|\bglobal\b[^\n]*\b{re.escape(name)}\b", self._text
        )
        return mentioned is not None and name in self.state_names

    def statement_at(self, line: int) -> ast.stmt | None:
        """Find the top-level statement that covers a line."""
        for statement in self.tree.body:
            decorators = getattr(statement, "decorator_list", [])
            first = min([statement.lineno, *(decorator.lineno for decorator in decorators)])
            if first <= line <= (statement.end_lineno or first):
                return statement
        return None

    def form(
        self,
        nodes: Sequence[ast.AST],
        *,
        exact_names: bool = False,
        without_decorators: frozenset[str] = frozenset(),
    ) -> Form:
        """Return the canonical form of some of the file's statements, written once."""
        key = (*map(id, nodes), exact_names, without_decorators)
        if key not in self._forms:
            self._forms[key] = canonical(
                nodes, exact_names=exact_names, without_decorators=without_decorators
            )
        return self._forms[key]

    @property
    def counted_statements(self) -> list[ast.stmt]:
        """Top-level statements that count where the module counts as a whole."""
        return [
            s for s in self.tree.body if not isinstance(s, ast.Import | ast.ImportFrom) and not _is_main(s)
        ]


def read_source(path: Path) -> SourceFile:
    """Read and parse a Python file; files of equal content are parsed once per process.

    Raises
    ------
    DefinitionError
        If the file cannot be read or is not valid Python.
    """
    try:
        return _parsed(path.read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        raise DefinitionError(
            f"{path}: the source cannot be read: {error}",
            hint="restore the file; a fingerprint covers the source of all code that a definition calls",
        ) from error


@lru_cache(maxsize=KEPT_FILES)
def _parsed(content: bytes) -> SourceFile:
    return SourceFile(_decoded(content))


def _decoded(content: bytes) -> str:
    # Equal text of another encoding is equal code.
    return content.decode(tokenize.detect_encoding(io.BytesIO(content).readline)[0])


def _is_main(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and any(
        isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(statement.test)
    )


def _has_effect(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return not isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Delete):
        targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
        return any(isinstance(node, ast.Attribute | ast.Subscript) for node in _parts_of(targets))
    if isinstance(statement, ast.If | ast.Try):
        if _is_main(statement) or is_type_checking(statement):
            return False
        return any(_has_effect(inner) for inner in _inner_statements(statement))
    return isinstance(statement, ast.For | ast.While | ast.With | ast.Assert | ast.Raise | ast.Match)


def _parts_of(targets: Sequence[ast.AST | None]) -> Iterator[ast.AST]:
    for target in targets:
        if isinstance(target, ast.Tuple | ast.List):
            yield from _parts_of(target.elts)
        elif target is not None:
            yield target


def _inner_statements(statement: ast.If | ast.Try) -> Iterator[ast.stmt]:
    yield from statement.body
    yield from statement.orelse
    if isinstance(statement, ast.Try):
        yield from statement.finalbody
        for handler in statement.handlers:
            # A handler that raises stops the import; it changes nothing.
            yield from (inner for inner in handler.body if not isinstance(inner, ast.Raise))


def _functions_at(statement: ast.stmt | None, name: str, line: int) -> Iterator[Function]:
    for node in ast.walk(statement) if statement is not None else ():
        if not isinstance(node, FUNCTIONS) or getattr(node, "name", "<lambda>") != name:
            continue
        # Code objects start at the first decorator.
        if min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))]) == line:
            yield node


def _changed_name(node: ast.AST) -> str | None:
    """Return the name whose value a node changes in place."""
    if isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
        return node.value.id if isinstance(node.value, ast.Name) else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
        return node.func.value.id if isinstance(node.func.value, ast.Name) else None
    return None
