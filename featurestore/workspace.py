"""The workspace: what every operation works on. Operations take it as their first argument."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from os.path import normpath
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from featurestore.config import load_settings
from featurestore.definitions.catalog import load_catalog
from featurestore.definitions.fingerprint import all_definitions, changed_files, fingerprint
from featurestore.errors import DefinitionError
from featurestore.storage.fitted import with_state
from featurestore.storage.layout import Layout
from featurestore.storage.made_by import defined_otherwise
from featurestore.storage.views import rows_of
from featurestore.timestamps import parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from featurestore.config import Settings
    from featurestore.definitions.catalog import Catalog
    from featurestore.definitions.feature_service import FeatureService
    from featurestore.definitions.fingerprint.definition_parts import Fingerprinted
    from featurestore.definitions.source import Source
    from featurestore.ports import (
        ComputeEngine,
        DatasetVersions,
        OnlineStore,
        RawReader,
        Registry,
        ServingPath,
        ViewRows,
    )


class StoreOpener(Protocol):
    """Opens the online store that a project's settings name."""

    def __call__(self, settings: Settings, *, create: bool = False) -> OnlineStore:
        """Open the store; with `create`, make an embedded store that does not exist yet."""


@dataclass(frozen=True)
class Parts:
    """The adapters that a project runs on. Each is made when it is first needed.

    Attributes
    ----------
    reader
        Makes the reader of raw files.
    engine
        Makes the engine that runs transformations and joins.
    registry
        Makes Feast's registry.
    open_store
        Opens the online store.
    serving_paths
        Makes the ways in which applications read the features of a workspace online.
    feast_path
        Makes the way through Feast's SDK.
    versions
        Keeps the versions of data files.
    """

    reader: Callable[[Settings], RawReader]
    engine: Callable[[Settings], ComputeEngine]
    registry: Callable[[Settings], Registry]
    open_store: StoreOpener
    serving_paths: Callable[[Workspace], Sequence[ServingPath]]
    feast_path: Callable[[Settings], ServingPath]
    versions: DatasetVersions


@dataclass(frozen=True)
class Workspace:
    """Settings, definitions, data and adapters of a project.

    Attributes
    ----------
    settings
        The settings of the project.
    layout
        Where the data are.
    parts
        The adapters.
    load_definitions
        Loads the catalog; later calls return the same catalog.
    """

    settings: Settings
    layout: Layout
    parts: Parts
    load_definitions: Callable[[], Catalog]

    @classmethod
    def of(cls, settings: Settings, parts: Parts) -> Workspace:
        """Make the workspace of a project. Nothing is loaded, opened or connected yet."""
        return cls(settings, Layout(settings.data), parts, cache(partial(_load, settings)))

    @property
    def root(self) -> Path:
        """The project's folder."""
        return self.settings.root

    @property
    def catalog(self) -> Catalog:
        """All definitions."""
        return self.load_definitions()

    def require_current(self, *definitions: Fingerprinted) -> None:
        """Refuse to write by definitions that changed after this process read them.

        What writes by definitions alone calls this first. A write of rows that a definition built is refused without it,
        as soon as the new definition built them.

        Parameters
        ----------
        definitions
            What decides what is written; all definitions, if none are given.

        Raises
        ------
        SkewError
            If the files of the project define one of them differently, or no longer. Comments and formatting do not count.
        DefinitionError
            If the files changed, and cannot be read as they are now.
        """
        own = definitions or all_definitions(self.catalog)
        changed = changed_files(own[0]) if own else ()  # they were read together
        if not changed:
            return
        read_again = all_definitions(self.at(self.root).catalog)
        present = {(now.kind, now.name): now for now in map(fingerprint, read_again)}
        for before in map(fingerprint, own):
            now = present.get((before.kind, before.name))
            if now is None or now.digest != before.digest:
                raise defined_otherwise(before, now, changed)

    @cached_property
    def reader(self) -> RawReader:
        """The reader of raw files."""
        return self.parts.reader(self.settings)

    @cached_property
    def engine(self) -> ComputeEngine:
        """The engine that runs transformations and joins."""
        return self.parts.engine(self.settings)

    @cached_property
    def registry(self) -> Registry:
        """Feast's registry."""
        return self.parts.registry(self.settings)

    def store(self, *, create: bool = False) -> OnlineStore:
        """Open the online store; with `create`, make an embedded store that does not exist yet."""
        return self.parts.open_store(self.settings, create=create)

    def serving_paths(self, *, feast: bool = False) -> Sequence[ServingPath]:
        """Return the ways in which applications read these features online, each through its real code.

        Parameters
        ----------
        feast
            Also return Feast's SDK, which takes seconds to import and reads the applied registry.
        """
        paths = self.parts.serving_paths(self)
        return (*paths, self.parts.feast_path(self.settings)) if feast else paths

    def now(self) -> datetime:
        """Return the current time in UTC, or the fixed time that the settings name."""
        return self.settings.now()

    def timestamp(self, value: datetime | str | None) -> datetime:
        """Return a timestamp in UTC: the one given, or the current time."""
        return self.now() if value is None else parse_timestamp(value)

    def service(
        self, features: str | Sequence[str] | FeatureService, *, full_names: bool = False
    ) -> FeatureService:
        """Return the feature service of a name, or of references to views and features, with its fitted state.

        Raises
        ------
        UnknownNameError
            As of `Catalog.requested`.
        MissingDataError, SkewError
            If the steps of the service are not fitted, or fitted for another definition (`storage.fitted.with_state`).
        """
        return self.fitted(self.catalog.requested(features, full_names=full_names))

    def fitted(self, service: FeatureService) -> FeatureService:
        """Return a service with what its steps learned. Errors as of `featurestore.storage.fitted.with_state`."""
        return with_state(service, self.catalog, self.layout)

    @property
    def services(self) -> dict[str, FeatureService]:
        """All feature services, as they are served: with what their steps learned. Errors as of `fitted`."""
        return {name: self.fitted(service) for name, service in self.catalog.services.items()}

    def rows_of(self, service: FeatureService) -> list[ViewRows]:
        """Locate the stored rows of each view that a service reads.

        Raises
        ------
        MissingDataError
            If a view is not built yet.
        """
        return [rows_of(selection, self.layout) for selection in service.reads]

    def with_data(self, layout: Layout) -> Workspace:
        """Return a workspace with the same definitions and the data of another folder."""
        return replace(self, layout=layout)

    def at(self, root: Path) -> Workspace:
        """Return the workspace of another project folder, such as a release, with the same adapters.

        Raises
        ------
        ConfigError
            If the settings of that project cannot be read.
        """
        return Workspace.of(load_settings(root), self.parts)


def _load(settings: Settings) -> Catalog:
    catalog = load_catalog(settings.root, settings.definitions)
    for source in catalog.sources.values():
        _require_inside(settings.root, source)
    return catalog


def _require_inside(root: Path, source: Source) -> None:
    """Refuse a source whose path leads out of the project: DVC versions no other file.

    Links are not followed: a machine that serves may have its data on another disk.

    Raises
    ------
    DefinitionError
        If it does.
    """
    if Path(normpath(root / source.path)).is_relative_to(root):
        return
    name = f"data/raw/{Path(source.path).name}"
    raise DefinitionError(
        f"source {source.name!r}: the path {source.path!r} is outside the project; expected a path in {root}, such as "
        f"{name!r}: DVC versions no other file",
        hint=f"copy the file to {name} and name this path; or take the source out and run: featurestore add "
        f"{shlex.quote(source.path)}, which copies the file and writes a source",
    )
