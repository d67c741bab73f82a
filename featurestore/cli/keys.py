"""Commands for the API keys of the server."""

from __future__ import annotations

from typing import Annotated

import typer

from featurestore.cli.options import HERE, Folder, Json
from featurestore.cli.output import Output, table
from featurestore.service.runtime.key_scope import KeyScope

key = typer.Typer(no_args_is_help=True, help="API keys of the server.")


@key.command()
def add(
    name: Annotated[str, typer.Argument(help="Name of the key.")],
    project: Folder = HERE,
    *,
    scope: Annotated[
        list[KeyScope] | None,
        typer.Option(help="Scope of the key; read, if none is given.", show_default=False),
    ] = None,
    service: Annotated[
        list[str] | None,
        typer.Option(
            help="Feature services that the key may read; all, if none are given.", show_default=False
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Make an API key and print it. It cannot be shown again, because only its digest is stored.

    Example: `featurestore key add checkout --scope read --service departure_delay`
    """
    from featurestore.project import open as open_project  # noqa: PLC0415
    from featurestore.service.runtime.keys import add_key  # noqa: PLC0415

    opened = open_project(project)
    services = tuple(opened.catalog.service(wanted).name for wanted in service or ())
    secret = add_key(opened.layout.keys, name, scopes=tuple(scope or (KeyScope.READ,)), services=services)
    Output(json).result({"name": name, "key": secret}, secret)


@key.command("list")
def list_keys(project: Folder = HERE, *, json: Json = False) -> None:
    """List the API keys without their secrets.

    Example: `featurestore key list`
    """
    from featurestore.project import open as open_project  # noqa: PLC0415
    from featurestore.service.runtime.keys import read_keys  # noqa: PLC0415

    keys = read_keys(open_project(project).layout.keys)
    rows = [("key", "scopes", "services")]
    rows += [(k.name, ", ".join(k.scopes), ", ".join(k.services) or "all") for k in keys]
    record = [{"name": k.name, "scopes": k.scopes, "services": k.services} for k in keys]
    Output(json).result(record, table(rows) if keys else "there are no API keys")


@key.command()
def remove(
    name: Annotated[str, typer.Argument(help="Name of the key.")],
    project: Folder = HERE,
    *,
    json: Json = False,
) -> None:
    """Remove an API key. A running server refuses it within a second.

    Example: `featurestore key remove checkout`
    """
    from featurestore.project import open as open_project  # noqa: PLC0415
    from featurestore.service.runtime.keys import remove_key  # noqa: PLC0415

    remove_key(open_project(project).layout.keys, name)
    Output(json).result({"removed": name}, f"removed {name}")
