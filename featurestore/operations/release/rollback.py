"""Rollback: serve an earlier release again, definitions and data in one step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from featurestore.errors import MissingDataError
from featurestore.operations.release.releases import (
    COMMAND,
    activate,
    active_release,
    read_release,
    release_names,
    require_release,
    require_unchanged,
)
from featurestore.storage.lock import locked

if TYPE_CHECKING:
    from featurestore.storage.layout import Layout
    from featurestore.workspace import Workspace


class RollbackPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What `rollback` does.

    Attributes
    ----------
    release
        The release to serve.
    replaces
        The active release now; None: the project itself is served.
    views
        The views of the release to which all rows that are known now are applied, before the switch.
    """

    release: str
    replaces: str | None
    views: tuple[str, ...]


def plan_rollback(workspace: Workspace, to: str | None = None) -> RollbackPlan:
    """Plan a rollback without changing anything. Parameters and errors as of `rollback`."""
    layout = workspace.layout
    name = _release_before(layout) if to is None else to
    root = require_release(layout, name)
    record = read_release(root)
    require_unchanged(record, root)
    return RollbackPlan(release=name, replaces=active_release(layout), views=tuple(record.views))


def rollback(workspace: Workspace, to: str | None = None) -> str:
    """Make an earlier release the active one; returns its name.

    Rows that were pushed and deleted since the release was active are applied to its online store before.

    Parameters
    ----------
    to
        The name of a release; None: the release before the active one.

    Raises
    ------
    MissingDataError
        If there is no release before the active one.
    UnknownNameError
        If there is no such release.
    SkewError
        If the definitions of the release were changed after the release was made.
    """
    layout = workspace.layout
    with locked(layout.releasing):
        plan = plan_rollback(workspace, to)
        release = workspace.at(layout.releases / plan.release)
        activate(workspace, release)
    return plan.release


def _release_before(layout: Layout) -> str:
    active = active_release(layout)
    earlier = [name for name in release_names(layout) if active is not None and int(name) < int(active)]
    if not earlier:
        raise _no_former_release(layout, active)
    return earlier[-1]


def _no_former_release(layout: Layout, active: str | None) -> MissingDataError:
    others = [name for name in release_names(layout) if name != active]
    served = (
        "the project itself is served" if active is None else f"release {active} is served, the oldest one"
    )
    hint = (
        f"name the release to serve: featurestore rollback {others[-1]} (there are {', '.join(others)})"
        if others
        else f"change the project, then run: {COMMAND}"
    )
    return MissingDataError(f"{layout.releases}: there is no former release: {served}", hint=hint)
