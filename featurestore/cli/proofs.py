"""Commands that prove: check, audit and replay; and those that show: summary and pipeline."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from featurestore.cli.options import HERE, Folder, Json, Names, opened_at, opened_for_stage
from featurestore.cli.output import Output, table
from featurestore.cli.text import summary_text


def check(
    names: Names = None,
    project: Folder = HERE,
    *,
    reproducible: Annotated[
        bool,
        typer.Option("--reproducible", help="Build twice, on shuffled rows and other threads, and compare."),
    ] = False,
    json: Json = False,
) -> None:
    """Type-check all definitions without data.

    Exits with 7 if dvc.yaml does not follow the definitions, and with 3 if `apply` would refuse them: for changes that
    break feature services, or because something that is registered is no longer defined.

    With --reproducible, also build datasets, feature views and training sets (those that are named, or all) twice from
    the data in place. Exits with 3 if two builds differ, and names the column.

    Example: `featurestore check`
    """
    if names and not reproducible:
        raise typer.BadParameter("names go with --reproducible: without it, all definitions are checked")
    opened = opened_at(project)
    count = opened.check()
    stale = opened.stale_pipeline()
    changes = opened.registry_changes()
    record: dict[str, object] = {
        "definitions": count,
        "stale_pipeline": stale,
        "breaking": changes.breaking,
        "removed": changes.removed,
    }
    lines = [f"{count:,} definitions fit together"]
    if reproducible:
        built = opened.check_reproducible(names or ())
        record["reproducible"] = built
        lines += [f"{len(built):,} built twice, with the same bits"]
    Output(json).result(record, "\n".join(lines))
    if stale is not None and (changes.breaking or changes.removed):
        sys.stderr.write(f"featurestore: {stale.error()}\n")
    changes.require_allowed()
    if stale is not None:
        raise stale.error()


def audit(project: Folder = HERE, *, json: Json = False) -> None:
    """Prove parity: compare every cell of the online store with the historical join at the same timestamp.

    Exits with 5 if a cell differs.

    Example: `featurestore audit`
    """
    record = opened_for_stage(project).audit()
    rows = [("compared", "rows", "cells", "mismatches")]
    rows += [
        (part.name, f"{part.rows:,}", f"{part.cells:,}", f"{part.mismatches:,}")
        for part in (*record.views, *record.services)
    ]
    verdict = f"{record.cells:,} cells compared, {record.mismatches:,} mismatches"
    Output(json).result(record, f"{table(rows)}\n{verdict}")
    record.require_parity()


def replay(
    service: Annotated[str, typer.Argument(help="A feature service.")],
    project: Folder = HERE,
    *,
    json: Json = False,
) -> None:
    """Prove what was served: compare every logged vector with the historical join at the timestamp of its answer.

    Reads what `featurestore serve --log-features` wrote. Exits with 5 if a cell differs: the store was behind.

    Example: `featurestore replay departure_delay`
    """
    record = opened_at(project).replay(service)
    rows = sum(compared.rows for compared in record.services)
    verdict = f"{rows:,} vectors, {record.cells:,} cells replayed, {record.mismatches:,} mismatches"
    Output(json).result(record, verdict)
    record.require_parity()


def summary(project: Folder = HERE, *, json: Json = False) -> None:
    """Summarize the last run: rows, quarantine, features, training sets, a vector, parity, report.

    Example: `featurestore summary`
    """
    opened = opened_at(project)
    record = opened.summary()
    Output(json).result(record, summary_text(opened, record))


def pipeline(
    project: Folder = HERE,
    *,
    write: Annotated[bool, typer.Option("--write", help="Write dvc.yaml in the project's folder.")] = False,
) -> None:
    """Derive dvc.yaml from the definitions, and print it.

    Example: `featurestore pipeline --write`
    """
    text = opened_at(project).pipeline(write=write)
    if not write:
        sys.stdout.write(text)
