"""Paths inside a project: DVC and dvc.yaml name no other file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def inside(root: Path, path: Path) -> str:
    """Return the path of a file or folder relative to the project, with ``/``.

    Folders are followed through links. The file itself is not: DVC may link it to its cache, which is anywhere.

    Raises
    ------
    ConfigError
        If it is outside the project.
    """
    top = root.resolve()
    place = top / path
    name = place.resolve() if place.name in ("", "..") else place.parent.resolve() / place.name
    if not name.is_relative_to(top):
        raise ConfigError(
            f"{path} is outside the project, at {name}; expected a path in {top}: DVC versions no other file",
            hint="copy the file into data/raw, or run: featurestore add PATH, which copies it there",
        )
    return name.relative_to(top).as_posix()
