"""The command `serve`: its options derive from the server's own declaration."""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any

import typer

from featurestore.cli.options import HERE, Folder
from featurestore.service.runtime.options import Options, ServerOption, server_options

if TYPE_CHECKING:
    from collections.abc import Callable


def with_server_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command one parameter for each option of the server, in place of its ``**options``."""
    signature = inspect.signature(command, eval_str=True)
    own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    derived = [_parameter(option) for option in server_options()]

    @wraps(command)
    def derived_command(*args: Any, **options: Any) -> None:
        command(*args, **options)

    derived_command.__signature__ = signature.replace(parameters=[*own, *derived])  # type: ignore[attr-defined]
    derived_command.__annotations__ = {p.name: p.annotation for p in (*own, *derived)}
    return derived_command


def _parameter(option: ServerOption) -> inspect.Parameter:
    """Derive the Typer parameter of one server option."""
    info = typer.Option(
        *option.flags,
        help=option.help,
        min=option.minimum,
        max=option.maximum,
        show_default=option.default is not None,
    )
    return inspect.Parameter(
        option.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=option.default,
        annotation=Annotated[option.kind, info],
    )


@with_server_options
def serve(
    services: Annotated[
        list[str] | None, typer.Argument(help="Feature services; all, if none are given.", show_default=False)
    ] = None,
    project: Folder = HERE,
    **options: Any,
) -> None:
    """Serve features over HTTP: Feast's wire format, and POST /v1/vectors/SERVICE.

    Serves the current release, or the project itself if there is no release. A running server loads each new
    release automatically. GET /docs documents what it serves.

    Example: `featurestore serve departure_delay --port 8566`
    """
    from featurestore.service.run import serve as run  # noqa: PLC0415 - `--help` must not load the server

    run(Options(root=str(project.resolve()), services=tuple(services or ()), **options))
