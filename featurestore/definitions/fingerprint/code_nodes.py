"""Pieces of code and values as nodes of a closure's graph."""

from __future__ import annotations

import ast
import sys
from collections import deque
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any

from featurestore.definitions.fingerprint.graph import Graph, Node
from featurestore.definitions.fingerprint.installed import distributions_of
from featurestore.definitions.fingerprint.live_code import cells_of, class_file, held_functions, uses_class
from featurestore.definitions.fingerprint.plain_values import CODE_TYPES, Encoder, UnknownValueError, printed
from featurestore.definitions.fingerprint.scopes import ImportTarget

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from featurestore.definitions.fingerprint.homes import Home
    from featurestore.definitions.fingerprint.project_files import ProjectFiles

# Values of constants with such names are not printed: a fingerprint is written into files.
SECRETS = ("credential", "passw", "salt", "secret", "token")


class CodeNodes:
    """Makes nodes; what their code reads is followed by `Closure`.

    Parameters
    ----------
    files
        The project's files.

    Attributes
    ----------
    graph
        The nodes met so far.
    touched
        Files that the nodes come from, and those that imports lead through.
    distributions
        Installed distributions that the nodes use.
    """

    def __init__(self, files: ProjectFiles) -> None:
        self.graph = Graph()
        self.touched: set[Path] = set()
        self.distributions: set[str] = set()
        self._files = files
        self._waiting: deque[Node] = deque()
        self._namespaces: dict[Path, Mapping[str, Any]] = {}

    def _add(self, key: tuple[object, ...], node: Node) -> Node:
        """Add a node of code unless its key is known; what it reads is followed later."""
        if key not in self.graph.nodes:
            self._touch(node.file)
            self.graph.nodes[key] = node
            self._waiting.append(node)
        return self.graph.nodes[key]

    def _statements(
        self, file: Path, name: str, statements: Sequence[ast.stmt], without: frozenset[str] = frozenset()
    ) -> Node:
        form = self._files.source(file).form(statements, without_decorators=without)
        code = any(
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            for node in (*statements, *(inner for s in statements for inner in ast.iter_child_nodes(s)))
        )
        key = (file, *(statement.lineno for statement in statements), without)
        return self._add(key, Node("function" if code else "constant", name, file, form))

    def _whole_module(self, file: Path) -> list[Node]:
        if file.is_dir():
            return []
        source = self._files.source(file)
        form = source.form(source.counted_statements, exact_names=True)
        return [self._add(("module", file), Node("module", "the whole module", file, form))]

    def _callable(self, function: Any, without: frozenset[str] = frozenset()) -> list[Node]:
        """Follow a live function; for a function outside the project, follow the project's functions inside it."""
        file = (
            self._files.owned(function.__code__.co_filename) if isinstance(function, FunctionType) else None
        )
        inner = held_functions(function, owned=file is not None)
        nodes = [self._function(function, file, without)] if file is not None else []
        if isinstance(function, partial):
            self.graph.keywords.update(function.keywords)
        if file is None and isinstance(function, (*CODE_TYPES, partial)):
            self._use(getattr(function, "__module__", None))
        elif file is None and not inner:
            # An object that can be called: its class counts.
            nodes += self._reference(type(function), None)
        return [*nodes, *(node for value in inner for node in self._callable(value, without))]

    def _function(self, function: FunctionType, file: Path, without: frozenset[str]) -> Node:
        code = function.__code__
        self._namespaces.setdefault(file, function.__globals__)
        source = self._files.source(file)
        statement = source.statement_at(code.co_firstlineno)
        outer, _, inner = code.co_qualname.partition(".")
        top_level = getattr(statement, "name", None) == outer
        if statement is not None and top_level and not inner:
            return self._statements(file, outer, [statement], without)
        candidates = source.functions_at(code.co_name, code.co_firstlineno)
        if not candidates:
            return self._whole_module(file)[0]
        name = code.co_qualname.replace(".<locals>", "")
        cells = cells_of(function)
        # Two functions of one factory have the same code and other variables.
        key = (file, code.co_firstlineno, name, without, tuple(map(id, cells.values())))
        known = key in self.graph.nodes
        form = source.form(candidates, without_decorators=without)
        node = self._add(key, Node("function", name, file, form, cells=cells))
        if not known:
            node.links += self._defaults(function, file)
            if top_level and isinstance(statement, ast.ClassDef) and any(map(uses_class, candidates)):
                node.links.append(self._statements(file, outer, [statement]))
        return node

    def _defaults(self, function: FunctionType, file: Path) -> list[Node]:
        """Follow the default values of a nested function: no statement of the module shows them."""
        values = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        name = f"default of {function.__code__.co_name}"
        nodes = [self._value(file, name, value, None) or self._whole_module(file) for value in values]
        return [node for group in nodes for node in group]

    def _value(self, file: Path, name: str, value: Any, home: Home | None) -> list[Node]:
        """Make the node of a plain value; none if the value has no stable text."""
        encoder = Encoder(self._files.root)
        try:
            encoder.write(value)
        except UnknownValueError:
            return []
        key = ("value", file, name, *(() if home else (tuple(encoder.tokens),)))
        if key not in self.graph.nodes:
            text = None if any(word in name.lower() for word in SECRETS) else printed(value, encoder)
            node = Node("constant", name, file, tokens=tuple(encoder.tokens), printed=text)
            self._touch(file)
            self.graph.nodes[key] = node
            for reference in encoder.references:
                node.links += self._reference(reference, file)
        return [self.graph.nodes[key]]

    def _held_code(self, value: Any, file: Path) -> list[Node]:
        """Follow the functions in a container that functions change while they run, such as a registry."""
        items: Iterable[Any] = value.items() if isinstance(value, dict) else ()
        held = [(str(key), item) for key, item in items if isinstance(item, CODE_TYPES)]
        if isinstance(value, list | set | tuple):
            held = [
                (getattr(item, "__qualname__", ""), item) for item in value if isinstance(item, CODE_TYPES)
            ]
        return [n for _, item in sorted(held, key=lambda pair: pair[0]) for n in self._reference(item, file)]

    def _reference(self, value: Any, file: Path | None) -> list[Node]:
        """Follow a function or a class; `file` counts as a whole if a class cannot be found."""
        return self._class(value, file) if isinstance(value, type) else self._callable(value)

    def _class(self, kind: type, file: Path | None) -> list[Node]:
        name = kind.__qualname__.partition(".")[0]
        home = self._class_home(kind, name)
        if home is not None:
            return self._home_nodes(home, name) or self._whole_module(home)
        if kind.__module__ in sys.modules and kind.__module__ != "__main__":
            self._use(kind.__module__)
            return []
        return self._whole_module(file) if file is not None else []

    def _class_home(self, kind: type, name: str) -> Path | None:
        """Find the project's file of a class; None for a class of a library."""
        file = self._files.owned(class_file(kind))
        if file is not None:
            return file
        for known, namespace in self._namespaces.items():
            if namespace.get("__name__") == kind.__module__ and namespace.get(name) is not None:
                return known
        module = sys.modules.get(kind.__module__)
        file = self._files.owned(getattr(module, "__file__", None))
        if module is not None and file is not None:
            self._namespaces.setdefault(file, vars(module))
            return file
        # The module may be loaded from another checkout by now.
        located = self._files.locate(self._files.root / "_", ImportTarget(0, kind.__module__, None))
        return located if located is not None and located.suffix == ".py" else None

    def _home_nodes(self, file: Path, name: str) -> list[Node]:
        statements = self._files.source(file).bindings.get(name)
        return [self._statements(file, name, statements)] if statements else []

    def _know_namespace(self, home: Home, value: Any, importer: Path) -> None:
        """Keep the live namespace of a file, which is recognised by a value that it holds."""
        if home.file in self._namespaces:
            return
        name = self._namespaces.get(importer, {}).get("__name__", "")
        beside = self._files.module_beside(home.file, importer, str(name))
        if beside is not None and vars(beside).get(home.name) is value:
            self._namespaces[home.file] = vars(beside)
            return
        for module in self._files.live_modules.get(str(home.file), ()):
            if vars(module).get(home.name) is value:
                self._namespaces[home.file] = vars(module)
                return

    def _use(self, module: str | None) -> None:
        self.distributions.update(distributions_of((module or "").partition(".")[0]))

    def _touch(self, file: Path) -> None:
        if file not in self.touched:
            self.touched.update({file, *self._files.packages_of(file)})
