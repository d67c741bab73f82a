"""Commands that change the rows of a view between two runs of the pipeline: push and delete."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from featurestore.cli.arguments import values_of
from featurestore.cli.options import HERE, DryRun, Folder, Json, opened_at, usage
from featurestore.cli.output import Output
from featurestore.cli.plans import delete_plan_text
from featurestore.cli.row_texts import deleted_text, pushed_text

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

    The whole file passes the gate, or nothing is written. The active release gets the rows too. Rows that write nothing
    are counted with the reason.

    Example: `featurestore push customer_spending orders.csv`
    """
    done = opened_at(project).push(view, file)
    Output(json).result(done, pushed_text(done))


def delete(
    view: View,
    values: Annotated[
        list[str] | None,
        typer.Argument(
            help="The view's keys, as name=value; none for a view without an entity.", show_default=False
        ),
    ] = None,
    project: Folder = HERE,
    *,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Delete an entity from a view of the online store, and from the release that is served.

    From now on the entity is not found, online and in training sets, until a row of a later event arrives; no older row
    brings it back, in any release. Reads of earlier times do not change.

    A view without an entity has one value for all; the command without keys deletes it.

    Example: `featurestore delete customer_spending customer=ada`
    """
    opened = opened_at(project)
    schema = opened.catalog.view(view).key_schema
    with usage():
        keys = values_of(values or [], schema, f"view {view!r}")
    plan = opened.plan_delete(view, keys)
    if dry_run:
        Output(json).result(plan, delete_plan_text(plan))
        return
    count = opened.delete(view, keys)
    record: dict[str, object] = {"view": view, "deleted": count, "stored": plan.stored}
    if plan.release is not None:
        record["release"] = plan.release
    Output(json).result(record, deleted_text(plan, count))


COMMANDS = (push, delete)
