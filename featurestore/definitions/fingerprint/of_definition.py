"""Fingerprints of the definitions of a catalog, and the files that their code comes from."""

from __future__ import annotations

import ast
import sys
import weakref
from typing import TYPE_CHECKING, Any

import msgspec

from featurestore.definitions.dataset import Dataset
from featurestore.definitions.feature_service import FeatureService, TrainingSet
from featurestore.definitions.fingerprint.closure import Closure
from featurestore.definitions.fingerprint.definition_parts import (
    KINDS,
    contracts_of,
    distributions,
    own_parts,
)
from featurestore.definitions.fingerprint.installed import semantics_part
from featurestore.definitions.fingerprint.parts import Fingerprint, Part, full_digest
from featurestore.definitions.fingerprint.project_files import ProjectFiles, project_root
from featurestore.definitions.fingerprint.recorded import package_parts
from featurestore.definitions.on_demand import OnDemandFeatureView
from featurestore.definitions.source import Source
from featurestore.definitions.vector import tables_of
from featurestore.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from featurestore.definitions.catalog import Catalog
    from featurestore.definitions.feature_view import FeatureView, Selection
    from featurestore.definitions.fingerprint.definition_parts import Fingerprinted
    from featurestore.definitions.fingerprint.source_file import SourceFile

_KEPT: dict[int, tuple[weakref.ref[Catalog], dict[Path, Fingerprints]]] = {}


def fingerprint_of(definition: Fingerprinted, catalog: Catalog, *, root: Path | None = None) -> Fingerprint:
    """Return the fingerprint of a definition: what decides its values.

    It covers the function's code and all that it calls or reads in the project's own modules, constants by value, the
    schema with dtypes, checks and policies, how a source is read, timing, every upstream definition, and the versions
    of the packages that compute. Comments, docstrings, layout, names of local variables, owners, tags and descriptions
    do not count. The digest does not depend on the process, the hash seed, the version of Python, the working
    directory or the place of the checkout.

    Source files are read for the first fingerprint of a catalog, so compute it soon after the catalog is loaded.
    Results are kept for as long as the catalog lives.

    Parameters
    ----------
    definition
        A source, dataset, feature view, on-demand view, feature service or training set of the catalog, or a service
        that `Catalog.request` made.
    catalog
        The catalog that knows the upstream definitions.
    root
        The project's folder. None: the nearest folder above the definition whose pyproject.toml has a table
        ``[tool.featurestore]``.

    Raises
    ------
    DefinitionError
        If a source file cannot be read, or a declared value has no text that is the same in every process.
    """
    return _fingerprints(catalog, root or root_of(definition)).of(definition)


def code_files(definition: Fingerprinted, *, root: Path | None = None) -> tuple[Path, ...]:
    """List the files that decide a definition: those of its fingerprint, and those that declare it.

    A change of the definition's own parts that are code, constants, schema, policy, reader or timing always changes one
    of these files; a change of an upstream definition changes files of that definition. Files of ``__init__.py`` that run
    on import are included; installed packages are not.

    Parameters
    ----------
    root
        As in `fingerprint_of`.

    Returns
    -------
    tuple of Path
        Absolute paths, sorted.
    """
    files = ProjectFiles((root or root_of(definition)).resolve())
    closure = Closure(files)
    own_parts(definition, closure, files)
    closure.add_import_effects()
    # The next lines lead to the statements whose values the parts already hold, such as a schema's constants.
    for part in _declaring(definition, files):
        closure.add_name(*part)
    closure.add_import_effects()
    return tuple(sorted(closure.touched))


def root_of(definition: Fingerprinted) -> Path:
    """Find the folder of the project that a definition belongs to.

    Raises
    ------
    DefinitionError
        If the definition is a service without views, which no file defines.
    """
    if not isinstance(definition, FeatureService):
        return project_root(definition.defined_in)
    for view in _views_of(definition):
        return project_root(view.defined_in)
    raise DefinitionError(
        f"feature service {definition.name!r} has no features, so its project is not known",
        hint="add a feature view, or give the project's folder as root",
    )


