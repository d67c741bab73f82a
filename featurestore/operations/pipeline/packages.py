"""Packages: the versions of the installed packages that compute, kept in git beside dvc.yaml.

A fingerprint covers these versions. DVC sees files only, so each stage depends on this one: a new version makes every
stage run again, and a clone with the same versions runs none. A release has the file too: a machine that serves it needs
no package that only views and raw data need (`featurestore.definitions.fingerprint.recorded`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.definitions.fingerprint import fingerprint
from featurestore.definitions.fingerprint.recorded import FILE, record_of
from featurestore.storage.files import write_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.workspace import Workspace


def packages_path(workspace: Workspace) -> Path:
    """Return the path of the file of versions: beside dvc.yaml."""
    return workspace.root / FILE


def package_versions(workspace: Workspace) -> dict[str, str]:
    """Return the installed version of each package that computes a value of a definition, by name."""
    catalog = workspace.catalog
    definitions = (
        *catalog.nodes.values(),
        *catalog.on_demand.values(),
        *catalog.services.values(),
        *catalog.training_sets.values(),
    )
    parts = [
        part for current in map(fingerprint, definitions) for part in current.parts if part.kind == "package"
    ]
    return {part.name: part.value or "" for part in sorted(parts, key=lambda part: part.name)}


def write_packages(workspace: Workspace, path: Path | None = None) -> None:
    """Write the versions of `package_versions`.

    Parameters
    ----------
    path
        The file to write. None: beside dvc.yaml.
    """
    write_bytes(record_of(package_versions(workspace)), path or packages_path(workspace))
