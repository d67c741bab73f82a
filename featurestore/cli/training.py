"""Commands about training sets that are built: rebuild."""

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
        typer.Argument(help="The record of a build, data/records/training/NAME.json or a copy; or a name."),
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


def _text(result: Rebuilt) -> str:
    lines = [
        f"{result.name}: built again from revision {result.revision}",
        f"  values: {'equal' if result.same_values else 'different'}",
        f"  bytes: {'equal' if result.same_bytes else 'different'}",
        f"  {result.digest}",
    ]
    return "\n".join(lines)
