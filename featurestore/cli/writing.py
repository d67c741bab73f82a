"""Commands that change a view's rows between two runs of the pipeline: push and delete."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from featurestore.cli.arguments import rows_of, values_of
from featurestore.cli.options import HERE, Folder, Json
from featurestore.cli.output import Output

View = Annotated[str, typer.Argument(help="A feature view.")]


def push(
    view: View,
    file: Annotated[
        Path, typer.Argument(help="Rows: .parquet, .csv or .jsonl.", exists=True, dir_okay=False)
    ],
    project: Folder = HERE,
    *,
    json: Json = False,
) -> None:
    """Write rows of a view to training and serving at once; they are known from now on.

    All of the file passes the gate, or nothing is written. Where a release is served, name it to push to it:
    `--project data/releases/current`; the project, and the next release, have the rows too.

    Example: `featurestore push customer_spending orders.csv`
    """
    from featurestore.project import open as open_project  # noqa: PLC0415

    opened = open_project(project)
    rows = rows_of(file, opened.catalog.view(view))
    done = opened.push(view, rows)
    Output(json).result(
        done,
        f"{view}: {rows.height:,} rows pushed, {done.rows_applied:,} keys written; until {done.until.isoformat()}",
    )


def delete(
    view: View,
    values: Annotated[list[str], typer.Argument(help="The view's keys, as name=value.")],
    project: Folder = HERE,
    *,
    json: Json = False,
) -> None:
    """Delete an entity from a view of the online store, and of the release that is served.

    It is not found until a row of a later event comes; no older one brings it back, in no release. Offline data stay.

    Example: `featurestore delete customer_spending customer=ada`
    """
    from featurestore.project import open as open_project  # noqa: PLC0415

    opened = open_project(project)
    found = opened.catalog.view(view)
    count = opened.delete(view, values_of(values, found.key_schema, f"view {view!r}"))
    Output(json).result({"view": view, "deleted": count}, f"{view}: {count:,} keys deleted")


COMMANDS = (push, delete)
