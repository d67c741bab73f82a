"""Releases: definitions and online data frozen together, so that a server moves from one to the next in one step.

A release is a project of its own, in a folder of its own: every command takes it with ``--project``. Its feature files
are links to those of the build, its online store is a copy. ``current``, a link, names the one that is served.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import warnings
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from featurestore.config import load_settings
from featurestore.definitions.catalog import load_catalog
from featurestore.definitions.digest import service_digest
from featurestore.errors import ConfigError, FeatureStoreError, MissingDataError, SkewError, UnknownNameError
from featurestore.ports import ViewState
from featurestore.storage.files import read_record, translated_write_errors, write_record, write_text
from featurestore.storage.layout import Layout
from featurestore.storage.lock import locked
from featurestore.storage.online import advance_to, next_watermark
from featurestore.vectors.state import check_state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from featurestore.config import Settings
    from featurestore.definitions.catalog import Catalog
    from featurestore.ports import OnlineStore

RECORD = "release.json"
EMBEDDED = "../data/online/store.lmdb"
MADE_BY = "featurestore release"


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs together.

    Attributes
    ----------
    name
        Releases are numbered in the order in which they were made.
    made_at
        When, in UTC.
    definitions
        Digest of the files of schemas, definitions and settings.
    services
        Digests of the feature services.
    views
        What the online store held of each view.
    """

    name: str
    made_at: datetime
    definitions: str
    services: dict[str, str]
    views: dict[str, ViewState]


def release_project(
    settings: Settings,
    catalog: Catalog,
    store: OnlineStore,
    open_store: Callable[[Settings], OnlineStore],
    *,
    keep: int,
) -> Release:
    """Freeze a project as a release, serve it from now on, and of the others keep the last; raises as `make_release` does."""
    layout = Layout(settings.data)
    with locked(layout.releasing):
        made, before = make_release(settings, catalog, store, open_store), current(layout)
        switch(layout, made.name)
        # A server may read the one before for a moment yet.
        prune(layout, keep, open_store, spare=before)
    return made


def rollback(layout: Layout, to: str | None, open_store: Callable[[Settings], OnlineStore]) -> str:
    """Serve the former release, or the one named, from now on; returns its name. Raises as `catch_up` and `former` do."""
    with locked(layout.releasing):
        name = former(layout) if to is None else to
        catch_up(layout, name, open_store)
        switch(layout, name)
    return name


def make_release(
    settings: Settings, catalog: Catalog, store: OnlineStore, open_store: Callable[[Settings], OnlineStore]
) -> Release:
    """Freeze a project as a release; it is not served before `switch` says so.

    Parameters
    ----------
    store
        The project's online store.
    open_store
        Opens, and makes, the online store of the release's settings.

    Raises
    ------
    MissingDataError, SkewError
        If a view is not materialized, or by another definition; nothing is made then.
    ConfigError
        If the definitions need modules from outside their packages.
    StoreError
        If a file system or store fails.
    """
    states = {
        name: check_state(view, store.state(name), settings.now()) for name, view in catalog.views.items()
    }
    layout = Layout(settings.data)
    name = f"{max(map(int, _names(layout)), default=0) + 1:04d}"
    root = layout.releases / name
    # What a release that failed has left.
    shutil.rmtree(root, ignore_errors=True)
    with translated_write_errors(root):
        _copy_definitions(settings, name, root)
    frozen = load_settings(root)
    services = {service.name: service_digest(service) for service in catalog.services.values()}
    _require_whole(frozen, services)
    with translated_write_errors(root):
        _link_data(layout, Layout(frozen.data), catalog)
    copy = open_store(frozen)
    for view, state in states.items():
        copy.write(view, store.scan(view), state, replace=True)
    release = Release(
        name=name,
        made_at=datetime.now(UTC),
        definitions=definitions_digest(root, frozen),
        services=services,
        views=_catch_up(frozen, catalog, copy),
    )
    write_record(release, root / RECORD)
    return release


def releases(layout: Layout) -> list[Release]:
    """List the releases, the oldest first; one whose making was interrupted is none."""
    return [_read(layout.releases / name) for name in _names(layout)]


def current(layout: Layout) -> str | None:
    """Name the release that is served; None: none is."""
    link = layout.releases / "current"
    return link.readlink().name if link.is_symlink() else None


def switch(layout: Layout, name: str) -> None:
    """Serve a release from now on, in one step.

    Raises
    ------
    UnknownNameError
        If there is no such release.
    """
    _known(layout, name)
    aside = layout.releases / f".current.{os.getpid()}"
    aside.unlink(missing_ok=True)
    aside.symlink_to(name)
    aside.replace(layout.releases / "current")


def catch_up(layout: Layout, name: str, open_store: Callable[[Settings], OnlineStore]) -> None:
    """Bring to a release's online store what was pushed and deleted since it was served.

    Raises
    ------
    UnknownNameError
        If there is no such release.
    SkewError
        If its definitions were changed since it was made.
    """
    root = layout.releases / _known(layout, name)
    verify(_read(root), root)
    settings = load_settings(root)
    _catch_up(settings, _catalog(settings), open_store(settings))


def former(layout: Layout) -> str:
    """Name the release before the one that is served.

    Raises
    ------
    MissingDataError
        If there is none.
    """
    now = current(layout)
    before = [name for name in _names(layout) if now is not None and int(name) < int(now)]
    if not before:
        raise MissingDataError(f"{layout.releases}: there is no former release", hint=f"run: {MADE_BY}")
    return before[-1]


