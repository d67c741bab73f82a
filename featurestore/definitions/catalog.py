"""The catalog: all definitions of a project, and the graph between them."""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from featurestore.definitions.call import add_place, place, reason
from featurestore.definitions.dataset import Dataset
from featurestore.definitions.entity import Entity
from featurestore.definitions.feature_service import (
    REQUEST,
    FeatureService,
    TrainingSet,
    feature_service,
    with_distinct_names,
)
from featurestore.definitions.feature_view import FeatureView
from featurestore.definitions.fingerprint.loaded import keep_fingerprints
from featurestore.definitions.on_demand import OnDemandFeatureView
from featurestore.definitions.project_modules import (
    LOADING,
    forget,
    import_module,
    local_names,
    missing_module,
    package_of,
)
from featurestore.definitions.source import Source
from featurestore.definitions.vector import fitting_set, tables_of
from featurestore.errors import ConfigError, DefinitionError, FeatureStoreError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import ModuleType

    from featurestore.definitions.contract import Contract
    from featurestore.definitions.feature_view import Selection

Derived: TypeAlias = Dataset | FeatureView
Node: TypeAlias = Source | Dataset | FeatureView
Definition: TypeAlias = (
    Entity | Source | Dataset | FeatureView | OnDemandFeatureView | FeatureService | TrainingSet
)
D = TypeVar("D", bound=Definition)
T = TypeVar("T")

KINDS: dict[type, str] = {
    Entity: "entity",
    Source: "source",
    Dataset: "dataset",
    FeatureView: "feature view",
    OnDemandFeatureView: "on-demand view",
    FeatureService: "feature service",
    TrainingSet: "training set",
}

# The only module of a project that imports Feast. The scan leaves it out.
FEAST_MODULE = "feast_objects"


