"""Commands of the usual order that change data: run, ingest, apply, training-set and materialize."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
import typer

from featurestore.cli.options import (
    HERE,
    DryRun,
    Folder,
    Json,
    Names,
    opened_at,
    opened_for_stage,
    timestamp_of_option,
    usage,
)
from featurestore.cli.output import Output, table
from featurestore.cli.plans import NOTHING_CHANGED, apply_text, materialize_plan_text
from featurestore.cli.split_text import drift_lines
from featurestore.cli.text import training_text, verdict_text
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from featurestore.project import SplitChange, TrainingManifest

T = TypeVar("T")


def run(project: Folder = HERE, *, json: Json = False) -> None:
    """Run all steps that are out of date, from raw files to the report, in one process.

    Checks the definitions, writes dvc.yaml, and keeps the records of `dvc repro`, which then has nothing to do. Raw files
    that changed get a new version. Stops at the first step that fails, with the exit code of its command.

    Example: `featurestore run`
    """
    out = Output(json)
    opened = opened_at(project)
    # A stage for each dataset and training set, then apply, materialize, audit and report.
    stages = len(opened.catalog.nodes) + len(opened.catalog.training_sets) + 4
    with out.progress(stages, "running") as step:
        done = opened.run(progress=step)
    lines = (
        [f"{counted(len(done.steps), 'step')} ran: {', '.join(done.steps)}"]
        if done.steps
        else ["nothing to do"]
    )
    if done.verdicts:
        lines.append(verdict_text(done.verdicts))
    lines += [f"training set {training_text(manifest)}" for manifest in done.training_sets]
    lines += [
        f"{name}: warning: {change}" for name, changes in done.split_changes.items() for change in changes
    ]
    lines += [
        f"training set {name}: left out, because no answer of service {opened.catalog.training_set(name).service.name} is "
        "logged yet\n  hint: run: featurestore serve --log-features 1"
        for name in done.awaiting
    ]
    lines += [
        f"{view}: not checked for leaks, because nothing tells when the rows of {', '.join(inputs)} become known; `release` will "
        'refuse it\n  hint: write metadata = {"known": "<column>"} in the Config of the schema, or "always"'
        for view, inputs in done.unproven.items()
    ]
    if done.audit is not None:
        lines.append(
            f"parity: {counted(done.audit.cells, 'cell')} compared, {counted(done.audit.mismatches, 'mismatch')}"
        )
    out.result(done, "\n".join(lines))


def ingest(names: Names = None, project: Folder = HERE, *, json: Json = False) -> None:
    """Fetch the raw files of sources from their origins.

    Fetches all sources that declare an origin if no names are given.

    Example: `featurestore ingest raw_flights`
    """
    opened = opened_for_stage(project)
    out = Output(json)
    selected = names or [s.name for s in opened.catalog.sources.values() if s.origin is not None]
    paths = [str(path) for path in _each(out, "fetching", selected, opened.ingest)]
    lines = [f"{name}: {path}" for name, path in zip(selected, paths, strict=True)]
    nothing = "no source declares an origin: copy each raw file to the path that its source names"
    out.result(dict(zip(selected, paths, strict=True)), "\n".join(lines) or nothing)


def apply(
    project: Folder = HERE,
    *,
    allow_removal: Annotated[
        bool, typer.Option("--allow-removal", help="Also remove what is no longer defined.")
    ] = False,
    allow_breaking: Annotated[
        bool,
        typer.Option(
            "--allow-breaking", help="Also change schemas in ways that break the services that read them."
        ),
    ] = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Register the definitions with Feast.

    With --dry-run, exits with 3 if `apply` would refuse.

    Example: `featurestore apply`

    Example: `featurestore apply --dry-run`
    """
    opened = opened_for_stage(project)
    if not dry_run:
        changes = opened.apply(allow_removal=allow_removal, allow_breaking=allow_breaking)
        Output(json).result(changes, apply_text(changes))
        return
    plan = opened.plan_apply()
    Output(json).result(plan, f"{apply_text(plan)}\n{NOTHING_CHANGED}")
    plan.require_allowed(allow_removal=allow_removal, allow_breaking=allow_breaking)


def training_set(
    names: Names = None,
    project: Folder = HERE,
    *,
    as_of: Annotated[
        str | None,
        typer.Option(
            help="Build what could have been built at this time, such as 2013-12-31T12:00:00Z; now, if none is given."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Build training sets: each row has the features known at its timestamp.

    A row whose label is not known yet is left out and counted, if the training set says when labels are known.

    Example: `featurestore training-set departures`

    Example: `featurestore training-set departures --as-of 2013-06-30T00:00:00Z`
    """
    opened = opened_for_stage(project)
    out = Output(json)
    timestamp = timestamp_of_option("--as-of", as_of)
    if timestamp is not None:
        with usage("--as-of"):
            opened.settings.require_reached(timestamp, for_labels=True)
    changes: dict[str, list[SplitChange]] = {}

    def build(name: str) -> TrainingManifest:
        changes[name] = []
        return opened.training_set(name, as_of=timestamp, on_split_change=changes[name].append)

    manifests = _each(out, "joining", names or list(opened.catalog.training_sets), build)
    lines = [
        f"{training_text(manifest)}\n  {opened.layout.training(manifest.name)}" for manifest in manifests
    ]
    drifts = {manifest.name: opened.split_drift(manifest.name) for manifest in manifests}
    lines += [f"{name}: warning: {change}" for name, of_set in changes.items() for change in of_set]
    for manifest in manifests:
        lines += drift_lines(manifest, drifts[manifest.name])
    records = [
        {
            **msgspec.to_builtins(manifest),
            "warnings": manifest.warnings,
            "split_changes": changes[manifest.name],
            "split_drift": drifts[manifest.name],
        }
        for manifest in manifests
    ]
    out.result(records, "\n".join(lines) or "no training set is defined")


def materialize(
    names: Names = None,
    project: Folder = HERE,
    *,
    until: Annotated[
        str | None,
        typer.Option(
            help="Timestamp to bring the store to, such as 2013-12-31T12:00:00Z; the current time, if none is given."
        ),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Write the views in full.")] = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Bring the online store to a timestamp: every row known by then, and no other row.

    Example: `featurestore materialize --until 2013-12-31T12:00:00Z`

    Example: `featurestore materialize --dry-run`
    """
    opened = opened_for_stage(project)
    out = Output(json)
    timestamp = timestamp_of_option("--until", until)
    if timestamp is not None:
        with usage("--until"):
            opened.settings.require_reached(timestamp)
    if dry_run:
        plan = opened.plan_materialize(names or (), until=timestamp, full=full)
        out.result(plan, materialize_plan_text(plan))
        return
    with out.rows("writing") as step:
        record = opened.materialize(names or (), until=timestamp, full=full, progress=step)
    rows = [("view", "rows read", "keys written", "older", "mode")]
    rows += [
        (
            view.view,
            f"{view.rows_read:,}",
            f"{view.rows_applied:,}",
            "-" if view.rows_older is None else f"{view.rows_older:,}",
            "full" if view.full else "incremental",
        )
        for view in record.views
    ]
    out.result(record, f"until {record.until.isoformat()}\n{table(rows)}")


def _each(out: Output, doing: str, names: Sequence[str], verb: Callable[[str], T]) -> list[T]:
    """Run a verb for each name, with progress."""
    results = []
    with out.progress(len(names), doing) as step:
        for name in names:
            step(name)
            results.append(verb(name))
    return results