def prune(
    layout: Layout, keep: int, open_store: Callable[[Settings], OnlineStore], *, spare: str | None = None
) -> tuple[str, ...]:
    """Remove the oldest releases but `keep`; never the one that is served, the one before it, or the one to `spare`.

    Returns their names. One that cannot be removed is left where it is, with a warning: the next is tried again.
    """
    now, every = current(layout), _names(layout)
    served = every.index(now) if now in every else 0
    kept = {*every[-keep:], *every[max(served - 1, 0) : served + 1], spare}
    gone = []
    for name in every:
        if name not in kept:
            try:
                _remove(layout.releases / name, open_store)
            except (FeatureStoreError, OSError) as error:
                warnings.warn(f"release {name} was not removed: {error}", stacklevel=2)
            else:
                gone.append(name)
    return tuple(gone)


def served_root(root: Path) -> tuple[Path, Release | None]:
    """Find what a server of the project in `root` has to serve: the current release, or the project itself."""
    layout = Layout(load_settings(root).data)
    name = current(layout)
    if name is None:
        return root.resolve(), None
    return layout.releases / name, _read(layout.releases / name)


def verify(release: Release, root: Path) -> None:
    """Refuse a release whose definitions were changed since it was made.

    Raises
    ------
    SkewError
        If one byte of them differs.
    """
    if definitions_digest(root, load_settings(root)) != release.definitions:
        raise SkewError(
            f"{root}: its definitions were changed since the release was made",
            hint="a release is never edited: change the project, then run: featurestore release",
        )


def definitions_digest(root: Path, settings: Settings) -> str:
    """Digest the files of schemas, definitions and settings: their names and contents."""
    digest = hashlib.sha256()
    for path in _definition_files(root, settings):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return f"sha256:{digest.hexdigest()}"


def _definition_files(root: Path, settings: Settings) -> list[Path]:
    packages = {settings.schemas, settings.definitions}
    found = [root / "pyproject.toml", *(p for package in packages for p in (root / package).rglob("*"))]
    return sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts)


def _copy_definitions(settings: Settings, name: str, root: Path) -> None:
    for package in {settings.schemas, settings.definitions}:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(settings.root / package, root / package, ignore=ignored)
    table = {
        "schemas": settings.schemas,
        "definitions": settings.definitions,
        "engine": settings.engine,
        "data": "data",
    }
    lines = [f'{key} = "{value}"\n' for key, value in table.items()]
    write_text("[tool.featurestore]\n" + "".join(lines), root / "pyproject.toml")
    path = root / settings.definitions / "feature_store.yaml"
    feast: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    if settings.online_url is None:
        feast["online_store"]["path"] = EMBEDDED
    else:
        # Rows of releases lie side by side on a server, by the name of the project.
        feast["project"] = f"{settings.name}_{name}"
    write_text(yaml.safe_dump(feast, sort_keys=False), path)


def _names(layout: Layout) -> list[str]:
    found = (path.parent.name for path in layout.releases.glob(f"*/{RECORD}"))
    return sorted((name for name in found if name.isdigit()), key=int)


def _remove(root: Path, open_store: Callable[[Settings], OnlineStore]) -> None:
    release, settings = _read(root), load_settings(root)
    if settings.online_url is not None:
        open_store(settings).drop(list(release.views))
    (root / RECORD).unlink()
    shutil.rmtree(root)


def _known(layout: Layout, name: str) -> str:
    known = _names(layout)
    if name not in known:
        raise UnknownNameError("release", name, known)
    return name


def _catalog(settings: Settings) -> Catalog:
    return load_catalog(settings.root, settings.definitions)


def _catch_up(settings: Settings, catalog: Catalog, store: OnlineStore) -> dict[str, ViewState]:
    layout, states = Layout(settings.data), {}
    for view in catalog.views.values():
        with locked(layout.lock(view.name)):
            states[view.name] = advance_to(
                next_watermark(view, settings.now(), store), view, layout, store
            ).state
    return states


def _require_whole(frozen: Settings, services: dict[str, str]) -> None:
    found = {service.name: service_digest(service) for service in _catalog(frozen).services.values()}
    if found != services:
        changed = [name for name in services if found.get(name) != services[name]]
        raise ConfigError(
            f"{frozen.root}: the copied definitions are not those of the project: {', '.join(changed)}",
            hint="the definitions were changed while the release was made, or import other modules: try again",
        )


def _link_data(layout: Layout, frozen: Layout, catalog: Catalog) -> None:
    for name in catalog.views:
        _link(layout.features(name), frozen.features(name))
    for training in catalog.training_sets:
        if layout.training_manifest(training).exists():
            _link(layout.training_manifest(training), frozen.training_manifest(training))
    # What is pushed to any release is pushed to the project, and to every later release.
    pushed = layout.data / "pushed"
    pushed.mkdir(parents=True, exist_ok=True)
    (frozen.data / "pushed").symlink_to(os.path.relpath(pushed, frozen.data))


def _link(path: Path, target: Path) -> None:
    # Files are renamed into place and never written to again, so a link stays what it is.
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)


def _read(root: Path) -> Release:
    return read_record(root / RECORD, Release, made_by=MADE_BY)