@dataclass(frozen=True)
class Catalog:
    """All definitions of a project, by name."""

    entities: dict[str, Entity] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    datasets: dict[str, Dataset] = field(default_factory=dict)
    views: dict[str, FeatureView] = field(default_factory=dict)
    on_demand: dict[str, OnDemandFeatureView] = field(default_factory=dict)
    services: dict[str, FeatureService] = field(default_factory=dict)
    training_sets: dict[str, TrainingSet] = field(default_factory=dict)

    @classmethod
    def of(cls, definitions: Iterable[Definition]) -> Catalog:
        """Collect definitions, and check their names and the graph between them.

        Raises
        ------
        DefinitionError
            If two definitions have the same name, two datasets have the same schema, an input has
            no producer, or the graph has a cycle.
        """
        every = list(definitions)
        _refuse_clashes([d for d in every if isinstance(d, Entity)])
        _refuse_clashes([d for d in every if not isinstance(d, Entity)])
        catalog = cls(
            entities=_named(Entity, every),
            sources=_named(Source, every),
            datasets=_named(Dataset, every),
            views=_named(FeatureView, every),
            on_demand=_named(OnDemandFeatureView, every),
            services=_named(FeatureService, every),
            training_sets=_named(TrainingSet, every),
        )
        catalog._check_graph()
        return catalog

    @property
    def nodes(self) -> dict[str, Node]:
        """Sources, datasets and feature views: all definitions that have rows."""
        return {**self.sources, **self.datasets, **self.views}

    def node(self, name: str) -> Node:
        """Return the source, dataset or feature view with a name."""
        return _find("dataset", name, self.nodes)

    def view(self, name: str) -> FeatureView:
        """Return the feature view with a name."""
        return _find("feature view", name, self.views)

    def service(self, name: str) -> FeatureService:
        """Return the feature service with a name."""
        return _find("feature service", name, self.services)

    def requested(
        self, features: str | Sequence[str] | FeatureService, *, full_names: bool = False
    ) -> FeatureService:
        """Return the feature service of a name, or of references: ``view``, ``view:feature``, or a list of them.

        Parameters
        ----------
        full_names
            As of `request`.

        Raises
        ------
        DefinitionError
            If the features are neither text nor a list of text, or the list is empty.
        UnknownNameError
            If a service, view or feature does not exist.
        """
        if isinstance(features, FeatureService):
            return features
        if not isinstance(features, str):
            if not isinstance(features, list | tuple) or not all(isinstance(item, str) for item in features):
                raise DefinitionError(
                    f"features: a {type(features).__name__} is neither the name of a feature service nor a list of names",
                    hint="name a service, or list features as text: 'view:feature' or 'view'",
                )
            if not features:
                raise DefinitionError(
                    "features: none are named",
                    hint="name a service, or list features as text: 'view:feature' or 'view'",
                )
            return self.request(features, full_names=full_names)
        if ":" in features or features in self.views or features in self.on_demand:
            return self.request([features])
        if features not in self.services:
            known = [*self.services, *self.views, *self.on_demand]
            raise UnknownNameError("feature service", features, known)
        return self.services[features]

    def request(
        self,
        references: Sequence[str],
        aliases: Mapping[str, tuple[str, Mapping[str, str]]] | None = None,
        *,
        full_names: bool = False,
    ) -> FeatureService:
        """Make a feature service from references to features.

        Parameters
        ----------
        references
            ``view:feature`` for one feature, or ``view`` for all features of a view, in order.
        aliases
            Additional names of views. For each alias: the view, and the request column of each of
            its keys.
        full_names
            The answer has full names: two views may have features of one name.

        Raises
        ------
        UnknownNameError
            If a view or feature does not exist.
        DefinitionError
            As `feature_service`.
        """
        views: dict[str, FeatureView | Selection | OnDemandFeatureView] = {**self.views, **self.on_demand}
        for alias, (name, keys) in (aliases or {}).items():
            views[alias] = self.view(name).aliased(alias, keys)
        requested: dict[str, list[str]] = {}
        for reference in references:
            name, colon, feature = reference.partition(":")
            name = name.partition("@")[0]  # Feast appends the version of a view
            every = _find("feature view", name, views).feature_names
            requested.setdefault(name, []).extend([feature] if colon else every)
        features = tuple(views[name][tuple(dict.fromkeys(names))] for name, names in requested.items())
        selected = with_distinct_names(features) if full_names else features
        return feature_service(REQUEST, selected, owner=REQUEST)

    def training_set(self, name: str) -> TrainingSet:
        """Return the training set with a name."""
        return _find("training set", name, self.training_sets)

    def producer(self, contract: Contract) -> Node:
        """Return the dataset that has a contract.

        Raises
        ------
        DefinitionError
            If no dataset has it.
        """
        for node in self.nodes.values():
            if node.contract is contract:
                return node
        raise DefinitionError(
            f"no source, dataset or feature view produces schema {contract.name}",
            hint="declare one in the definitions package, or annotate the parameter with another schema",
        )

    def inputs(self, derived: Derived | TrainingSet) -> tuple[Node, ...]:
        """Return the datasets that a definition reads, in the order of its parameters."""
        return tuple(self.producer(contract) for contract in derived.inputs)

    def tables(self, service: FeatureService) -> tuple[Source | Dataset, ...]:
        """Return the sources and datasets that the steps of a service are fitted to, beside the rows of train.

        Raises
        ------
        DefinitionError
            If one is neither a source nor a dataset of the project.
        """
        known: dict[str, Source | Dataset] = {**self.sources, **self.datasets}
        tables = tables_of(service)
        for table in tables:
            if known.get(table.name) is not table:
                raise DefinitionError(
                    f"feature service {service.name!r}: the table {table.name!r} of a step is neither a source nor a dataset "
                    "of the project",
                    hint="declare it in the definitions package; a feature view has a row for each time, so derive a "
                    "dataset with one row for each key",
                )
        return tuple(known[table.name] for table in tables)

    def build_order(self) -> tuple[Derived, ...]:
        """Return datasets and feature views in an order in which each comes after its inputs."""
        derived: dict[str, Derived] = {**self.datasets, **self.views}
        graph = {name: [node.name for node in self.inputs(derived[name])] for name in sorted(derived)}
        order = TopologicalSorter(graph).static_order()
        return tuple(derived[name] for name in order if name in derived)

    def _check_graph(self) -> None:
        owners: dict[Contract, Node] = {}
        for node in self.nodes.values():
            first = owners.setdefault(node.contract, node)
            if first is not node:
                raise DefinitionError(
                    f"{first.name!r} and {node.name!r} both produce schema {node.contract.name}",
                    hint="a schema belongs to one dataset; subclass it for the other",
                )
        for training in self.training_sets.values():
            self.inputs(training)
        for service in self.services.values():
            if service.steps:
                fitting_set(self, service)
            self.tables(service)
        try:
            self.build_order()
        except CycleError as error:
            raise DefinitionError(
                f"datasets depend on each other in a circle: {' -> '.join(error.args[1])}",
                hint="remove one of these inputs, or move what both need to a dataset of its own",
            ) from None


