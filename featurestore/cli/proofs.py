"""Commands that prove: check, check-leaks, audit, prove and replay; and those that show: summary and pipeline."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from featurestore.cli.options import HERE, Folder, Json, Names, opened_at, opened_for_stage
from featurestore.cli.output import Output, complain, table
from featurestore.cli.replay_text import replay_text
from featurestore.cli.text import proof_text, summary_text
from featurestore.config import LEAK_CUTS, PROVE_CASES, PROVE_SEED
from featurestore.values.wording import counted


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

    Says which on-demand views have no plain Python function, so that Polars computes them at each request; which inputs of
    views and fitted steps do not tell when their rows become known: they are declared static facts, or check-leaks cannot
    prove them; and which features `rolling` computes at each event, so that they do not slide to the time of a read.
    Also says which raw files and pushed rows have no version, so that a clone could not build from them. Exits with 7 if
    dvc.yaml does not follow the definitions, and with 3 if `apply` would refuse them: for changes that break feature
    services, or because something that is registered is no longer defined.

    With --reproducible, also build datasets, feature views and training sets (those that are named, or all) twice from
    the data in place. Exits with 3 if two builds differ, and names the column.

    Example: `featurestore check`
    """
    if names and not reproducible:
        raise typer.BadParameter("names go with --reproducible: without it, all definitions are checked")
    opened = opened_at(project)
    count = opened.check()
    gaps = opened.unversioned()
    rolling = opened.rolling_features()
    stale = opened.stale_pipeline()
    changes = opened.registry_changes()
    record: dict[str, object] = {
        "definitions": count,
        "unversioned": gaps,
        "stale_pipeline": stale,
        "breaking": changes.breaking,
        "removed": changes.removed,
        "uncompiled": (by_polars := opened.uncompiled()),
        "timeless": (timeless := opened.timeless()),
        "rolling": rolling,
    }
    lines = [f"{counted(count, 'definition')} fit together"]
    lines += [f"Polars computes {name} at each request: {reason}" for name, reason in by_polars.items()]
    lines += [f"{name}: static facts, taken as known before the first row" for name in timeless.static]
    lines += [
        f"{name}: nothing tells when its rows become known; check-leaks cannot prove the views and steps that read it"
        for name in timeless.unproven
    ]
    if reproducible:
        built = opened.check_reproducible(names or ())
        record["reproducible"] = built
        lines += [f"{len(built):,} built twice, with the same bits"]
    out = Output(json)
    out.warn((*gaps, *rolling))
    out.result(record, "\n".join(lines))
    if stale is not None and (changes.breaking or changes.removed):
        complain(f"featurestore: {stale.error()}")
    changes.require_allowed()
    if stale is not None:
        raise stale.error()


def check_leaks(
    names: Names = None,
    project: Folder = HERE,
    *,
    cuts: Annotated[
        int,
        typer.Option(
            "--cuts", min=1, help="How many times to build a view at most, each from one timestamp."
        ),
    ] = LEAK_CUTS,
    json: Json = False,
) -> None:
    """Prove that no row of a feature view knows the future: build each again from what was known at its own timestamp.

    The schemas of sources and datasets declare when rows and columns become known (`known` in their metadata). Input
    rows that become known later than a row are left out, and columns that do are blank. Names are feature views and training
    sets. Of a training set it looks for features that predict the label, inputs that are known after the row, and rows that are in several
    splits. Exits with 5 if a row comes out different, and names the row, the feature, both values and where the future came from; or
    if a training set reveals its label. Exits with 3 if nothing tells when an input becomes known.

    Example: `featurestore check-leaks aircraft_state`
    """
    record = opened_for_stage(project).check_leaks(names or (), cuts=cuts)
    rows = [("view", "rows", "tested", "leaking", "result")]
    rows += [
        (view.name, f"{view.rows:,}", f"{view.tested:,}", f"{view.leaking:,}", view.result)
        for view in record.views
    ]
    sets = [("training set", "rows", "features", "result")]
    sets += [
        (checked.name, f"{checked.rows:,}", f"{checked.features:,}", checked.result)
        for checked in record.training_sets
    ]
    tables = [table(lines) for lines in (rows, sets) if len(lines) > 1]
    Output(json).result(record, "\n".join(tables))
    record.require_none()


def audit(
    project: Folder = HERE,
    *,
    feast: Annotated[
        bool, typer.Option("--feast", help="Also read through Feast's SDK, from the applied registry.")
    ] = False,
    json: Json = False,
) -> None:
    """Prove that serving gives what training was given, cell by cell, bit by bit.

    Compares every cell of the online store with the historical join at the same timestamp; rows of each service, read
    through each serving path; and every cell of each kept training set with the same join, made again. Exits with 5
    if a cell differs, and names its cause.

    Example: `featurestore audit`
    """
    record = opened_for_stage(project).audit(feast=feast)
    rows = [("compared", "path", "rows", "cells", "mismatches")]
    rows += [
        (part.name, part.path, f"{part.rows:,}", f"{part.cells:,}", f"{part.mismatches:,}")
        for part in record.compared
    ]
    verdict = f"{counted(record.cells, 'cell')} compared, {counted(record.mismatches, 'mismatch')}"
    Output(json).result(record, f"{table(rows)}\n{verdict}")
    record.require_parity()


def prove(
    project: Folder = HERE,
    *,
    cases: Annotated[int, typer.Option("--cases", min=1, help="Histories of each view.")] = PROVE_CASES,
    seed: Annotated[int, typer.Option("--seed", help="Decides the cases.")] = PROVE_SEED,
    json: Json = False,
) -> None:
    """Prove views and services on cases generated from their schemas, through every serving path.

    Values at and beyond the bounds, nulls, late rows, corrections, pushes, deletions and expiry go through a
    temporary store; the served data are not touched. Exits with 5 if an answer differs from the point-in-time join, and
    prints a script that shows the difference.

    Example: `featurestore prove --cases 24`
    """
    output = Output(json)
    with output.rows("proving") as progress:
        record = opened_at(project).prove(cases=cases, seed=seed, progress=progress)
    output.result(record, proof_text(record))
    record.require_parity()


def replay(
    service: Annotated[str, typer.Argument(help="A feature service.")],
    project: Folder = HERE,
    *,
    release: Annotated[
        str | None, typer.Option("--release", help="Only what this release served, such as 0001.")
    ] = None,
    json: Json = False,
) -> None:
    """Prove what was served: compare every logged vector with the historical join at the timestamp of its answer.

    Reads what `featurestore serve --log-features` wrote, and recomputes each vector with the definitions and features
    of the release that served it. Exits with 5 if a cell differs, and names the cause.

    Example: `featurestore replay departure_delay`
    """
    record = opened_at(project).replay(service, release=release)
    Output(json).result(record, replay_text(record))
    record.require_parity()


def summary(project: Folder = HERE, *, json: Json = False) -> None:
    """Summarize the last run: rows, quarantine, features, training sets, a vector, parity, report.

    Names data that have no version, such as rows that were pushed since the last one.

    Example: `featurestore summary`
    """
    opened = opened_at(project)
    record = opened.summary()
    out = Output(json)
    out.warn(record.unversioned)
    out.result(record, summary_text(opened, record))


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
