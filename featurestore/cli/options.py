"""Options that many commands share: the project's folder, names, JSON output, dry runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from featurestore.project import Project

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would change, and change nothing.")]
Folder = Annotated[
    Path, typer.Option("--project", "-p", help="The project's folder.", envvar="FEATURESTORE_PROJECT")
]
Names = Annotated[list[str] | None, typer.Argument(help="Names; all, if none are given.", show_default=False)]
HERE = Path()


def opened_for_stage(folder: Path) -> Project:
    """Open a project for a stage of its pipeline; warn on standard error if dvc.yaml does not follow the definitions."""
    project = opened_at(folder)
    if (stale := project.stale_pipeline()) is not None:
        sys.stderr.write(f"featurestore: warning: {stale.error()}\n")
    return project


def opened_at(folder: Path) -> Project:
    """Open the project in a folder. Heavy packages are imported only now."""
    from featurestore.project import open as open_project  # noqa: PLC0415 - `--help` answers at once

    return open_project(folder)
