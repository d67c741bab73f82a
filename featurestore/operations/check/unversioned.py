"""Unversioned: find the data of a project that nobody keeps a version of, so that a clone could not have them."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from featurestore.errors import UnknownNameError
from featurestore.storage.inside import inside
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from featurestore.definitions.catalog import Catalog
    from featurestore.definitions.source import Source
    from featurestore.ports import VersionGap
    from featurestore.workspace import Workspace

PUSHED = "pushed rows"
SERVED = "served log"
REASONS: dict[VersionGap, str] = {
    "no version": "are versioned by neither DVC nor git, so a clone does not get them",
    "no repository": "are not in a repository of DVC or git, so they have no versions",
}
_OF_ONE_FILE: dict[VersionGap, str] = {
    "no version": "is versioned by neither DVC nor git, so a clone does not get it",
    "no repository": "is not in a repository of DVC or git, so it has no versions",
}


@dataclass(frozen=True)
class Unversioned:
    """Data that nobody keeps a version of.

    Attributes
    ----------
    name
        The source, ``"pushed rows"`` or ``"served log"``.
    path
        The path or pattern of the data, relative to the project.
    files
        How many files have no version. All files of a folder count if one of them changed or was removed.
    reason
        ``"no version"``, ``"changed"`` since the last version, or ``"no repository"``.
    command
        The command that versions them.
    """

    name: str
    path: str
    files: int
    reason: VersionGap
    command: str

    def __str__(self) -> str:
        count = counted(self.files, "file")
        if self.reason == "changed":
            # DVC compares a folder as a whole: which of its files changed, or are gone, is not known here.
            size = f" ({count} now)" if self.files > 1 else ""
            return (
                f"{self.name}: {self.path} changed since its last version{size}, so a clone gets other rows"
                f"\n  hint: run: {self.command}"
            )
        reason = (_OF_ONE_FILE if self.files == 1 else REASONS)[self.reason]
        return f"{self.name}: {count} of {self.path} {reason}\n  hint: run: {self.command}"


def unversioned(workspace: Workspace, names: Collection[str] | None = None) -> tuple[Unversioned, ...]:
    """Find raw files, pushed rows, and answers that training sets read, whose content has no version.

    Files that do not exist are left out. So are sources with an origin: ``featurestore ingest`` fetches their files.

    Parameters
    ----------
    names
        Look at these sources only. None: at all of them, at pushed rows and at the served log.

    Raises
    ------
    UnknownNameError
        If a name is neither a source nor a dataset.
    """
    catalog = workspace.catalog
    for name in names or ():
        if name not in catalog.nodes:
            raise UnknownNameError("dataset", name, catalog.nodes)
    groups: dict[tuple[str, str], list[Path]] = {
        (source.name, source.path): raw_files(workspace, source)
        for source in catalog.sources.values()
        if source.origin is None and (names is None or source.name in names)
    }
    if names is None:
        pushed = workspace.layout.all_pushed
        groups[PUSHED, inside(workspace.root, pushed)] = sorted(pushed.rglob("*.parquet"))
        if reads_served(catalog):
            served = workspace.layout.all_served
            groups[SERVED, inside(workspace.root, served)] = sorted(served.rglob("*.parquet"))
    files = [file for group in groups.values() for file in group]
    if not files:
        return ()
    gaps = workspace.parts.versions.gaps(workspace.root, files)
    gaps_by_source = []
    for (name, path), group in groups.items():
        reasons = [gaps[file] for file in group if file in gaps]
        if reasons:
            command = f"featurestore add {shlex.quote(path)}"
            gaps_by_source.append(Unversioned(name, path, len(reasons), reasons[0], command))
    return tuple(gaps_by_source)


def reads_served(catalog: Catalog) -> bool:
    """Return whether a training set has labels of answers, so that it reads the served log."""
    return any(training.served for training in catalog.training_sets.values())


def raw_files(workspace: Workspace, source: Source) -> list[Path]:
    """List the raw files of a source that exist, in the order of their names."""
    base, pattern = source.location(workspace.root / source.path)
    candidates = [base] if pattern is None else sorted(base.glob(pattern))
    return [path for path in candidates if path.is_file()]
