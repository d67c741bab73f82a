"""The closure of code: a function, and everything that it calls or reads in the project's own modules.

Names are followed where Python itself would look: in the namespace of the live function first, then in the statements
and imports of its file. A plain value counts by its value, code counts by its canonical form, and what can be followed
neither way counts as the whole module: never silently less.
"""

from __future__ import annotations

import ast
import sys
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from featurestore.definitions.fingerprint.installed import distributions_of
from featurestore.definitions.fingerprint.parts import Part, full_digest, part_digest
from featurestore.definitions.fingerprint.plain_values import CODE_TYPES, Encoder, UnknownValueError, printed
from featurestore.definitions.fingerprint.scopes import ImportTarget, parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from featurestore.definitions.fingerprint.canonical import Form, Read
    from featurestore.definitions.fingerprint.parts import PartKind
    from featurestore.definitions.fingerprint.project_files import ProjectFiles
    from featurestore.definitions.fingerprint.scopes import Function

DEFINITION_DECORATORS = frozenset({"dataset", "feature_view", "on_demand_feature_view", "training_set"})
SECRETS = ("credential", "passw", "salt", "secret", "token")
FRAMES = (pl.Expr, pl.LazyFrame, pl.DataFrame, pl.Series)


class Home(NamedTuple):
    """Where a module-level name is bound: the file, and the name that it has there."""

    file: Path
    name: str


@dataclass(eq=False)
class Node:
    """One piece of code, or one value, of a closure.

    Attributes
    ----------
    form
        The canonical form of code; None for a value.
    tokens
        The text of a value.
    cells
        Variables of enclosing functions, by name.
    links
        What it reads, in the order of appearance.
    """

    kind: PartKind
    name: str
    file: Path
    form: Form | None = None
    tokens: tuple[str, ...] = ()
    printed: str | None = None
    cells: Mapping[str, Any] = field(default_factory=dict)
    links: list[Node] = field(default_factory=list)


