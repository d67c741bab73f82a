"""Options that many commands share: the project's folder, names, JSON output, dry runs."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from featurestore.cli.output import complain
from featurestore.errors import ConfigError, ContractError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from featurestore.project import Project

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would change, and change nothing.")]
Folder = Annotated[
    Path, typer.Option("--project", "-p", help="The project's folder.", envvar="FEATURESTORE_PROJECT")
]
Names = Annotated[list[str] | None, typer.Argument(help="Names; all, if none are given.", show_default=False)]
HERE = Path()


@contextmanager
def usage(parameter: str | None = None) -> Iterator[None]:
    """Report what cannot be read on the command line as wrong usage, which exits with 2."""
    try:
        yield
    except (ConfigError, ContractError) as error:
        text = error.message if error.hint is None else f"{error.message}; {error.hint}"
        raise typer.BadParameter(text, param_hint=parameter) from error


def timestamp_of_option(option: str, text: str | None) -> datetime | None:
    """Read the timestamp of an option; None stays None."""
    if text is None:
        return None
    from featurestore.timestamps import parse_timestamp  # noqa: PLC0415 - `--help` answers at once

    with usage(option):
        return parse_timestamp(text)


def opened_for_stage(folder: Path) -> Project:
    """Open a project for a stage of its pipeline; warn on standard error if dvc.yaml does not follow the definitions."""
    project = opened_at(folder)
    if (stale := project.stale_pipeline()) is not None:
        complain(f"featurestore: warning: {stale.error()}")
    return project


def opened_at(folder: Path) -> Project:
    """Open the project in a folder. Heavy packages are imported only now."""
    from featurestore.project import open as open_project  # noqa: PLC0415 - `--help` answers at once

    return open_project(folder)
