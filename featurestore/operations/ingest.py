"""Ingest: bring the raw file of a source into the project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.definitions.source import Source
from featurestore.errors import DefinitionError

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.workspace import Workspace


def ingest(workspace: Workspace, name: str) -> Path:
    """Fetch the raw file of a source from its origin; returns the path of the file.

    Raises
    ------
    DefinitionError
        If `name` is not a source, or the source does not declare an origin.
    """
    node = workspace.catalog.node(name)
    if not isinstance(node, Source):
        raise DefinitionError(f"{name!r} is not a source", hint=f"run: featurestore build {name}")
    target = workspace.root / node.path
    workspace.reader.fetch(node, target)
    return target
