"""The canonical form of code: what remains when comments, docstrings, layout and local names do not count.

The form is a list of tokens written from the syntax tree, the same under every Python version. Names of globals,
attributes, keywords and all constants stay; a local variable becomes a number. The form also lists what the code reads
from outside, in the order of appearance, so that a closure can follow it.
"""

from __future__ import annotations

import ast
from contextlib import contextmanager
from typing import TYPE_CHECKING

from featurestore.definitions.fingerprint.form import Form, Parameter, Read
from featurestore.definitions.fingerprint.reads import Reads
from featurestore.definitions.fingerprint.scopes import (
    COMPREHENSIONS,
    FUNCTIONS,
    ImportTarget,
    Scope,
    class_scope,
    comprehension_scope,
    function_scope,
    import_targets,
    parameters,
)
from featurestore.definitions.fingerprint.syntax import (
    DEFINITION_DECORATORS,
    decorator_name,
    is_type_checking,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from featurestore.definitions.fingerprint.scopes import Comprehension, Function

# Decorators that do not read annotations. Under any other decorator annotations count.
ANNOTATION_BLIND = DEFINITION_DECORATORS | {
    *("cache", "cached_property", "check", "classmethod", "contextmanager", "dataframe_check", "final"),
    *("lru_cache", "override", "property", "setter", "staticmethod", "wraps"),
}
UNCOUNTED_FIELDS = frozenset({"ctx", "kind", "type_comment", "type_ignores"})


def canonical(
    nodes: Sequence[ast.AST], *, exact_names: bool = False, without_decorators: frozenset[str] = frozenset()
) -> Form:
    """Write the canonical form of statements, or of one lambda.

    Parameters
    ----------
    nodes
        Statements of one module.
    exact_names
        True: names of locals and annotations count, as code that reads ``locals()`` needs.
    without_decorators
        Names of decorators that are left out.
    """
    writer = _Writer(exact_names=exact_names, without_decorators=without_decorators)
    writer.body(nodes)
    return writer.reads.form(writer.tokens)


class _Writer:
    def __init__(self, *, exact_names: bool, without_decorators: frozenset[str]) -> None:
        self.exact_names = exact_names
        self.without_decorators = without_decorators
        self.tokens: list[str] = []
        self.reads = Reads()
        self.scopes: list[Scope] = []

    def body(self, nodes: Sequence[ast.AST]) -> None:
        """Write statements without those that compute nothing."""
        for node in nodes:
            if isinstance(node, ast.Pass) or (
                isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            ):
                continue
            if isinstance(node, ast.If) and is_type_checking(node):
                self.body(node.orelse)
            else:
                self.write(node)

    def write(self, node: ast.AST) -> None:
        special = getattr(self, f"_{type(node).__name__}", None)
        if special is not None:
            special(node)
        elif isinstance(node, FUNCTIONS):
            self._function(node)
        elif isinstance(node, COMPREHENSIONS):
            self._comprehension(node)
        else:
            self._generic(node)

    def _generic(self, node: ast.AST) -> None:
        self.tokens.append(type(node).__name__)
        for name in node._fields:
            if name in UNCOUNTED_FIELDS:
                continue
            value = getattr(node, name, None)
            if value is None or value == []:
                continue
            self.tokens.append(f".{name}")
            if name in {"body", "orelse", "finalbody"} and isinstance(value, list):
                self.body(value)
            elif isinstance(value, list):
                for item in value:
                    self._item(item)
            else:
                self._item(value)
        self.tokens.append(")")

    def _item(self, value: object) -> None:
        if isinstance(value, ast.AST):
            self.write(value)
        else:
            self.tokens.append(repr(value))

    @contextmanager
    def _inside(self, scope: Scope) -> Iterator[None]:
        self.scopes.append(scope)
        yield
        self.scopes.pop()

    def _holder(self, name: str) -> Scope | None:
        """Find the scope that binds a name; None for a global."""
        for scope in reversed(self.scopes):
            if scope.kind == "class" and scope is not self.scopes[-1]:
                continue
            if name in scope.global_names:
                return None
            if name in scope.bound or name in scope.imports:
                return scope
        return None

    def _name(self, name: str, attributes: tuple[str, ...] = (), *, store: bool = False) -> None:
        holder = self._holder(name)
        if holder is not None and name in holder.imports:
            target = holder.imports[name]
            self.tokens.append(f"g:{target.name or target.module}")
            self.reads.add(Read((name, *attributes), target))
        elif holder is None:
            self.tokens.append(f"g:{name}")
            if not (store and not self.scopes):
                self.reads.add(Read((name, *attributes)))
        elif holder.kind == "class" or self.exact_names:
            self.tokens.append(f"n:{name}")
            if holder.kind == "class" and not store:
                self.reads.add(Read((name, *attributes)))
        else:
            self.tokens.append(f"v{holder.depth}:{holder.number(name)}")

    def _Name(self, node: ast.Name) -> None:  # noqa: N802 - named for the node
        self._name(node.id, store=not isinstance(node.ctx, ast.Load))

    def _Attribute(self, node: ast.Attribute) -> None:  # noqa: N802 - named for the node
        names: list[str] = []
        base: ast.expr = node
        while isinstance(base, ast.Attribute):
            names.insert(0, base.attr)
            base = base.value
        self.reads.attributes.update(names)
        self.tokens.append("Attribute")
        if isinstance(base, ast.Name):
            self._name(base.id, tuple(names))
        else:
            self.write(base)
        self.tokens.extend(names)
        self.tokens.append(")")

    def _Constant(self, node: ast.Constant) -> None:  # noqa: N802 - named for the node
        self.tokens.append(f"{type(node.value).__name__}:{node.value!r}")

    def _JoinedStr(self, node: ast.JoinedStr) -> None:  # noqa: N802 - named for the node
        # Versions of Python cut the text between two values in different ways.
        self.tokens.append("JoinedStr")
        text = ""
        for value in node.values:
            if isinstance(value, ast.Constant):
                text += str(value.value)
                continue
            self.tokens.append(repr(text))
            self.write(value)
            text = ""
        self.tokens.extend([repr(text), ")"])

    def _Call(self, node: ast.Call) -> None:  # noqa: N802 - named for the node
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        is_getattr = name == "getattr" and self._holder(name) is None
        if not (is_getattr and self._getattr(node)) and not self._import_module(node):
            self._generic(node)

    def _getattr(self, node: ast.Call) -> bool:
        """Write ``getattr(x, "name", ...)`` like an attribute; a computed name cannot be followed."""
        if (
            len(node.args) > 1
            and isinstance(node.args[1], ast.Constant)
            and isinstance(node.args[1].value, str)
        ):
            self.tokens.append("getattr")
            self.write(ast.Attribute(value=node.args[0], attr=node.args[1].value, ctx=ast.Load()))
            for default in node.args[2:]:
                self.write(default)
            self.tokens.append(")")
            return True
        self.reads.opaque = True
        return False

    def _import_module(self, node: ast.Call) -> bool:
        """Follow ``importlib.import_module("name")``; a computed name cannot be followed."""
        if decorator_name(node) != "import_module":
            return False
        target = node.args[0] if len(node.args) == 1 and not node.keywords else None
        if isinstance(target, ast.Constant) and not str(target.value).startswith("."):
            known = self.reads.imports_computed
            self.reads.all.append(Read((str(target.value),), ImportTarget(0, str(target.value), None)))
            self._generic(node)
            self.reads.imports_computed = known
            return True
        self.reads.imports_computed = True
        return False

    def _keyword(self, node: ast.keyword) -> None:
        self.reads.add_keyword(node.arg)
        self.tokens.append(f"kw:{node.arg}")
        self.write(node.value)

    def _AnnAssign(self, node: ast.AnnAssign) -> None:  # noqa: N802 - named for the node
        if self.exact_names or (self.scopes and self.scopes[-1].kind == "class"):
            self._generic(node)
        elif node.value is not None:
            self.write(ast.Assign(targets=[node.target], value=node.value))

    def _Import(self, node: ast.Import | ast.ImportFrom) -> None:  # noqa: N802 - named for the node
        for name, target in import_targets(node).items():
            holder = self.scopes[-1] if self.scopes else None
            if holder is not None and name not in holder.imports:
                # The name has other bindings as well: follow the import where it stands.
                self.reads.add(Read((name,), target))

    _ImportFrom = _Import

    def _Global(self, _node: ast.Global) -> None:  # noqa: N802 - named for the node
        """Write nothing: the scope knows."""

    _Nonlocal = _Global

    def _bind(self, name: str | None) -> None:
        if name is not None:
            self._name(name, store=True)

    def _ExceptHandler(self, node: ast.ExceptHandler) -> None:  # noqa: N802 - named for the node
        self.tokens.append("ExceptHandler")
        if node.type is not None:
            self.write(node.type)
        self._bind(node.name)
        self.body(node.body)
        self.tokens.append(")")

    def _MatchAs(self, node: ast.MatchAs) -> None:  # noqa: N802 - named for the node
        self.tokens.append("MatchAs")
        if node.pattern is not None:
            self.write(node.pattern)
        self._bind(node.name)
        self.tokens.append(")")

    def _MatchStar(self, node: ast.MatchStar) -> None:  # noqa: N802 - named for the node
        self.tokens.append("MatchStar")
        self._bind(node.name)

    def _MatchMapping(self, node: ast.MatchMapping) -> None:  # noqa: N802 - named for the node
        self.tokens.append("MatchMapping")
        for item in (*node.keys, *node.patterns):
            self.write(item)
        self._bind(node.rest)
        self.tokens.append(")")

    def _ClassDef(self, node: ast.ClassDef) -> None:  # noqa: N802 - named for the node
        self.tokens.append("ClassDef")
        self._bind(node.name)
        for item in (*node.decorator_list, *node.bases, *node.keywords):
            self.write(item)
        with self._inside(class_scope(node, len(self.scopes))):
            self.body(node.body)
        self.tokens.append(")")

    def _function(self, node: Function) -> None:
        self.tokens.append(type(node).__name__)
        args = node.args
        decorators: list[ast.expr] = []
        if not isinstance(node, ast.Lambda):
            self._bind(node.name)
            decorators = [d for d in node.decorator_list if decorator_name(d) not in self.without_decorators]
        for item in (*decorators, *args.defaults):
            self.write(item)
        for default in args.kw_defaults:
            self.tokens.append("required") if default is None else self.write(default)
        if not isinstance(node, ast.Lambda) and (
            self.exact_names or any(decorator_name(d) not in ANNOTATION_BLIND for d in decorators)
        ):
            for annotation in (*(arg.annotation for arg in parameters(node)), node.returns):
                self.tokens.append("untyped") if annotation is None else self.write(annotation)
        with self._inside(function_scope(node, len(self.scopes))):
            self._parameters(node)
            if isinstance(node, ast.Lambda):
                self.write(node.body)
            else:
                self.body(node.body)
        self.tokens.append(")")

    def _parameters(self, node: Function) -> None:
        args = node.args
        scope = self.scopes[-1]
        for arg in parameters(node):
            scope.number(arg.arg)
        starred = [args.vararg] if args.vararg else []
        double_starred = [args.kwarg] if args.kwarg else []
        for group, reachable in (
            (args.posonlyargs, False),
            (args.args, True),
            (starred, False),
            (args.kwonlyargs, True),
            (double_starred, False),
        ):
            self.tokens.append("|")
            for arg in group:
                if self.exact_names:
                    self.tokens.append(arg.arg)
                else:
                    self.tokens.append(Parameter(arg.arg) if reachable else "_")

    def _comprehension(self, node: Comprehension) -> None:
        self.tokens.append(type(node).__name__)
        # The first iterable belongs to the scope around the comprehension.
        self.write(node.generators[0].iter)
        with self._inside(comprehension_scope(node, len(self.scopes))):
            for position, generator in enumerate(node.generators):
                self.tokens.append("async for" if generator.is_async else "for")
                if position:
                    self.write(generator.iter)
                self.write(generator.target)
                for condition in generator.ifs:
                    self.tokens.append("if")
                    self.write(condition)
            if isinstance(node, ast.DictComp):
                self.write(node.key)
                self.write(node.value)
            else:
                self.write(node.elt)
        self.tokens.append(")")