def _named(kind: type[D], definitions: Iterable[Definition]) -> dict[str, D]:
    return {definition.name: definition for definition in definitions if isinstance(definition, kind)}


def _refuse_clashes(definitions: Iterable[Definition]) -> None:
    taken: dict[str, Definition] = {}
    for definition in definitions:
        first = taken.setdefault(definition.name, definition)
        if first is not definition:
            raise DefinitionError(
                f"{KINDS[type(definition)]} {definition.name!r}: a {KINDS[type(first)]} has the same name",
                hint="rename one of them",
            )


def _find(kind: str, name: str, table: dict[str, T]) -> T:
    if not isinstance(name, str):
        raise DefinitionError(
            f"the name of a {kind} is a {type(name).__name__}; expected text", hint="give one name as text"
        )
    if name not in table:
        raise UnknownNameError(kind, name, table)
    return table[name]


def load_catalog(root: Path, definitions: str) -> Catalog:
    """Import the definitions package of a project and collect what its modules define.

    Each call reads the files again. The modules are the project's own: two projects whose packages
    have the same names can be open at once (`featurestore.definitions.project_modules`).

    Parameters
    ----------
    root
        The project's folder.
    definitions
        Name of the package whose modules are scanned.

    Raises
    ------
    ConfigError
        If the project has no such package.
    DefinitionError
        If a module cannot be imported or a definition cannot work.
    """
    if not (root / definitions).is_dir():
        raise ConfigError(
            f"{root}: there is no folder {definitions!r}",
            hint="set [tool.featurestore] definitions in pyproject.toml",
        )
    definitions_by_id: dict[int, Definition] = {}
    with LOADING:
        forget(root)
        for module in _modules(root, definitions):
            for value in vars(module).values():
                if isinstance(value, Definition):
                    definitions_by_id[id(value)] = value
        catalog = Catalog.of(definitions_by_id.values())
        keep_fingerprints(catalog, root)
    return catalog


def _modules(root: Path, package: str) -> Iterator[ModuleType]:
    top = _imported(root, package)
    yield top
    prefix = f"{package_of(root)}."
    # A package that cannot be imported is reported below, by name.
    modules = pkgutil.walk_packages(top.__path__, f"{prefix}{package}.", onerror=lambda _: None)
    for name in sorted(info.name for info in modules):
        if name.rpartition(".")[2] != FEAST_MODULE:
            yield _imported(root, name.removeprefix(prefix))


def _imported(root: Path, module: str) -> ModuleType:
    try:
        return import_module(root, module)
    except FeatureStoreError as error:
        add_place(error)
        raise
    except Exception as error:
        missing = missing_module(error, root)
        raise DefinitionError(
            f"module {module} cannot be imported: {local_names(reason(error), root)}",
            hint=f"see {place(error)}"
            if missing is None
            else f"write {missing.as_posix()}; to draft a schema with featurestore suggest FILE, first remove the import at "
            f"{place(error)}",
        ) from error
