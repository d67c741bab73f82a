"""Commands that change the rows of a view between two runs of the pipeline: push and delete."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from featurestore.cli.arguments import values_of
from featurestore.cli.options import HERE, DryRun, Folder, Json, opened_at, usage
from featurestore.cli.output import Output
from featurestore.cli.plans import delete_plan_text

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

    The whole file passes the gate, or nothing is written. If a release is served, push to it with
    `--project data/releases/current`; the project and the next release get the rows too.

    Example: `featurestore push customer_spending orders.csv`
    """
    done = opened_at(project).push(view, file)
    text = f"{view}: {done.rows:,} rows pushed, {done.rows_applied:,} keys written; until {done.until.isoformat()}"
    Output(json).result(done, text)


def delete(
    view: View,
    values: Annotated[list[str], typer.Argument(help="The view's keys, as name=value.")],
    project: Folder = HERE,
    *,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Delete an entity from a view of the online store, and from the release that is served.

    The entity is not found until a row of a later event arrives; no older row brings it back, in any release. Offline
    data do not change.

    Example: `featurestore delete customer_spending customer=ada`
    """
    opened = opened_at(project)
    schema = opened.catalog.view(view).key_schema
    with usage():
        keys = values_of(values, schema, f"view {view!r}")
    if dry_run:
        plan = opened.plan_delete(view, keys)
        Output(json).result(plan, delete_plan_text(plan))
        return
    count = opened.delete(view, keys)
    Output(json).result({"view": view, "deleted": count}, f"{view}: {count:,} keys deleted")


COMMANDS = (push, delete)
