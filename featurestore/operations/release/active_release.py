"""The active release of a project: it follows what is pushed to the project, or to a release, and deleted from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.operations.materialize import materialize_view
from featurestore.operations.release.releases import active_release
from featurestore.storage.layout import Layout
from featurestore.storage.lock import locked
from featurestore.storage.online import current_time, next_watermark

if TYPE_CHECKING:
    from datetime import datetime

    from featurestore.workspace import Workspace


def other_active_release(workspace: Workspace) -> str | None:
    """Return the name of the active release of the project that a workspace belongs to.

    The workspace may be a release itself: a server writes through the release that it answers from, and learns of
    the next one up to a second later. None: there is no active release, or it is the workspace itself.
    """
    project = Layout(workspace.layout.project_data)
    name = active_release(project)
    is_itself = name is not None and (project.releases / name).resolve() == workspace.root.resolve()
    return None if is_itself else name


def active_release_with(workspace: Workspace, view: str) -> Workspace | None:
    """Open the active release of `other_active_release`. None: there is none, or it does not have the view."""
    name = other_active_release(workspace)
    if name is None:
        return None
    release = workspace.at(Layout(workspace.layout.project_data).releases / name)
    return release if view in release.catalog.views else None


def next_timestamp(workspace: Workspace, view: str, release: Workspace | None) -> datetime:
    """Return the first timestamp, from now on, up to which project and release can both be materialized.

    Raises
    ------
    StoreError
        If an online store does not answer.
    """
    timestamp = current_time(workspace.settings, workspace.store())
    for owner in (workspace, release):
        if owner is not None:
            definition = owner.catalog.view(view)
            timestamp = next_watermark(definition, timestamp, owner.store(), settings=workspace.settings)
    return timestamp


def materialize_release(release: Workspace, view: str, until: datetime) -> None:
    """Materialize a view of a release up to a timestamp. Errors as of `materialize_view`."""
    definition = release.catalog.view(view)
    with locked(release.layout.lock(view)):
        store = release.store()
        timestamp = next_watermark(definition, until, store, settings=release.settings)
        materialize_view(release, definition, timestamp, store)
