"""Packages: the versions of the installed packages that compute, kept in git beside dvc.yaml.

A fingerprint covers these versions. DVC sees files only, so each stage depends on this one: a new version makes every
stage run again, and a clone with the same versions runs none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from featurestore.definitions.fingerprint import fingerprint
from featurestore.storage.files import write_text

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.workspace import Workspace

FILE = "packages.json"


def packages_path(workspace: Workspace) -> Path:
    """Return the path of the file of versions: beside dvc.yaml."""
    return workspace.root / FILE


def package_versions(workspace: Workspace) -> dict[str, str | None]:
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
    return {part.name: part.value for part in sorted(parts, key=lambda part: part.name)}


def write_packages(workspace: Workspace) -> None:
    """Write the versions of `package_versions` beside dvc.yaml."""
    versions = package_versions(workspace)
    text = msgspec.json.format(msgspec.json.encode(versions), indent=2).decode()
    write_text(f"{text}\n", packages_path(workspace))