class Fingerprints:
    """The fingerprints of one catalog, each computed once.

    Parameters
    ----------
    root
        The project's folder, an absolute path.
    kept
        Returns the fingerprint that a definition has already, or None.

    Attributes
    ----------
    files
        The files that were read for the fingerprints.
    """

    def __init__(
        self,
        catalog: Catalog,
        root: Path,
        *,
        kept: Callable[[Fingerprinted], Fingerprint | None] = lambda _: None,
    ) -> None:
        self._kept = kept
        self._catalog = weakref.proxy(catalog)
        self.files = ProjectFiles(root)
        self._known: dict[int, tuple[Fingerprinted, Fingerprint]] = {}

    def of(self, definition: Fingerprinted) -> Fingerprint:
        """Return the fingerprint of one definition."""
        key = id(definition)
        if key not in self._known:
            # Keeping the definition keeps its id from being used again.
            self._known[key] = (definition, self._kept(definition) or self._compute(definition))
        return self._known[key][1]

    def _compute(self, definition: Fingerprinted) -> Fingerprint:
        closure = Closure(self.files)
        declared = own_parts(definition, closure, self.files)
        closure.add_import_effects()
        packages = {*distributions(definition), *closure.distributions}
        declared += [semantics_part(), *package_parts(packages, self.files.root)]
        direct = [self.of(upstream) for upstream in self._direct(definition)]
        links = [
            Part(kind="upstream", name=fingerprint.name, digest=fingerprint.digest) for fingerprint in direct
        ]
        kind = KINDS[type(definition)]
        return Fingerprint(
            digest=full_digest([kind, definition.name, closure.graph.digest(), *_counted(declared, links)]),
            kind=kind,
            name=definition.name,
            parts=(*declared, *closure.graph.parts(self.files.relative), *links),
            upstream=_every_upstream(direct),
        )

    def _direct(self, definition: Fingerprinted) -> Iterator[Fingerprinted]:
        """List the definitions that one reads directly, in the order in which it declares them."""
        if isinstance(definition, OnDemandFeatureView):
            yield from _views(definition.sources)
        elif isinstance(definition, FeatureService):
            yield from _views(definition.selections)
            # A selection of an on-demand view's features is a copy of the view.
            yield from (self._catalog.on_demand.get(view.name, view) for view in definition.on_demand)
            yield from (table for table in tables_of(definition) if isinstance(table, Source | Dataset))
        elif not isinstance(definition, Source):
            yield from self._catalog.inputs(definition)
            if isinstance(definition, TrainingSet):
                yield definition.service


def _views(selections: Iterable[Selection]) -> Iterator[Fingerprinted]:
    yield from {id(selection.view): selection.view for selection in selections}.values()


def _views_of(service: FeatureService) -> list[FeatureView | OnDemandFeatureView]:
    return [*(selection.view for selection in service.selections), *service.on_demand]


def _counted(declared: Iterable[Part], links: Iterable[Part]) -> Iterator[str]:
    # The order in which checks are declared decides nothing; the order of inputs does.
    for part in (
        *sorted(declared, key=lambda part: (part.kind, part.schema, part.name, part.digest)),
        *links,
    ):
        yield from (part.kind, part.schema, part.name, part.digest)


def _every_upstream(direct: Iterable[Fingerprint]) -> tuple[Fingerprint, ...]:
    upstream: dict[tuple[str, str], Fingerprint] = {}
    for fingerprint in direct:
        for definition in (*fingerprint.upstream, fingerprint):
            upstream.setdefault(
                (definition.kind, definition.name), msgspec.structs.replace(definition, upstream=())
            )
    return tuple(upstream.values())


def _fingerprints(catalog: Catalog, root: Path) -> Fingerprints:
    key = id(catalog)
    if key not in _KEPT or _KEPT[key][0]() is not catalog:
        weakref.finalize(catalog, _KEPT.pop, key, None)
        _KEPT[key] = (weakref.ref(catalog), {})
    return _KEPT[key][1].setdefault(root, Fingerprints(catalog, root))


def _declaring(
    definition: Fingerprinted, files: ProjectFiles
) -> Iterator[tuple[Path, str, Mapping[str, Any] | None]]:
    """Find the statements that declare a definition and its schemas: the file, the name, the live namespace."""
    if isinstance(definition, FeatureService):
        for view in _views_of(definition):
            yield from _declaring(view, files)
        return
    file = files.owned(str(definition.defined_in))
    if file is not None:
        yield from ((file, name, None) for name in _names_of(definition, files.source(file)))
    for contract in contracts_of(definition):
        for model in contract.model.__mro__:
            module = sys.modules.get(model.__module__)
            path = files.owned(getattr(module, "__file__", None))
            if path is not None:
                yield path, model.__qualname__.partition(".")[0], vars(module)


def _names_of(definition: Fingerprinted, source: SourceFile) -> list[str]:
    """List the names whose statements declare a definition; for one made by a factory, every name of the file."""
    if isinstance(definition, Source):
        names = sorted(name for name, group in source.bindings.items() if _says(group, definition.name))
    else:
        names = [definition.name] if definition.name in source.bindings else []
    return names or sorted(source.bindings)


def _says(statements: Iterable[ast.stmt], text: str) -> bool:
    """Return whether statements contain a text as a constant."""
    nodes = (node for statement in statements for node in ast.walk(statement))
    return any(isinstance(node, ast.Constant) and node.value == text for node in nodes)
