"""Release: freeze definitions and online data together, and serve them."""

from __future__ import annotations

import os
import shutil
import warnings
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from featurestore.config import KEEP_RELEASES
from featurestore.definitions.fingerprint import fingerprint
from featurestore.errors import ConfigError, FeatureStoreError, StoreError
from featurestore.operations.audit.audit import audit
from featurestore.operations.check_leaks.state import require_checked
from featurestore.operations.pipeline.packages import packages_path, write_packages
from featurestore.operations.release.prune import releases_to_remove, remove_releases
from featurestore.operations.release.releases import (
    RECORD,
    Release,
    activate,
    active_release,
    catch_up,
    definitions_digest,
    release_names,
)
from featurestore.operations.training_set.training_set import require_same_definition
from featurestore.storage.durable import make_folder, sync_tree
from featurestore.storage.files import PRIVATE_FOLDER, translated_write_errors, write_record, write_text
from featurestore.storage.layout import Layout
from featurestore.storage.lock import locked
from featurestore.storage.log import log_files
from featurestore.timing.epoch import timestamp_of
from featurestore.vectors.state import check_state, read_now

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from featurestore.config import Settings
    from featurestore.ports import OnlineStore, ViewState
    from featurestore.workspace import Workspace

EMBEDDED_STORE = "../data/online/store.lmdb"


class ReleasePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What `release` does.

    Attributes
    ----------
    name
        The name of the release to make; it becomes the active release.
    replaces
        The active release now; None: the project itself is served.
    services
        The feature services of the release.
    views
        The views whose online rows are copied, each with its watermark now.
    removes
        The old releases to remove.
    """

    name: str
    replaces: str | None
    services: tuple[str, ...]
    views: dict[str, datetime]
    removes: tuple[str, ...]


def plan_release(workspace: Workspace, *, keep: int = KEEP_RELEASES) -> ReleasePlan:
    """Plan a release without changing anything: its audit is made by `release`. Parameters and errors as of `release`."""
    return _plan(workspace, _checked_states(workspace), keep)


def _plan(workspace: Workspace, states: Mapping[str, ViewState], keep: int) -> ReleasePlan:
    layout = workspace.layout
    name = _next_name(layout)
    replaces = active_release(layout)
    # A server may read the replaced release for a moment: it stays until the next release.
    removes = releases_to_remove([*release_names(layout), name], name, keep, spare=replaces)
    return ReleasePlan(
        name=name,
        replaces=replaces,
        services=tuple(workspace.catalog.services),
        views={view: timestamp_of(state.watermark) for view, state in states.items()},
        removes=removes,
    )


def release(workspace: Workspace, *, keep: int = KEEP_RELEASES) -> Release:
    """Freeze definitions and online data as a release, audit it, make it the active one, and remove old releases.

    The audit compares the release's own copy: its store, its serving paths, its training sets, and the log of pushes and
    deletions as it was when the store was written. What is pushed or deleted meanwhile is applied before the release
    becomes active. A release that fails leaves nothing, and the active one stays. An old release that cannot be removed
    stays, with a warning.

    Parameters
    ----------
    keep
        How many releases to keep. The active release and the one before it are never removed.

    Raises
    ------
    MissingDataError, SkewError
        If a view is not materialized, or another definition materialized it, built its rows or made a training set
        of the release; or a cell of the release differs between training and serving; or a view leaks, or was not
        checked for leaks as it is now; or a checked training set reveals its label. Nothing changes then.
    DefinitionError
        If nothing tells when an input of a view becomes known.
    ConfigError
        If the definitions import modules from outside their packages, the project defines no feature
        service, or the folder is a release itself.
    StoreError
        If a file system or store fails.
    """
    layout = workspace.layout
    with locked(layout.releasing):
        states = _checked_states(workspace)
        plan = _plan(workspace, states, keep)
        _remove_unfinished(layout)
        try:
            result = _make(workspace, plan.name, states)
        except BaseException:
            _undo(workspace, plan.name)
            raise
        activate(workspace, workspace.at(layout.releases / plan.name))
        remove_releases(workspace, plan.removes)
    return result


def _remove_unfinished(layout: Layout) -> None:
    """Remove the folders of releases that killed processes left while they made or removed them."""
    for folder in layout.releases.glob("[0-9]*"):
        if not (folder / RECORD).exists():
            shutil.rmtree(folder, ignore_errors=True)


def _require_project(workspace: Workspace) -> None:
    if (workspace.root / RECORD).exists():
        raise ConfigError(
            f"{workspace.root}: is a release, and a release is made from a project",
            hint="run the command in the folder of the project",
        )
    if not workspace.catalog.services:
        raise ConfigError(
            f"{workspace.root}: the project defines no feature service, so there is nothing to release",
            hint="define one with feature_service(...) in the definitions",
        )


def _make(workspace: Workspace, name: str, states: Mapping[str, ViewState]) -> Release:
    root = workspace.layout.releases / name
    with translated_write_errors(root):
        make_folder(root, mode=PRIVATE_FOLDER)
        _copy_definitions(workspace.settings, name, root)
    frozen = workspace.at(root)
    write_packages(workspace, packages_path(frozen))
    services = _service_digests(workspace)
    with translated_write_errors(root):
        _link_data(workspace, frozen.layout)
    _require_equal(frozen, services)
    copy = frozen.store(create=True)
    _copy_rows(workspace, copy, states)
    # After the rows: each row of the copy that was pushed while it was made is in the log, and so is each deletion.
    with translated_write_errors(root):
        _link_log(workspace, frozen)
    views = catch_up(frozen, copy)
    audited = audit(frozen)
    audited.require_parity()
    with translated_write_errors(root):
        _share_log(workspace.layout, frozen.layout)
    result = Release(
        name=name,
        made_at=datetime.now(UTC),
        definitions=definitions_digest(root, frozen.settings),
        services=services,
        views=views,
        cells=audited.cells,
    )
    with translated_write_errors(root):
        # Copies and links are written by others: they are synced before the release counts.
        sync_tree(root)
    write_record(result, root / RECORD)
    return result


def _undo(workspace: Workspace, name: str) -> None:
    """Remove what a release that failed has made: its folder, and its rows on a server."""
    shutil.rmtree(workspace.layout.releases / name, ignore_errors=True)
    settings = workspace.settings
    if settings.online_url is None:
        return
    try:
        store = workspace.parts.open_store(replace(settings, name=_name_on_server(settings, name)))
        store.drop(list(workspace.catalog.views))
    except FeatureStoreError as error:
        warnings.warn(f"the rows of the failed release {name} were not removed: {error}", stacklevel=3)


def _name_on_server(settings: Settings, name: str) -> str:
    # The rows of all releases are in one database, distinguished by the name of the project.
    return f"{settings.name}_{name}"


def _checked_states(workspace: Workspace) -> dict[str, ViewState]:
    _require_project(workspace)
    for training in workspace.catalog.training_sets:
        require_same_definition(workspace, training)
    store = workspace.store()
    now = workspace.now()
    views = workspace.catalog.views
    states = {
        name: read_now(partial(check_state, view, store.state(name), layout=workspace.layout), now)
        for name, view in views.items()
    }
    require_checked(workspace)
    return states


def _next_name(layout: Layout) -> str:
    return f"{max(map(int, release_names(layout)), default=0) + 1:04d}"


def _service_digests(workspace: Workspace) -> dict[str, str]:
    return {name: fingerprint(service).digest for name, service in workspace.services.items()}


def _require_equal(frozen: Workspace, services: dict[str, str]) -> None:
    copied = _service_digests(frozen)
    if copied != services:
        changed = [name for name in services if copied.get(name) != services[name]]
        raise ConfigError(
            f"{frozen.root}: the copied definitions differ from those of the project: {', '.join(changed)}",
            hint="the definitions changed while the release was made, or import modules from outside their packages: "
            "move these modules into the packages, then run: featurestore release",
        )


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
        feast["online_store"]["path"] = EMBEDDED_STORE
    else:
        feast["project"] = _name_on_server(settings, name)
    write_text(yaml.safe_dump(feast, sort_keys=False), path)


def _copy_rows(workspace: Workspace, copy: OnlineStore, states: Mapping[str, ViewState]) -> None:
    """Copy the rows of the online store; pushes that come meanwhile may be among them.

    Raises
    ------
    StoreError
        If a view was materialized from another build or by another definition meanwhile.
    """
    source = workspace.store()
    for view, state in states.items():
        copy.write(view, source.scan(view), state, replace=True)
        after = source.state(view)
        if after is None or (after.definition, after.source) != (state.definition, state.source):
            raise StoreError(
                f"view {view!r} was materialized from other rows while the release was made",
                hint="run: featurestore release",
                retry=True,
            )


def _link_data(workspace: Workspace, frozen: Layout) -> None:
    """Link the built rows, the training sets, the fitted states and the tables that steps were fitted to."""
    layout = workspace.layout
    for name in workspace.catalog.views:
        _link(layout.features(name), frozen.features(name))
    for training in workspace.catalog.training_sets:
        for path in (Layout.training_manifest, Layout.training, Layout.fitted_training):
            if path(layout, training).exists():
                _link(path(layout, training), path(frozen, training))
    for name, service in workspace.catalog.services.items():
        if service.steps:
            _link(layout.fitted(name), frozen.fitted(name))
        # The audit of the release fits again.
        for table in workspace.catalog.tables(service):
            _link(layout.dataset(table.name), frozen.dataset(table.name))


def _link_log(workspace: Workspace, frozen: Workspace) -> None:
    """Link the files that the log of each view has now, and the time that its rows advanced under a fixed timestamp."""
    layout = workspace.layout
    for name in workspace.catalog.views:
        with locked(layout.pushing(name)):
            for folder in (Layout.pushed, Layout.deleted):
                for file in log_files(folder(layout, name)):
                    _link(file.path, folder(frozen.layout, name) / file.path.name)
    if workspace.settings.fixed_clock.exists():
        _link(workspace.settings.fixed_clock, frozen.settings.fixed_clock)


def _share_log(layout: Layout, frozen: Layout) -> None:
    """Let a release read the log that the project and all its releases share, in place of the log as it was."""
    if frozen.all_pushed.exists():
        shutil.rmtree(frozen.all_pushed)
    make_folder(layout.all_pushed, mode=PRIVATE_FOLDER)
    frozen.all_pushed.symlink_to(os.path.relpath(layout.all_pushed, frozen.data))


def _link(path: Path, target: Path) -> None:
    # Files are renamed into place and never written again, so the linked file does not change.
    make_folder(target.parent, mode=PRIVATE_FOLDER)
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)
