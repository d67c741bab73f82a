"""The closure of code: a function, and everything that it calls or reads in the project's own modules.

Names are followed where Python itself would look: in the namespace of the live function first, then in the statements
and imports of its file. A plain value counts by its value, code counts by its canonical form, and what can be followed
neither way counts by its whole module.
"""

from __future__ import annotations

from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.definitions.fingerprint.code_nodes import CodeNodes
from featurestore.definitions.fingerprint.graph import Node
from featurestore.definitions.fingerprint.homes import Home, Homes, literal
from featurestore.definitions.fingerprint.plain_values import CODE_TYPES, Encoder, printed
from featurestore.definitions.fingerprint.syntax import DEFINITION_DECORATORS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from featurestore.definitions.fingerprint.form import Read
    from featurestore.definitions.fingerprint.scopes import ImportTarget

EFFECTS = "what importing does"
FRAMES = (pl.Expr, pl.LazyFrame, pl.DataFrame, pl.Series)


class Closure(CodeNodes):
    """Follows code from one or more roots: all that it calls and reads becomes nodes of `graph`."""

    def add_function(self, function: Callable[..., Any], *, definition: bool = False) -> list[Node]:
        """Follow a live function from here.

        Parameters
        ----------
        definition
            True for the function of a definition: featurestore's decorators do not count, because timing, keys and
            inputs are counted separately.
        """
        nodes = self._callable(function, DEFINITION_DECORATORS if definition else frozenset())
        self.graph.roots += nodes
        self._drain()
        return nodes

    def encode(self, value: Any) -> tuple[list[str], str | None]:
        """Write a value that a definition declares, and follow the code that it refers to.

        Returns
        -------
        tuple
            The value's tokens, and its printed text where there is one.

        Raises
        ------
        UnknownValueError
            If the value has no text that is the same in every process.
        """
        encoder = Encoder(self._files.root)
        encoder.write(value)
        for reference in encoder.references:
            self.graph.roots += self._reference(reference, None)
        self._drain()
        return encoder.tokens, printed(value, encoder)

    def add_name(self, file: Path, name: str, namespace: Mapping[str, Any] | None = None) -> None:
        """Follow the statements that bind a module-level name."""
        if namespace is not None:
            self._namespaces.setdefault(file, namespace)
        self._touch(file)
        self.graph.roots += self._home_nodes(file, name)
        self._drain()

    def add_import_effects(self) -> None:
        """Follow the code that runs when the modules of the closure, and the modules that they import, are imported."""
        effects: dict[Path, Node] = {}
        while True:
            files = {effect for file in self.touched for effect in self._files.effect_files(file)}
            if files <= effects.keys():
                break
            for file in sorted(files - effects.keys()):
                form = self._files.source(file).form(self._files.source(file).effects)
                effects[file] = self._add(("effects", file), Node("module", EFFECTS, file, form))
            self._drain()
        self.graph.roots += [effects[file] for file in sorted(effects)]

    # Code

    def _drain(self) -> None:
        while self._waiting:
            node = self._waiting.popleft()
            form = node.form
            if form is None:
                continue
            for read in form.reads:
                node.links += self._resolve(node, read)
            for attribute in sorted(form.attributes):
                node.links += self._extension(attribute, node.file)
            if form.opaque and node.kind != "module":
                node.links += self._whole_module(node.file)
            if form.imports_computed:
                for file in self._files.every_file():
                    node.links += self._whole_module(file)

    # Names

    def _resolve(self, node: Node, read: Read) -> list[Node]:
        if read.origin is not None:
            return self._import(node.file, read.origin, read.chain[1:])
        name, *rest = read.chain
        if name in node.cells:
            return self._cell(node, name, node.cells[name], rest)
        namespace = self._namespaces.get(node.file)
        if namespace is not None and name in namespace:
            return self._live(node.file, name, namespace[name], rest)
        return self._static(node.file, name, rest)

    def _cell(self, node: Node, name: str, value: Any, rest: list[str]) -> list[Node]:
        if isinstance(value, ModuleType):
            return self._module(value, rest)
        if isinstance(value, FunctionType | type):
            return self._reference(value, node.file)
        nodes = self._value(node.file, f"{name} of {node.name}", value, None)
        return nodes or self._whole_module(node.file)

    def _live(self, file: Path, name: str, value: Any, rest: Sequence[str]) -> list[Node]:
        if isinstance(value, ModuleType):
            return self._module(value, rest)
        search = self._search(file, name)
        homes = search.places
        for home in homes:
            self._know_namespace(home, value, file)
        changing = any(self._files.source(home.file).changes(home.name, value) for home in homes)
        if not isinstance(value, CODE_TYPES) and not changing:
            home = homes[0] if homes else Home(file, name)
            nodes = self._value(home.file, home.name, value, home)
            if nodes:
                return nodes
        nodes = [node for home in homes for node in self._home_nodes(*home)]
        if changing:
            nodes += self._held_code(value, file)
            nodes += [node for home in homes for node in self._whole_module(home.file)]
        if isinstance(value, CODE_TYPES) or "__wrapped__" in getattr(value, "__dict__", {}):
            nodes += [node for node in self._reference(value, file) if node not in nodes]
        if not homes and not search.foreign and not isinstance(value, FunctionType | type):
            self._use(type(value).__module__)
            nodes += self._whole_module(file)
        return nodes

    def _static(self, file: Path, name: str, rest: Sequence[str]) -> list[Node]:
        """Resolve a name from the statements of its file alone."""
        nodes: list[Node] = []
        source = self._files.source(file)
        for target in source.imports.get(name, ()):
            nodes += self._import(file, target, rest)
        for home in self._search(file, name).places:
            value = literal(self._files.source(home.file).bindings[home.name])
            if value is not None:
                nodes += self._value(*home, value[0], home)
            elif home.file == file or name not in source.imports:
                nodes += self._home_nodes(*home)
        return list(dict.fromkeys(nodes))

    def _search(self, file: Path, name: str) -> Homes:
        search = Homes(self._files, file, name)
        for passed in search.passed:
            self._touch(passed)
        for module in search.foreign:
            self._use(module)
        return search

    # Modules

    def _module(self, module: ModuleType, rest: Sequence[str]) -> list[Node]:
        """Follow attributes taken from a live module; a module used as a value counts as a whole."""
        file = self._files.owned(getattr(module, "__file__", None))
        members = vars(module)
        if file is None:
            if rest and getattr(module, "__file__", None) is None and rest[0] in members:
                value = members[rest[0]]
                if isinstance(value, ModuleType):
                    return self._module(value, rest[1:])
            self._use(module.__name__)
            return []
        self._namespaces.setdefault(file, members)
        self._touch(file)
        if rest and rest[0] in members:
            return self._live(file, rest[0], members[rest[0]], rest[1:])
        return self._static_module(file, rest)

    def _static_module(self, module: Path, rest: Sequence[str]) -> list[Node]:
        if module.is_file():
            self._touch(module)
        if not rest:
            return self._whole_module(module)
        submodule = self._files.submodule(module, rest[0])
        if submodule is not None:
            return self._static_module(submodule, rest[1:])
        if module.is_dir():
            return []
        return self._static(module, rest[0], rest[1:]) or self._whole_module(module)

    def _import(self, file: Path, target: ImportTarget, rest: Sequence[str]) -> list[Node]:
        """Follow an import statement without a live namespace."""
        module = self._files.locate(file, target)
        if module is None:
            self._use(target.module)
            return []
        if target.name == "*":
            return []
        return self._static_module(module, [*([target.name] if target.name else []), *rest])

    def _extension(self, attribute: str, file: Path) -> list[Node]:
        """Follow what a project adds to Polars: registered namespaces and methods set on its classes."""
        nodes: list[Node] = []
        for owner in FRAMES:
            member = vars(owner).get(attribute)
            if isinstance(member, FunctionType) and self._files.owned(member.__code__.co_filename):
                nodes += self._callable(member)
            elif isinstance(namespace := getattr(member, "_ns", None), type):
                nodes += self._reference(namespace, file)
        return nodes
