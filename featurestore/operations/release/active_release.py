"""The active release of a project: it follows what is pushed to the project and deleted from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.operations.materialize import materialize_view
from featurestore.operations.release.releases import active_release
from featurestore.storage.lock import locked
from featurestore.storage.online import current_time, next_watermark

if TYPE_CHECKING:
    from datetime import datetime

    from featurestore.workspace import Workspace


def active_release_with(workspace: Workspace, view: str) -> Workspace | None:
    """Open the active release of a project. None: there is none, or it does not have the view."""
    name = active_release(workspace.layout)
    if name is None:
        return None
    release = workspace.at(workspace.layout.releases / name)
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
