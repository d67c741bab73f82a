"""The catalog: all definitions of a project, found by scanning its modules, and the graph between them."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from featurestore.definitions.call import place, reason
from featurestore.definitions.dataset import Dataset
from featurestore.definitions.entity import Entity
from featurestore.definitions.feature_service import FeatureService, TrainingSet, feature_service
from featurestore.definitions.feature_view import FeatureView
from featurestore.definitions.on_demand import OnDemandFeatureView
from featurestore.definitions.source import Source
from featurestore.errors import ConfigError, DefinitionError, FeatureStoreError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import ModuleType

    from featurestore.definitions.contract import Contract
    from featurestore.definitions.feature_view import Selection

Derived: TypeAlias = Dataset | FeatureView
Node: TypeAlias = Source | Dataset | FeatureView
Definition: TypeAlias = (
    Entity | Source | Dataset | FeatureView | OnDemandFeatureView | FeatureService | TrainingSet
)
D = TypeVar("D", bound=Definition)
Found = TypeVar("Found")

KINDS: dict[type, str] = {
    Entity: "entity",
    Source: "source",
    Dataset: "dataset",
    FeatureView: "feature view",
    OnDemandFeatureView: "on-demand view",
    FeatureService: "feature service",
    TrainingSet: "training set",
}

# The one module of a project that speaks Feast; scanning it would import Feast.
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
        """Collect definitions, refusing two of one name and edges that lead nowhere.

        Raises
        ------
        DefinitionError
            If two definitions share a name or two datasets a schema, an input has no producer, or the graph has
            a cycle.
        """
        found = list(definitions)
        _refuse_clashes([d for d in found if isinstance(d, Entity)])
        _refuse_clashes([d for d in found if not isinstance(d, Entity)])
        catalog = cls(
            entities=_named(Entity, found),
            sources=_named(Source, found),
            datasets=_named(Dataset, found),
            views=_named(FeatureView, found),
            on_demand=_named(OnDemandFeatureView, found),
            services=_named(FeatureService, found),
            training_sets=_named(TrainingSet, found),
        )
        catalog._check_graph()
        return catalog

    @property
    def nodes(self) -> dict[str, Node]:
        """Sources, datasets and feature views: everything that holds rows."""
        return {**self.sources, **self.datasets, **self.views}

    def node(self, name: str) -> Node:
        """Find a dataset of any kind by name."""
        return _find("dataset", name, self.nodes)

    def view(self, name: str) -> FeatureView:
        """Find a feature view by name."""
        return _find("feature view", name, self.views)

    def service(self, name: str) -> FeatureService:
        """Find a feature service by name."""
        return _find("feature service", name, self.services)

    def request(
        self, references: Sequence[str], aliases: Mapping[str, tuple[str, Mapping[str, str]]] | None = None
    ) -> FeatureService:
        """Bind features asked for one by one, as ``view:feature``, or all of a view by its name.

        Parameters
        ----------
        references
            Names of features, in order.
        aliases
            Further names of views: for each the view, and the columns given for its keys.

        Raises
        ------
        UnknownNameError
            If there is no such view or feature.
        """
        views: dict[str, FeatureView | Selection | OnDemandFeatureView] = {**self.views, **self.on_demand}
        for alias, (name, keys) in (aliases or {}).items():
            views[alias] = self.view(name).aliased(alias, keys)
        asked: dict[str, list[str]] = {}
        for reference in references:
            name, _, feature = reference.partition(":")
            name = name.partition("@")[0]  # Feast names versions so
            known = _find("feature view", name, views).feature_names
            asked.setdefault(name, []).extend([feature] if feature else known)
        features = tuple(views[name][tuple(dict.fromkeys(names))] for name, names in asked.items())
        return feature_service("request", features, owner="request")

    def training_set(self, name: str) -> TrainingSet:
        """Find a training set by name."""
        return _find("training set", name, self.training_sets)

    def producer(self, contract: Contract) -> Node:
        """Find the dataset that keeps a contract."""
        for node in self.nodes.values():
            if node.contract is contract:
                return node
        raise DefinitionError(
            f"no source, dataset or feature view produces schema {contract.name}",
            hint="declare one in the definitions package, or annotate the parameter with another schema",
        )

    def inputs(self, derived: Derived | TrainingSet) -> tuple[Node, ...]:
        """List the datasets that a derived one reads, in the order of its parameters."""
        return tuple(self.producer(contract) for contract in derived.inputs)

    def build_order(self) -> tuple[Derived, ...]:
        """List datasets and feature views so that each comes after its inputs."""
        derived: dict[str, Derived] = {**self.datasets, **self.views}
        graph = {name: [node.name for node in self.inputs(derived[name])] for name in sorted(derived)}
        order = TopologicalSorter(graph).static_order()
        return tuple(derived[name] for name in order if name in derived)

    def _check_graph(self) -> None:
        keeper: dict[Contract, Node] = {}
        for node in self.nodes.values():
            other = keeper.setdefault(node.contract, node)
            if other is not node:
                raise DefinitionError(
                    f"{other.name!r} and {node.name!r} both produce schema {node.contract.name}",
                    hint="a schema belongs to one dataset; subclass it for the other",
                )
        for training in self.training_sets.values():
            self.inputs(training)
        try:
            self.build_order()
        except CycleError as error:
            raise DefinitionError(
                f"datasets depend on each other in a circle: {' -> '.join(error.args[1])}"
            ) from None


def _named(kind: type[D], definitions: Iterable[Definition]) -> dict[str, D]:
    return {definition.name: definition for definition in definitions if isinstance(definition, kind)}


def _refuse_clashes(definitions: Iterable[Definition]) -> None:
    taken: dict[str, Definition] = {}
    for definition in definitions:
        other = taken.setdefault(definition.name, definition)
        if other is not definition:
            raise DefinitionError(
                f"{KINDS[type(definition)]} {definition.name!r}: the name is already that of a {KINDS[type(other)]}"
            )


def _find(kind: str, name: str, table: dict[str, Found]) -> Found:
    if name not in table:
        raise UnknownNameError(kind, name, table)
    return table[name]


def load_catalog(root: Path, packages: tuple[str, ...], definitions: str) -> Catalog:
    """Import a project's definition package and collect what its modules define.

    Parameters
    ----------
    root
        The project's folder; put on ``sys.path``.
    packages
        All top-level packages of the project (schemas and definitions).
    definitions
        The package whose modules are scanned.

    Raises
    ------
    ConfigError
        If the package is not in the project.
    DefinitionError
        If a definition is refused.
    """
    if not (root / definitions).is_dir():
        raise ConfigError(
            f"{root}: there is no folder {definitions!r}",
            hint="set [tool.featurestore] definitions in pyproject.toml",
        )
    _make_importable(root, packages)
    found: dict[int, Definition] = {}
    for module in _modules(definitions):
        for value in vars(module).values():
            if isinstance(value, Definition):
                found[id(value)] = value
    return Catalog.of(found.values())


def _modules(package: str) -> Iterable[ModuleType]:
    top = _imported(package)
    yield top
    for found in sorted(pkgutil.walk_packages(top.__path__, f"{package}."), key=lambda m: m.name):
        if found.name.rpartition(".")[2] != FEAST_MODULE:
            yield _imported(found.name)


def _imported(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except FeatureStoreError:
        raise
    except Exception as error:
        raise DefinitionError(
            f"module {module} cannot be imported: {reason(error)}", hint=f"see {place(error)}"
        ) from error


def _make_importable(root: Path, packages: tuple[str, ...]) -> None:
    # Another project's packages of the same names may be loaded already: they give way.
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in packages:
            origins = [getattr(module, "__file__", None) or "", *getattr(module, "__path__", [])]
            # A release lies below the root of its project.
            home = root / name.partition(".")[0]
            if not any(Path(origin).is_relative_to(home) for origin in origins if origin):
                del sys.modules[name]
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    else:
        sys.path.remove(str(root))
        sys.path.insert(0, str(root))
    importlib.invalidate_caches()
