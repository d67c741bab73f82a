"""Releases: definitions and online data frozen together, so that a server switches from one to the next in one step.

A release is a project of its own, in a folder of its own: every command takes it with ``--project``. Its feature files
are links to the built files; its online store is a copy. The link ``current`` names the active release.
"""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from featurestore.config import load_settings
from featurestore.errors import SkewError, UnknownNameError
from featurestore.ports import ViewState
from featurestore.storage.durable import replace_symlink
from featurestore.storage.files import read_record, translated_write_errors
from featurestore.storage.lock import locked
from featurestore.storage.online import advance_to, current_time, next_watermark

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.config import Settings
    from featurestore.ports import OnlineStore
    from featurestore.storage.layout import Layout
    from featurestore.workspace import Workspace

RECORD = "release.json"
COMMAND = "featurestore release"


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """What a release holds.

    Attributes
    ----------
    name
        Releases are numbered in the order in which they were made.
    made_at
        When the release was made, in UTC.
    definitions
        Digest of the files of schemas, definitions and settings.
    services
        Digests of the feature services, by name.
    views
        The state of each view in the online store.
    cells
        How many cells were compared before the release became active. 0: a former version of featurestore made it.
    """

    name: str
    made_at: datetime
    definitions: str
    services: dict[str, str]
    views: dict[str, ViewState]
    cells: int = 0


def releases(workspace: Workspace) -> list[Release]:
    """List the releases, the oldest first. A release that was interrupted while it was made is not listed."""
    return [read_release(workspace.layout.releases / name) for name in release_names(workspace.layout)]


def active_release(layout: Layout) -> str | None:
    """Return the name of the active release; None: the project itself is served."""
    link = layout.current_release
    return link.readlink().name if link.is_symlink() else None


def release_names(layout: Layout) -> list[str]:
    """List the names of the releases, the oldest first."""
    names = (path.parent.name for path in layout.releases.glob(f"*/{RECORD}"))
    return sorted((name for name in names if name.isdigit()), key=int)


def read_release(root: Path) -> Release:
    """Read the record of the release in a folder.

    Raises
    ------
    MissingDataError
        If the folder holds no release.
    """
    return read_record(root / RECORD, Release, made_by=COMMAND)


def require_release(layout: Layout, name: str) -> Path:
    """Return the folder of a release.

    Raises
    ------
    UnknownNameError
        If there is no such release.
    """
    names = release_names(layout)
    if name not in names:
        raise UnknownNameError("release", name, names)
    return layout.releases / name


def switch(layout: Layout, name: str) -> None:
    """Make a release the active one, in one step.

    Raises
    ------
    UnknownNameError
        If there is no such release.
    StoreError
        If the file system refuses the switch; the active release stays.
    """
    require_release(layout, name)
    with translated_write_errors(layout.current_release):
        replace_symlink(layout.current_release, name)


def activate(workspace: Workspace, release: Workspace) -> None:
    """Apply to a release all rows that are known now, and make it the active one.

    Nobody writes to the log between the last rows and the switch: every acknowledged row is served afterwards.

    Raises
    ------
    UnknownNameError
        If there is no such release.
    StoreError
        If a store fails, or the file system refuses the switch; the active release stays.
    """
    store = release.store()
    catch_up(release, store)  # writers wait for the few rows of the second time alone
    with ExitStack() as stack:
        for view in sorted(release.catalog.views):
            stack.enter_context(locked(workspace.layout.pushing(view)))
        catch_up(release, store)
        switch(workspace.layout, release.root.name)


def served(workspace: Workspace) -> tuple[Workspace, Release | None]:
    """Open what a server of this project serves: the active release, or the project itself (then None).

    A release serves itself.

    Raises
    ------
    SkewError
        If the definitions of the release were changed after the release was made.
    """
    root = workspace.root
    if not (root / RECORD).exists():
        name = active_release(workspace.layout)
        if name is None:
            return workspace, None
        root = workspace.layout.releases / name
    return open_release(workspace, root)


def open_release(workspace: Workspace, root: Path) -> tuple[Workspace, Release]:
    """Open the release in a folder, which may be the folder of the workspace itself.

    Raises
    ------
    MissingDataError
        If the folder holds no release.
    SkewError
        If the definitions of the release were changed after the release was made.
    """
    release = read_release(root)
    require_unchanged(release, root)
    return (workspace if root == workspace.root else workspace.at(root)), release


def require_unchanged(release: Release, root: Path) -> None:
    """Refuse a release whose definitions were changed after it was made.

    Raises
    ------
    SkewError
        If one byte of them differs.
    """
    if definitions_digest(root, load_settings(root)) != release.definitions:
        raise SkewError(
            f"{root}: its definitions were changed since the release was made",
            hint="a release must not be edited: change the project, then run: featurestore release",
        )


def definitions_digest(root: Path, settings: Settings) -> str:
    """Digest the files of schemas, definitions and settings: their names and contents."""
    digest = hashlib.sha256()
    packages = {settings.schemas, settings.definitions}
    files = [root / "pyproject.toml", *(path for package in packages for path in (root / package).rglob("*"))]
    for path in sorted(path for path in files if path.is_file() and "__pycache__" not in path.parts):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return f"sha256:{digest.hexdigest()}"


def catch_up(workspace: Workspace, store: OnlineStore) -> dict[str, ViewState]:
    """Apply to an online store of a project or release all rows that are known now; returns the state of each view."""
    states = {}
    # One time for all views: a service that reads several of them answers as of one time.
    now = current_time(workspace.settings, store)
    for view in workspace.catalog.views.values():
        with locked(workspace.layout.lock(view.name)):
            until = next_watermark(view, now, store, settings=workspace.settings)
            states[view.name] = advance_to(until, view, workspace.layout, store).state
    return states
