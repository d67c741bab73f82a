"""Commands. Heavy parts are imported inside them, so that ``--help`` answers at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from featurestore.cli import asking, datasets, drift, gating, keys, serving, writing
from featurestore.cli.options import HERE, Folder, Json, Names, opened_at
from featurestore.cli.output import Output, table
from featurestore.cli.text import summary_text
from featurestore.errors import FeatureStoreError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Features that training and serving read alike, bit for bit.\n\n"
    "Usual order: **ingest**, **validate**, **build**, **apply**, **training-set**, **materialize**, **get**, "
    "**audit**, **report**; `dvc repro` runs what is out of date.\n\n"
    "Exit codes: 0 done, 2 wrong usage, 3 a definition is wrong, 4 data break their contract, 5 training and serving "
    "disagree, 6 data are missing, 7 settings are wrong, 8 a store or file system failed.",
)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the project.", show_default=False)] = HERE,
    *,
    json: Json = False,
) -> None:
    """Write the files of an empty project.

    Example: `featurestore init shop`
    """
    from featurestore.operations.init import init as write_project  # noqa: PLC0415

    written = [path.as_posix() for path in write_project(folder)]
    Output(json).result(written, "\n".join(written))


@app.command()
def check(project: Folder = HERE, *, json: Json = False) -> None:
    """Type-check all definitions without data.

    Example: `featurestore check`
    """
    count = opened_at(project).check()
    Output(json).result({"definitions": count}, f"{count} definitions fit together")


@app.command()
def ingest(names: Names = None, project: Folder = HERE, *, json: Json = False) -> None:
    """Fetch raw files of sources that say where they come from.

    Example: `featurestore ingest raw_flights`
    """
    opened, out = opened_at(project), Output(json)
    wanted = names or [s.name for s in opened.catalog.sources.values() if s.origin is not None]
    with out.progress(len(wanted), "fetching") as step:
        paths = {name: str(_stepped(step, name, opened.ingest)) for name in wanted}
    out.result(paths, "\n".join(f"{name}: {path}" for name, path in paths.items()))


app.command()(gating.validate)
app.command()(gating.build)


@app.command()
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
    json: Json = False,
) -> None:
    """Register the definitions with Feast.

    Example: `featurestore apply`
    """
    changes = opened_at(project).apply(allow_removal=allow_removal, allow_breaking=allow_breaking)
    lines = [
        f"{word} {name}"
        for word, names in (
            ("added", changes.added),
            ("changed", changes.changed),
            ("removed", changes.removed),
        )
        for name in names
    ]
    Output(json).result(changes, "\n".join(lines) or "nothing changed")


@app.command("training-set")
def training_set(names: Names = None, project: Folder = HERE, *, json: Json = False) -> None:
    """Build training sets: each row has the features known at its moment.

    Example: `featurestore training-set departures`
    """
    opened, out = opened_at(project), Output(json)
    wanted = names or list(opened.catalog.training_sets)
    with out.progress(len(wanted), "joining") as step:
        manifests = [_stepped(step, name, opened.training_set) for name in wanted]
    text = [
        f"{m.name}: {m.rows:,} rows x {len(m.columns)} columns\n  {m.digest}\n  {opened.layout.training(m.name)}"
        for m in manifests
    ]
    out.result(manifests, "\n".join(text) or "no training set is defined")


@app.command()
def materialize(
    names: Names = None,
    project: Folder = HERE,
    *,
    until: Annotated[
        str | None, typer.Option(help="Moment to bring the store to, such as 2013-12-31T12:00:00Z.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Write every view anew.")] = False,
    json: Json = False,
) -> None:
    """Bring the online store to a moment: every row known by then, and no other.

    Example: `featurestore materialize --until 2013-12-31T12:00:00Z`
    """
    opened, out = opened_at(project), Output(json)
    with out.rows("writing") as step:
        record = opened.materialize(names or (), until=until, full=full, progress=step)
    rows = [("view", "rows read", "keys written", "older", "mode")]
    rows += [
        (
            v.view,
            f"{v.rows_read:,}",
            f"{v.rows_applied:,}",
            f"{v.rows_older:,}",
            "full" if v.full else "incremental",
        )
        for v in record.views
    ]
    out.result(record, f"until {record.until.isoformat()}\n{table(rows)}")


@app.command()
def audit(project: Folder = HERE, *, json: Json = False) -> None:
    """Prove parity: every cell of the online store against the historical join at the same moment.

    Exits with 5 if one cell differs.

    Example: `featurestore audit`
    """
    record = opened_at(project).audit()
    rows = [("compared", "rows", "cells", "mismatches")]
    rows += [
        (c.name, f"{c.rows:,}", f"{c.cells:,}", f"{c.mismatches:,}")
        for c in (*record.views, *record.services)
    ]
    verdict = f"{record.cells:,} cells compared, {record.mismatches:,} mismatches"
    Output(json).result(record, f"{table(rows)}\n{verdict}")
    record.require_parity()


@app.command()
def replay(
    service: Annotated[str, typer.Argument(help="A feature service.")],
    project: Folder = HERE,
    *,
    json: Json = False,
) -> None:
    """Prove what was served: every logged vector against the historical join at the moment it was served.

    Reads what `featurestore serve --log-features` wrote. Exits with 5 if one cell differs: the store was behind.

    Example: `featurestore replay departure_delay`
    """
    record = opened_at(project).replay(service)
    rows = sum(compared.rows for compared in record.services)
    verdict = f"{rows:,} vectors, {record.cells:,} cells replayed, {record.mismatches:,} mismatches"
    Output(json).result(record, verdict)
    record.require_parity()


app.command()(gating.report)


@app.command()
def summary(project: Folder = HERE, *, json: Json = False) -> None:
    """Say what the last run made: rows, quarantine, features, training set, a vector, parity, report.

    Example: `featurestore summary`
    """
    opened = opened_at(project)
    found = opened.summary()
    Output(json).result(found, summary_text(opened, found))


@app.command()
def pipeline(
    project: Folder = HERE,
    *,
    write: Annotated[bool, typer.Option("--write", help="Write it to dvc.yaml.")] = False,
) -> None:
    """Derive dvc.yaml from the definitions.

    Example: `featurestore pipeline --write`
    """
    opened = opened_at(project)
    text = opened.pipeline()
    if write:
        from featurestore.storage.files import write_text  # noqa: PLC0415

        write_text(text, opened.settings.root / "dvc.yaml")
    else:
        sys.stdout.write(text)


for verb in (*asking.COMMANDS, *datasets.COMMANDS, *drift.COMMANDS, *writing.COMMANDS, *serving.COMMANDS):
    app.command()(verb)
app.add_typer(keys.key, name="key")


def _stepped(step: Any, name: str, verb: Any) -> Any:
    step(name)
    return verb(name)


def main() -> None:
    """Run the command line; errors raised on purpose become one message and their exit code."""
    try:
        app()
    except FeatureStoreError as error:
        sys.stderr.write(f"featurestore: {error}\n")
        sys.exit(error.exit_code)
