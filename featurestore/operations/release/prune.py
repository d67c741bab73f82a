"""Prune: remove old releases."""

from __future__ import annotations

import shutil
import warnings
from typing import TYPE_CHECKING

import msgspec

from featurestore.errors import FeatureStoreError
from featurestore.operations.release.releases import RECORD, active_release, read_release, release_names
from featurestore.storage.durable import remove
from featurestore.storage.lock import locked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from featurestore.workspace import Workspace


class PrunePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What `prune` does.

    Attributes
    ----------
    removes
        The releases to remove, the oldest first.
    keeps
        The other releases.
    """

    removes: tuple[str, ...]
    keeps: tuple[str, ...]


def plan_prune(workspace: Workspace, *, keep: int) -> PrunePlan:
    """Plan the removal of old releases without changing anything. Parameters as of `prune`."""
    names = release_names(workspace.layout)
    removes = releases_to_remove(names, active_release(workspace.layout), keep)
    return PrunePlan(removes=removes, keeps=tuple(name for name in names if name not in removes))


def prune(workspace: Workspace, *, keep: int) -> tuple[str, ...]:
    """Remove the oldest releases, and keep `keep`; returns the names of the removed releases.

    The active release and the one before it are never removed. A release that cannot be removed stays, with a warning.

    Parameters
    ----------
    keep
        How many releases to keep, at least 1.
    """
    with locked(workspace.layout.releasing):
        return remove_releases(workspace, plan_prune(workspace, keep=keep).removes)


def remove_releases(workspace: Workspace, names: Sequence[str]) -> tuple[str, ...]:
    """Remove releases; the caller holds the lock of the releases. Returns the names of the removed releases.

    A release that cannot be removed stays, with a warning.
    """
    removed = []
    for name in names:
        try:
            _remove(workspace, workspace.layout.releases / name)
        except (FeatureStoreError, OSError) as error:
            warnings.warn(f"release {name} was not removed: {error}", stacklevel=3)
        else:
            removed.append(name)
    return tuple(removed)


def releases_to_remove(
    names: Sequence[str], active: str | None, keep: int, *, spare: str | None = None
) -> tuple[str, ...]:
    """Choose the releases to remove: all but the last `keep`, the active one, the one before it, and `spare`."""
    position = names.index(active) if active in names else 0
    kept = {*names[-keep:], *names[max(position - 1, 0) : position + 1], spare}
    return tuple(name for name in names if name not in kept)


def _remove(workspace: Workspace, root: Path) -> None:
    release = read_release(root)
    frozen = workspace.at(root)
    if frozen.settings.online_url is not None:
        frozen.store().drop(list(release.views))
    # A release whose files are removed in part must not be listed, also after a power loss.
    remove(root / RECORD)
    shutil.rmtree(root)