class Closure:
    """Follows code from one or more roots.

    Parameters
    ----------
    files
        The project's files.

    Attributes
    ----------
    touched
        Files that the closure's code, values and imports come from.
    distributions
        Installed distributions that the closure's code uses.
    keywords
        Names by which parameters may be reached; `add` what is called from elsewhere.
    """

    def __init__(self, files: ProjectFiles) -> None:
        self._files = files
        self._nodes: dict[tuple[object, ...], Node] = {}
        self._waiting: deque[Node] = deque()
        self._namespaces: dict[Path, Mapping[str, Any]] = {}
        self.roots: list[Node] = []
        self.touched: set[Path] = set()
        self.distributions: set[str] = set()
        self.keywords: set[str] = set()

    # Roots

    def add_function(self, function: Callable[..., Any], *, definition: bool = False) -> list[Node]:
        """Follow a live function from here.

        Parameters
        ----------
        definition
            True for the function of a definition: featurestore's decorators do not count, because timing, keys and
            inputs count by themselves.
        """
        nodes = self._callable(function, DEFINITION_DECORATORS if definition else frozenset())
        self.roots += nodes
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
            self.roots += self._reference(reference, None)
        self._drain()
        return encoder.tokens, printed(value, encoder)

    def add_name(self, file: Path, name: str, namespace: Mapping[str, Any] | None = None) -> None:
        """Follow the statements that bind a module-level name."""
        if namespace is not None:
            self._namespaces.setdefault(file, namespace)
        self._touch(file)
        self.roots += self._home_nodes(file, name)
        self._drain()

    def add_import_effects(self) -> None:
        """Follow what the modules of the closure, and the modules that they import, do when they are imported."""
        seen: set[Path] = set()
        effects: list[Node] = []
        waiting = sorted(self.touched)
        while waiting:
            file = waiting.pop(0)
            if file in seen:
                continue
            seen.add(file)
            source = self._files.source(file)
            if source.effects:
                self._touch(file)
                form = source.form(source.effects)
                effects.append(self._node(("effects", file), "module", "import statements", file, form))
                self._drain()
            waiting += sorted({*self._imported_files(file), *self.touched} - seen)
        self.roots += effects

    # Results

    @property
    def parts(self) -> list[Part]:
        """The closure's parts, each once."""
        keywords, every = self._reachable_names()
        return [
            Part(
                kind=node.kind,
                name=node.name,
                digest=self._digest(node, keywords, every=every),
                where=self._files.relative(node.file),
                value=node.printed,
            )
            for node in self._nodes.values()
        ]

    @property
    def digest(self) -> str:
        """Digest the closure as a graph from its roots: file names do not count, what each name leads to does."""
        keywords, every = self._reachable_names()
        numbers: dict[Node, int] = {}
        order: deque[Node] = deque()

        def number(node: Node) -> str:
            if node not in numbers:
                numbers[node] = len(numbers)
                order.append(node)
            return str(numbers[node])

        tokens = [number(node) for node in self.roots]
        while order:
            node = order.popleft()
            tokens += [node.kind, self._digest(node, keywords, every=every), *map(number, node.links), ";"]
        return full_digest(tokens)

    def _digest(self, node: Node, keywords: frozenset[str], *, every: bool) -> str:
        if node.form is None:
            return part_digest(node.tokens)
        return node.form.digest(keywords, every_keyword=every)

    def _reachable_names(self) -> tuple[frozenset[str], bool]:
        forms = [node.form for node in self._nodes.values() if node.form is not None]
        names = self.keywords.union(*(form.keywords for form in forms))
        return frozenset(names), any(form.expands_keywords for form in forms)

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

    def _node(
        self,
        key: tuple[object, ...],
        kind: PartKind,
        name: str,
        file: Path,
        form: Form,
        cells: Mapping[str, Any] | None = None,
    ) -> Node:
        if key not in self._nodes:
            self._touch(file)
            self._nodes[key] = Node(kind, name, file, form, cells=cells or {})
            self._waiting.append(self._nodes[key])
        return self._nodes[key]

    def _statements(
        self, file: Path, name: str, statements: Sequence[ast.stmt], without: frozenset[str] = frozenset()
    ) -> Node:
        form = self._files.source(file).form(statements, without_decorators=without)
        code = any(
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            for node in (*statements, *(inner for s in statements for inner in ast.iter_child_nodes(s)))
        )
        key = (file, *(statement.lineno for statement in statements), without)
        return self._node(key, "function" if code else "constant", name, file, form)

    def _whole_module(self, file: Path) -> list[Node]:
        if file.is_dir():
            return []
        source = self._files.source(file)
        form = source.form(source.counted_statements, exact_names=True)
        return [self._node(("module", file), "module", "the whole module", file, form)]

    def _callable(self, function: Any, without: frozenset[str] = frozenset()) -> list[Node]:
        """Follow a live function; of a function that is not the project's, the project's functions inside it."""
        file = (
            self._files.owned(function.__code__.co_filename) if isinstance(function, FunctionType) else None
        )
        inner = self._held_functions(function, owned=file is not None)
        nodes = [self._function(function, file, without)] if file is not None else []
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
        top_level = statement is not None and getattr(statement, "name", None) == outer
        if top_level and not inner:
            return self._statements(file, outer, [statement], without)
        candidates = source.functions_at(code.co_name, code.co_firstlineno)
        if not candidates:
            return self._whole_module(file)[0]
        name = code.co_qualname.replace(".<locals>", "")
        cells = _cells(function)
        # Two functions of one factory have the same code and other variables.
        key = (file, code.co_firstlineno, name, without, tuple(map(id, cells.values())))
        known = key in self._nodes
        form = source.form(candidates, without_decorators=without)
        node = self._node(key, "function", name, file, form, cells)
        if not known:
            node.links += self._defaults(function, file)
            if top_level and isinstance(statement, ast.ClassDef) and any(map(_uses_class, candidates)):
                node.links.append(self._statements(file, outer, [statement]))
        return node

    def _held_functions(self, function: Any, *, owned: bool) -> list[Any]:
        """List the functions that a wrapper holds."""
        wrapped = getattr(function, "__dict__", {}).get("__wrapped__")
        if isinstance(function, partial):
            values = [function.func, *function.args, *function.keywords.values()]
            self.keywords.update(function.keywords)
        elif isinstance(function, MethodType):
            values = [function.__func__]
        elif wrapped is not None:
            values = [wrapped]
        elif isinstance(function, FunctionType) and not owned:
            values = [held for value in _cells(function).values() for held in (value, *_attributes(value))]
        else:
            values = []
        return [value for value in values if callable(value) and not isinstance(value, type)]

    def _defaults(self, function: FunctionType, file: Path) -> list[Node]:
        """Follow the default values of a nested function: no statement of the module shows them."""
        values = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        name = f"default of {function.__code__.co_name}"
        return [node for value in values for node in self._value(file, name, value, None)]

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
        if value is not None and isinstance(value, CODE_TYPES):
            return self._reference(value, node.file)
        nodes = self._value(node.file, f"{name} of {node.name}", value, None)
        return nodes or self._whole_module(node.file)

    def _live(self, file: Path, name: str, value: Any, rest: Sequence[str]) -> list[Node]:
        if isinstance(value, ModuleType):
            return self._module(value, rest)
        homes, foreign = self._homes(file, name)
        for home in homes:
            self._know_namespace(home, value)
        changing = any(home.name in self._files.source(home.file).state_names for home in homes)
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
        elif not homes and not foreign:
            self._use(type(value).__module__)
            nodes += self._whole_module(file)
        return nodes

    def _value(self, file: Path, name: str, value: Any, home: Home | None) -> list[Node]:
        """Make the node of a plain value; none if the value has no stable text."""
        encoder = Encoder(self._files.root)
        try:
            encoder.write(value)
        except UnknownValueError:
            return []
        key = ("value", file, name, *(() if home else (tuple(encoder.tokens),)))
        if key not in self._nodes:
            text = None if any(word in name.lower() for word in SECRETS) else printed(value, encoder)
            node = Node("constant", name, file, tokens=tuple(encoder.tokens), printed=text)
            self._touch(file)
            self._nodes[key] = node
            for reference in encoder.references:
                node.links += self._reference(reference, file)
        return [self._nodes[key]]

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
        if not isinstance(value, type):
            return self._callable(value)
        module = sys.modules.get(value.__module__)
        owned = self._files.owned(_file_of(value) or getattr(module, "__file__", None))
        if owned is None:
            if module is None:
                return self._whole_module(file) if file is not None else []
            self._use(value.__module__)
            return []
        if module is not None and getattr(module, "__file__", None) == str(owned):
            self._namespaces.setdefault(owned, vars(module))
        return self._home_nodes(owned, value.__qualname__.partition(".")[0]) or self._whole_module(owned)

    def _home_nodes(self, file: Path, name: str) -> list[Node]:
        statements = self._files.source(file).bindings.get(name)
        return [self._statements(file, name, statements)] if statements else []

    def _static(self, file: Path, name: str, rest: Sequence[str]) -> list[Node]:
        """Resolve a name from the statements of its file alone."""
        nodes: list[Node] = []
        source = self._files.source(file)
        for target in source.imports.get(name, ()):
            nodes += self._import(file, target, rest)
        for home in self._homes(file, name)[0]:
            value = _literal(self._files.source(home.file).bindings[home.name])
            if value is not None:
                nodes += self._value(*home, value[0], home)
            elif home.file == file or name not in source.imports:
                nodes += self._home_nodes(*home)
        return list(dict.fromkeys(nodes))

    def _homes(
        self, file: Path, name: str, seen: frozenset[tuple[Path, str]] = frozenset()
    ) -> tuple[list[Home], bool]:
        """Find the statements that bind a name, through imports, and whether an import leaves the project."""
        if (file, name) in seen:
            return [], False
        seen |= {(file, name)}
        source = self._files.source(file)
        homes = [Home(file, name)] if name in source.bindings else []
        foreign = False
        targets = [(target, target.name) for target in source.imports.get(name, ())]
        if not homes and not targets:
            targets = [(target, name) for target in source.imports.get("*", ())]
        for target, original in targets:
            module = self._files.locate(file, target)
            if module is None:
                self._use(target.module)
                foreign = foreign or target.name != "*"
            elif original is not None and module.is_file():
                self._touch(module)
                further, leaves = self._homes(module, original, seen)
                homes += further
                foreign = foreign or leaves
        for home in homes:
            self._touch(home.file)
        return list(dict.fromkeys(homes)), foreign

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

    def _imported_files(self, file: Path) -> list[Path]:
        source = self._files.source(file)
        imported: set[Path] = set(self._files.packages_of(file))
        for target in (*(t for targets in source.imports.values() for t in targets), *source.also_run):
            module = self._files.locate(file, target)
            if module is None:
                continue
            submodule = self._files.submodule(module, target.name) if target.name else None
            for path in (module, submodule):
                if path is not None and path.is_file():
                    imported |= {path, *self._files.packages_of(path)}
        return sorted(imported)

    def _know_namespace(self, home: Home, value: Any) -> None:
        """Remember the live namespace of a file, recognised by a value that it holds."""
        if home.file in self._namespaces:
            return
        for module in list(sys.modules.values()):
            if getattr(module, "__file__", None) == str(home.file) and vars(module).get(home.name) is value:
                self._namespaces[home.file] = vars(module)
                return

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

    def _use(self, module: str | None) -> None:
        self.distributions.update(distributions_of((module or "").partition(".")[0]))

    def _touch(self, file: Path) -> None:
        if file not in self.touched:
            self.touched.update({file, *self._files.packages_of(file)})


