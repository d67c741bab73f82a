"""Commands for releases and API keys of the server."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated

import typer

from featurestore.cli.options import HERE, Folder, Json
from featurestore.cli.output import Output, table
from featurestore.cli.serve import serve
from featurestore.service.runtime.key_scope import KeyScope

key = typer.Typer(no_args_is_help=True, help="API keys of the server.")


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


@key.command()
def add(
    name: Annotated[str, typer.Argument(help="Whose key it is.")],
    project: Folder = HERE,
    *,
    scope: Annotated[
        list[KeyScope] | None,
        typer.Option(help="What it may do; read, if none is given.", show_default=False),
    ] = None,
    service: Annotated[
        list[str] | None,
        typer.Option(help="Feature services it is for; all, if none are given.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Make a key, and print it this once: only its digest is kept.

    Example: `featurestore key add checkout --scope read --service departure_delay`
    """
    from featurestore.project import open as open_project  # noqa: PLC0415
    from featurestore.service.runtime.keys import add_key  # noqa: PLC0415

    opened = open_project(project)
    services = tuple(opened.catalog.service(found).name for found in service or ())
    secret = add_key(opened.layout.keys, name, scopes=tuple(scope or (KeyScope.READ,)), services=services)
    Output(json).result({"name": name, "key": secret}, secret)


@key.command("list")
def list_keys(project: Folder = HERE, *, json: Json = False) -> None:
    """List the keys, without their secrets.

    Example: `featurestore key list`
    """
    from featurestore.project import open as open_project  # noqa: PLC0415
    from featurestore.service.runtime.keys import read_keys  # noqa: PLC0415

    found = read_keys(open_project(project).layout.keys)
    rows = [("key", "scopes", "services")]
    rows += [(k.name, ", ".join(k.scopes), ", ".join(k.services) or "all") for k in found]
    record = [{"name": k.name, "scopes": k.scopes, "services": k.services} for k in found]
    Output(json).result(record, table(rows) if found else "there are no API keys")


@key.command()
def remove(
    name: Annotated[str, typer.Argument(help="Whose key it is.")],
    project: Folder = HERE,
    *,
    json: Json = False,
) -> None:
    """Forget a key; a running server does so within a second.

    Example: `featurestore key remove checkout`
    """
    from featurestore.project import open as open_project  # noqa: PLC0415
    from featurestore.service.runtime.keys import remove_key  # noqa: PLC0415

    remove_key(open_project(project).layout.keys, name)
    Output(json).result({"removed": name}, f"removed {name}")
