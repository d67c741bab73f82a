"""Commands of the first day: init and add."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from featurestore.cli.options import HERE, Folder, Json, opened_at
from featurestore.cli.output import Output
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from featurestore.project import Added


def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the project.", show_default=False)] = HERE,
    *,
    example: Annotated[
        bool,
        typer.Option("--example", help="Also write a small shop: data, contracts, views, tests, CI file."),
    ] = False,
    json: Json = False,
) -> None:
    """Write the files of a project, and make the repositories of git and DVC that the folder lacks.

    Existing files are kept: in a folder with a Feast repository or a dvc.yaml, the project joins in.

    Example: `featurestore init shop --example`
    """
    from featurestore.project import init as write_project  # noqa: PLC0415 - `--help` answers at once

    written = [path.as_posix() for path in write_project(folder, example=example)]
    command = "featurestore run" if example else "featurestore add FILE"
    enter = "" if folder.resolve() == Path.cwd() else f"cd {shlex.quote(str(folder))} && "
    Output(json).result(written, "\n".join([*written, f"next: {enter}{command}"]))


def add(
    target: Annotated[
        str, typer.Argument(help="CSV or Parquet file, pattern, folder of such files, or SQL for DuckDB.")
    ],
    project: Folder = HERE,
    *,
    name: Annotated[
        str | None, typer.Option(help="Name of the source; default: that of the file or folder.")
    ] = None,
    owner: Annotated[str | None, typer.Option(help="Who is responsible; default: the current user.")] = None,
    json: Json = False,
) -> None:
    """Add data of your own: version them with DVC, draft a schema that they pass, declare a source.

    Prints what was assumed, and what the data do not tell. Data of a source that exists, `data/pushed` and `data/served`
    only get a new version.

    Example: `featurestore add ~/orders.csv --owner shop`

    Example: `featurestore add "FROM 'visits.json'" --name visits`
    """
    added = opened_at(project).add(target, name=name, owner=owner)
    Output(json).result(added, added_text(added))


def added_text(added: Added) -> str:
    """Show what was added, what was assumed, what is open, and what to do next."""
    if not added.rows:
        files = ", ".join((*added.versioned, *added.written))
        return f"{added.name}: {added.path} has a new version\ncommit: {files}"
    lines = [f"source {added.name}: {counted(added.rows, 'row')} of {added.path}"]
    lines += [f"  wrote {file}" for file in (*added.written, *added.versioned)]
    lines += ["assumed:", *(f"  {sentence}" for sentence in added.assumptions)]
    if added.questions:
        lines += [f"open, in {added.written[0]}:", *(f"  {question}" for question in added.questions)]
    return "\n".join([*lines, f"next: write a feature view that reads {added.name}, then: featurestore run"])
