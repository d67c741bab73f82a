"""Commands about training sets that are built: rebuild, card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from featurestore.cli.options import HERE, Folder, Json, opened_at
from featurestore.cli.output import Output

if TYPE_CHECKING:
    from featurestore.project import Rebuilt


def rebuild(
    manifest: Annotated[
        str,
        typer.Argument(
            help="The record of a build, data/records/training/NAME.json; a manifest, data/training/NAME.json; a copy; or a name."
        ),
    ],
    project: Folder = HERE,
    *,
    json: Json = False,
) -> None:
    """Build a training set again from its git revision and its data, and compare every digest.

    Exits with 5 if a value differs, and names the first column and the reasons; with 6 if data are gone.

    Example: `featurestore rebuild departures`

    Example: `featurestore rebuild models/2026-03/departures.json --json`
    """
    opened = opened_at(project)
    out = Output(json)
    with out.progress(len(opened.catalog.nodes) + 2, "rebuilding") as step:
        result = opened.rebuild(manifest, progress=step)
    out.result(result, _text(result))
    result.require_same()


def card(
    name: Annotated[str, typer.Argument(help="A training set that is built.")],
    project: Folder = HERE,
    *,
    json: Json = False,
) -> None:
    """Write the data card of a training set, as HTML, Markdown and Croissant 1.1.

    Exits with 3 if a text that only a person can write is empty, such as a licence or the known limits.

    Example: `featurestore card departures`
    """
    files = opened_at(project).card(name)
    paths = {"html": str(files.html), "markdown": str(files.markdown), "croissant": str(files.croissant)}
    Output(json).result(paths, "\n".join(paths.values()))


_BYTES = {True: "equal", False: "different", None: "not recorded"}


def _text(result: Rebuilt) -> str:
    lines = [
        f"{result.name}: built again from revision {result.revision}",
        f"  values: {'equal' if result.same_values else 'different'}",
        f"  bytes: {_BYTES[result.same_bytes]}",
        f"  {result.digest}",
    ]
    return "\n".join(lines)
