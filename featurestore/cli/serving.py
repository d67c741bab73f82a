"""Commands for the server and its releases."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated

import typer

from featurestore.cli.options import HERE, Folder, Json
from featurestore.cli.output import Output, table
from featurestore.cli.serve import serve


def release(
    project: Folder = HERE,
    *,
    keep: Annotated[int, typer.Option(min=1, help="Releases to keep.")] = 5,
    json: Json = False,
) -> None:
    """Freeze definitions and online data together, and serve them from now on.

    Example: `featurestore release`
    """
    from featurestore.project import open as open_project  # noqa: PLC0415

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        made = open_project(project).release(keep=keep)
    for warning in told:
        sys.stderr.write(f"featurestore: {warning.message}\n")
    Output(json).result(
        made, f"release {made.name}: {len(made.services)} services, {len(made.views)} views, served now"
    )


def rollback(
    to: Annotated[
        str | None, typer.Argument(help="A release; the former, if none is given.", show_default=False)
    ] = None,
    project: Folder = HERE,
    *,
    json: Json = False,
) -> None:
    """Serve the former release again, definitions and data in one step.

    Example: `featurestore rollback`
    """
    from featurestore.project import open as open_project  # noqa: PLC0415

    name = open_project(project).rollback(to)
    Output(json).result({"release": name}, f"release {name} is served now")


def releases(project: Folder = HERE, *, json: Json = False) -> None:
    """List the releases.

    Example: `featurestore releases`
    """
    from featurestore.operations.release import current  # noqa: PLC0415
    from featurestore.operations.release import releases as list_releases  # noqa: PLC0415
    from featurestore.project import open as open_project  # noqa: PLC0415

    layout = open_project(project).layout
    served, found = current(layout), list_releases(layout)
    rows = [("release", "made at", "services", "views", "")]
    rows += [
        (
            made.name,
            f"{made.made_at:%Y-%m-%d %H:%M:%SZ}",
            str(len(made.services)),
            str(len(made.views)),
            "served" if made.name == served else "",
        )
        for made in found
    ]
    text = table(rows) if found else "there is no release: the project itself is served"
    Output(json).result({"served": served, "releases": found}, text)


COMMANDS = (serve, release, rollback, releases)
