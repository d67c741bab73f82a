"""What is served: the definitions, the store and the readers of one release, found to belong together."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from featurestore.definitions.digest import service_digest
from featurestore.errors import ConfigError, FeatureStoreError, SkewError, UnknownNameError
from featurestore.project import open_served
from featurestore.service.lookup.endpoint import Endpoint
from featurestore.service.lookup.stale_cache import StaleCache, StaleCachingReader
from featurestore.vectors.state import check_state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.project import Project
    from featurestore.service.runtime.options import Options

WORKING = "working"  # served straight from the project's folder, no release made


class ActiveRelease:
    """A release (or, where none was made, the project itself), ready to answer.

    Raises
    ------
    SkewError
        If definitions, training sets or store do not belong together; says which.
    """

    def __init__(self, options: Options) -> None:
        self.project, release = open_served(options.root)
        self.root = self.project.settings.root
        self.release = WORKING if release is None else release.name
        self._refuse(options)
        self.local = self.project.settings.online_url is None
        store = self.project.store()
        memory = StaleCache(options.stale_cache_keys) if options.stale_cache_keys else None
        names = options.services or tuple(self.project.catalog.services)
        self._memory, self._most = memory, options.max_rows
        self._source = store if memory is None else StaleCachingReader(store, memory)
        self.endpoints = {name: self._bind(self.project.catalog.service(name)) for name in names}
        self.requested = lru_cache(maxsize=256)(self._requested)

    def endpoint(self, name: str) -> Endpoint:
        """Find a feature service by name.

        Raises
        ------
        UnknownNameError
            If there is none, or it is not served here.
        """
        if name not in self.endpoints:
            raise UnknownNameError("feature service", name, self.endpoints)
        return self.endpoints[name]

    def now(self) -> datetime:
        """Return the moment that stands for now."""
        return self.project.settings.now()

    def ready(self) -> dict[str, str]:
        """Ask the store; returns what is wrong, by view. Raises what the store raises."""
        return dict(_faults(self._services(), self.project))

    def _requested(self, references: tuple[str, ...]) -> Endpoint:
        return self._bind(self.project.catalog.request(references), named=False)

    def _bind(self, service: FeatureService, *, named: bool = True) -> Endpoint:
        return Endpoint(service, self._source, remembered=self._memory, most=self._most, named=named)

    def _services(self) -> list[FeatureService]:
        return [endpoint.service for endpoint in self.endpoints.values()]

    def _refuse(self, options: Options) -> None:
        catalog = self.project.catalog
        if not catalog.services:
            raise ConfigError(f"{self.root}: there is nothing to serve: no feature service is defined")
        services = [catalog.service(name) for name in options.services] or list(catalog.services.values())
        faults = dict(_faults(services, self.project)) | dict(_untrained(services, self.project))
        if faults:
            listing = "".join(f"\n  {name}: {fault}" for name, fault in faults.items())
            raise SkewError(
                f"{self.root}: definitions, training sets and online store do not belong together:{listing}",
                hint="run: dvc repro (or the commands named above), then serve again",
            )


def _faults(services: list[FeatureService], project: Project) -> Iterator[tuple[str, str]]:
    """Name the views that the online store cannot answer for."""
    views = {selection.view.name: selection.view for service in services for selection in service.reads}
    store, now = project.store(), project.settings.now()
    for name, (state, _) in zip(views, store.read([(name, ()) for name in views]), strict=True):
        try:
            check_state(views[name], state, now)
        except FeatureStoreError as error:
            yield f"view {name}", str(error).replace("\n ", "")


def _untrained(services: list[FeatureService], project: Project) -> Iterator[tuple[str, str]]:
    """Name the training sets that were made with another definition of a service than the one to be served."""
    for training in project.catalog.training_sets.values():
        if training.service in services:
            made_by = f"featurestore training-set {training.name}"
            manifest = project.training_manifest(training.name)
            if manifest is not None and manifest.definition != service_digest(training.service):
                yield (
                    f"training set {training.name}",
                    f"made with another definition of service {training.service.name!r}, run: {made_by}",
                )
