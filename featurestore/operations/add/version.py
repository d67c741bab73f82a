"""Versions of raw files and of the logs of pushes and answers, which belong to no stage of the pipeline."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from featurestore.errors import MissingDataError
from featurestore.operations.init.gitignore import show_records
from featurestore.storage.lock import locked
from featurestore.storage.views import compact_log

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.workspace import Workspace


def add_version(workspace: Workspace, path: Path) -> tuple[str, ...]:
    """Version a file or folder as it is now; returns the records, relative to the project.

    Raises
    ------
    ConfigError
        If the project is not in a repository of DVC, or DVC refuses the path.
    StoreError
        If another process of DVC holds the repository.
    """
    root = workspace.root
    show_records(root, workspace.settings.data.relative_to(root).as_posix())
    records = workspace.parts.versions.add(root, [path])
    return tuple(record.relative_to(root).as_posix() for record in records)


def add_pushed_version(workspace: Workspace) -> tuple[str, ...]:
    """Version the log of pushes and deletions, while no other process writes it; returns the records.

    Raises
    ------
    MissingDataError
        If nothing was pushed or deleted yet.
    ConfigError
        If the project is not in a repository of DVC, or DVC refuses the folder.
    StoreError
        If another process of DVC holds the repository, or the log is in use for longer than the caller waits.
    """
    layout = workspace.layout
    if not has_pushed(workspace):
        raise MissingDataError(
            f"{layout.all_pushed} holds no rows: nothing was pushed or deleted yet",
            hint="run: featurestore push VIEW FILE",
        )
    with ExitStack() as locks:
        for view in sorted(workspace.catalog.views):
            locks.enter_context(locked(layout.pushing(view)))
        # As materialize leaves the log, so that a clone that materializes does not change what is versioned.
        for definition in workspace.catalog.views.values():
            compact_log(definition, layout, complete=True, kept_seconds=0)
        return add_version(workspace, layout.all_pushed)


def add_served_version(workspace: Workspace) -> tuple[str, ...]:
    """Version the served log; returns the records. A server writes whole files, and changes none.

    Raises
    ------
    MissingDataError
        If nothing was logged yet.
    ConfigError
        If the project is not in a repository of DVC, or DVC refuses the folder.
    StoreError
        If another process of DVC holds the repository.
    """
    if not has_served(workspace):
        raise MissingDataError(
            f"{workspace.layout.all_served} holds no answers: nothing was logged yet",
            hint="run: featurestore serve --log-features 1",
        )
    return add_version(workspace, workspace.layout.all_served)


def has_served(workspace: Workspace) -> bool:
    """Return whether answers are logged."""
    return any(workspace.layout.all_served.rglob("*.parquet"))


def has_pushed(workspace: Workspace) -> bool:
    """Return whether rows were pushed to a view, or keys deleted from one."""
    return any(workspace.layout.all_pushed.rglob("*.parquet"))
