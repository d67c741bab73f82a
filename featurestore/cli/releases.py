"""Commands of releases: release, rollback, prune and releases."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from featurestore.cli.options import HERE, DryRun, Folder, Json, opened_at
from featurestore.cli.output import Output, complain, table
from featurestore.cli.plans import prune_plan_text, release_plan_text, rollback_plan_text
from featurestore.config import KEEP_RELEASES
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

Keep = Annotated[
    int, typer.Option(min=1, help="Releases to keep; the active one and the one before it always stay.")
]


def release(
    project: Folder = HERE, *, keep: Keep = KEEP_RELEASES, dry_run: DryRun = False, json: Json = False
) -> None:
    """Freeze definitions and online data as a release, audit it, and serve it.

    Exits with 5 if a cell of the release differs between training and serving, or if a feature view leaks or was checked for
    leaks (`featurestore check-leaks`) in another state; with 6 if a view was not checked; and with 3 if a view cannot be proven. The
    former release stays active.

    Example: `featurestore release`

    Example: `featurestore release --dry-run`
    """
    opened = opened_at(project)
    if dry_run:
        plan = opened.plan_release(keep=keep)
        Output(json).result(plan, release_plan_text(plan))
        return
    with _printed_warnings():
        record = opened.release(keep=keep)
    text = f"release {record.name}: {counted(len(record.services), 'service')}, {counted(len(record.views), 'view')}, served now"
    Output(json).result(record, text)


def rollback(
    to: Annotated[
        str | None,
        typer.Argument(help="A release; the former release, if none is given.", show_default=False),
    ] = None,
    project: Folder = HERE,
    *,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Serve the former release again: definitions and data switch in one step.

    Example: `featurestore rollback`

    Example: `featurestore rollback 0003`
    """
    opened = opened_at(project)
    if dry_run:
        plan = opened.plan_rollback(to)
        Output(json).result(plan, rollback_plan_text(plan))
        return
    name = opened.rollback(to)
    Output(json).result({"release": name}, f"release {name} is served now")


def prune(
    project: Folder = HERE, *, keep: Keep = KEEP_RELEASES, dry_run: DryRun = False, json: Json = False
) -> None:
    """Remove old releases.

    Example: `featurestore prune --keep 3`
    """
    opened = opened_at(project)
    if dry_run:
        plan = opened.plan_prune(keep=keep)
        Output(json).result(plan, prune_plan_text(plan))
        return
    with _printed_warnings():
        removed = opened.prune(keep=keep)
    Output(json).result(
        {"removed": removed}, "\n".join(f"removed {name}" for name in removed) or "removed none"
    )


def releases(project: Folder = HERE, *, json: Json = False) -> None:
    """List the releases.

    Example: `featurestore releases`
    """
    opened = opened_at(project)
    active = opened.active_release()
    records = opened.releases()
    rows = [("release", "made at", "services", "views", "")]
    rows += [
        (
            record.name,
            f"{record.made_at:%Y-%m-%d %H:%M:%SZ}",
            f"{len(record.services):,}",
            f"{len(record.views):,}",
            "served" if record.name == active else "",
        )
        for record in records
    ]
    text = table(rows) if records else "there is no release: the project itself is served"
    Output(json).result({"served": active, "releases": records}, text)


COMMANDS = (release, rollback, prune, releases)


@contextmanager
def _printed_warnings() -> Iterator[None]:
    """Print warnings, such as of a release that could not be removed, as one line each."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for warning in caught:
        complain(f"featurestore: {warning.message}")
