"""The active release: the definitions, online store and endpoints that answer requests, checked to belong together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from featurestore.definitions.fingerprint import fingerprint
from featurestore.errors import ConfigError, FeatureStoreError, MissingDataError, SkewError, UnknownNameError
from featurestore.project import open_served
from featurestore.service.lookup.endpoint import Endpoint
from featurestore.service.lookup.stale_cache import StaleCache
from featurestore.storage.served_columns import WORKING
from featurestore.timing.clock import ClockError
from featurestore.vectors.state import check_state, read_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from featurestore.definitions.catalog import Catalog
    from featurestore.definitions.feature_service import FeatureService
    from featurestore.project import Project, Release
    from featurestore.service.runtime.options import Options


@dataclass(frozen=True)
class ProjectAsOf:
    """A project to serve as it is, with none of its releases, as of one timestamp.

    Attributes
    ----------
    as_of
        The timestamp of every answer, in UTC.
    """

    project: Project
    as_of: datetime


class ActiveRelease:
    """The current release, or the project itself if there is no release, ready to answer.

    Parameters
    ----------
    served
        What to serve. None: the current release of the project in the folder of the options.

    Attributes
    ----------
    name
        Name of the release, or `WORKING`.
    local
        True if the online store is embedded in this process.
    endpoints
        Endpoint of each feature service, by name.

    Raises
    ------
    SkewError
        If definitions, training sets or online store do not belong together. The message names which.
    ConfigError
        If no feature service is defined.
    """

    def __init__(self, options: Options, served: ProjectAsOf | None = None) -> None:
        self.project, release = open_served(options.root) if served is None else (served.project, None)
        self._as_of = None if served is None else served.as_of
        self.root = self.project.settings.root
        self.name = WORKING if release is None else release.name
        self._require_consistency(options, release)
        self.local = self.project.settings.online_url is None
        catalog = self.project.catalog
        make = partial(
            Endpoint,
            store=self.project.store(),
            stale_cache=StaleCache(options.stale_cache_keys) if options.stale_cache_keys else None,
            max_rows=options.max_rows,
            layout=self.project.layout,
        )
        self.endpoints = {
            name: make(self.project.service(name)) for name in options.services or catalog.services
        }
        # Neither may refer to this object: its store closes when the last request that it answers ends.
        self.endpoint_of_features = lru_cache(maxsize=256)(partial(_endpoint_of_features, catalog, make))

    def endpoint(self, name: str) -> Endpoint:
        """Return the endpoint of a feature service.

        Raises
        ------
        UnknownNameError
            If there is no such service, or this server does not serve it.
        """
        if name not in self.endpoints:
            raise UnknownNameError("feature service", name, self.endpoints)
        return self.endpoints[name]

    def now(self) -> datetime:
        """Return the current instant in UTC by the project's clock, or the timestamp of what is served."""
        return self.project.settings.now() if self._as_of is None else self._as_of

    def faults(self) -> dict[str, str]:
        """Ask the online store about every view that is served.

        Returns
        -------
        dict of str to str
            What is wrong, by view. Empty: the store can answer for all views.

        Raises
        ------
        StoreError
            If the store does not answer.
        """
        services = [endpoint.service for endpoint in self.endpoints.values()]
        return {name: _line(error) for name, error in _view_faults(services, self.project)}

    def _require_consistency(self, options: Options, release: Release | None) -> None:
        catalog = self.project.catalog
        if not catalog.services:
            raise ConfigError(
                f"{self.root}: the project defines no feature service, so there is nothing to serve",
                hint="define one with feature_service(...) in the definitions",
            )
        services = [catalog.service(name) for name in options.services] or list(catalog.services.values())
        # A store that is ahead of the clock is reached by it, or brought back by the next write: `/ready` names it.
        steps = dict(_step_faults(services, self.project, release))
        views = {name: e for name, e in _view_faults(services, self.project) if not isinstance(e, ClockError)}
        faults = views | dict(_training_faults(services, self.project)) | steps
        if faults:
            listing = "".join(f"\n  {name}: {_line(error)}" for name, error in faults.items())
            skews = [error for error in faults.values() if isinstance(error, SkewError)]
            raise SkewError(
                f"{self.root}: definitions, training sets and online store do not belong together:{listing}",
                hint="run: dvc repro (or the commands named above), then serve again",
                differences=dict.fromkeys(d for error in skews for d in error.differences),
                commands=dict.fromkeys(c for error in skews for c in error.commands),
            )


def _endpoint_of_features(
    catalog: Catalog, make: Callable[..., Endpoint], references: tuple[str, ...], *, full_names: bool
) -> Endpoint:
    return make(catalog.request(references, full_names=full_names), named=False)


def _line(error: FeatureStoreError) -> str:
    """Return a message as one line; its parts are separated."""
    first, *rest = (line.strip() for line in str(error).splitlines())
    return "; ".join((first, *rest)).replace(":; ", ": ")


def _view_faults(services: list[FeatureService], project: Project) -> Iterator[tuple[str, FeatureStoreError]]:
    """Yield the views that the online store cannot answer for, each with the reason."""
    views = {selection.view.name: selection.view for service in services for selection in service.reads}
    states = project.store().read([(name, ()) for name in views])
    now = project.settings.now()
    for name, (state, _) in zip(views, states, strict=True):
        try:
            read_now(partial(check_state, views[name], state, layout=project.layout), now)
        except FeatureStoreError as error:
            yield f"view {name}", error


def _step_faults(
    services: list[FeatureService], project: Project, release: Release | None
) -> Iterator[tuple[str, FeatureStoreError]]:
    """Yield the services whose steps are not fitted, or not as the release was made with, each with the reason."""
    for service in services:
        try:
            served = project.service(service)
        except (MissingDataError, SkewError) as error:
            yield f"service {service.name}", error
            continue
        if (
            release is not None
            and served.steps
            and release.services[service.name] != fingerprint(served).digest
        ):
            yield (
                f"service {service.name}",
                SkewError(
                    f"the fitted state is another one than release {release.name} was made with",
                    hint="a release must not be edited: run featurestore release",
                    definition=service.name,
                    commands=["featurestore release"],
                ),
            )


def _training_faults(
    services: list[FeatureService], project: Project
) -> Iterator[tuple[str, FeatureStoreError]]:
    """Yield the training sets that another definition of their service made, each with what differs."""
    names = {service.name for service in services}
    for training in project.catalog.training_sets.values():
        if training.service.name in names:
            try:
                project.require_same_service(training.name)
            except SkewError as error:
                yield f"training set {training.name}", error