def _cells(function: Any) -> dict[str, Any]:
    names = function.__code__.co_freevars
    cells: dict[str, Any] = {}
    for name, cell in zip(names, function.__closure__ or (), strict=True):
        try:
            cells[name] = cell.cell_contents
        except ValueError:  # not filled yet
            continue
    return cells


def _uses_class(function: Function) -> bool:
    """Say whether a method reads its class or instance: then the whole class counts."""
    names = {"super", "__class__", *(arg.arg for arg in parameters(function)[:1])}
    return any(isinstance(node, ast.Name) and node.id in names for node in ast.walk(function))


def _attributes(value: Any) -> list[Any]:
    """List what an instance of a library holds, such as the function inside Pandera's check."""
    return list(vars(value).values()) if hasattr(value, "__dict__") and not isinstance(value, type) else []


def _file_of(kind: type) -> str | None:
    for member in vars(kind).values():
        function = getattr(member, "__func__", member)
        if isinstance(function, FunctionType) and not function.__code__.co_filename.startswith("<"):
            return function.__code__.co_filename if function.__module__ == kind.__module__ else None
    return None


def _literal(statements: Sequence[ast.stmt]) -> tuple[Any] | None:
    """Return the value that one assignment of a literal binds, in a tuple."""
    statement = statements[0]
    simple = isinstance(statement, ast.Assign | ast.AnnAssign) and len(statements) == 1
    targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
    if not simple or len(targets) != 1 or not isinstance(targets[0], ast.Name) or statement.value is None:  # type: ignore[attr-defined]
        return None
    try:
        return (ast.literal_eval(statement.value),)  # type: ignore[attr-defined]
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
