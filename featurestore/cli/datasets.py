"""Commands that say what data are, and what is wrong with them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from featurestore.cli.options import HERE, Folder, Json, opened_at
from featurestore.cli.output import Output

Dataset = Annotated[str, typer.Argument(help="A source, dataset, feature view or training set.")]
Reference = Annotated[str, typer.Argument(help="A dataset, a former version as NAME@REVISION, or a file.")]


def profile(name: Dataset, project: Folder = HERE, *, json: Json = False) -> None:
    """Say what the values of a dataset are: missing, zero, distinct, quantiles, most frequent, correlated.

    It is computed as the dataset passes the gate, and versioned with it.

    Example: `featurestore profile flights`
    """
    from featurestore.cli.about import profile_text  # noqa: PLC0415

    found = opened_at(project).quality.profile(name)
    Output(json).result(found, profile_text(found))


def suggest(
    reference: Reference,
    project: Folder = HERE,
    *,
    name: Annotated[
        str | None, typer.Option(help="Name of the class; by default that of the dataset.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write it to a file that is not there yet.")] = None,
) -> None:
    """Draft a Pandera schema from data, each rule with how sure it is.

    Example: `featurestore suggest data/raw/flights.csv --name RawFlights`
    """
    text = opened_at(project).quality.suggest(reference, name=name)
    if out is None:
        sys.stdout.write(text)
        return
    if out.exists():
        raise typer.BadParameter(f"{out} is there already: a draft never replaces what a person wrote")
    from featurestore.storage.files import write_text  # noqa: PLC0415

    write_text(text, out)
    Output().result(None, str(out))


def compare(
    before: Reference,
    after: Reference,
    project: Folder = HERE,
    *,
    key: Annotated[
        list[str] | None, typer.Option(help="Column that tells rows apart; may be repeated.")
    ] = None,
    json: Json = False,
) -> None:
    """Compare two datasets or versions: schema changes and whom they break, values by key.

    Example: `featurestore compare raw_weather@HEAD~1 raw_weather`
    """
    from featurestore.cli.about import comparison_text  # noqa: PLC0415

    found = opened_at(project).quality.compare(before, after, key=tuple(key or ()))
    Output(json).result(found, comparison_text(found))


def assess(
    names: Annotated[
        list[str] | None, typer.Argument(help="Datasets; all, if none are given.", show_default=False)
    ] = None,
    project: Folder = HERE,
    *,
    json: Json = False,
) -> None:
    """Answer five questions about data: whether they are accessible, sizeable, usable, understandable, reliable.

    From facts and from what schemas declare; what is not known is no yes.

    Example: `featurestore assess raw_flights`
    """
    from featurestore.cli.about import assessment_text  # noqa: PLC0415

    opened = opened_at(project)
    wanted = names or [name for name in opened.catalog.nodes if opened.layout.verdict(name).exists()]
    found = [opened.quality.assess(name) for name in wanted]
    unseen = [name for name in opened.catalog.nodes if not names and name not in wanted]
    told = [assessment_text(one, all_facts=bool(names)) for one in found]
    told += [f"{name}\n  not there: it never passed the gate" for name in unseen]
    Output(json).result(found, "\n\n".join(told))


def quarantine(
    name: Annotated[str, typer.Argument(help="A source, dataset or feature view.")],
    project: Folder = HERE,
    *,
    out: Annotated[Path | None, typer.Option(help="Write them as CSV, to be mended.")] = None,
    most: Annotated[int, typer.Option(help="Show at most so many rows.")] = 20,
    json: Json = False,
) -> None:
    """List the rows that the last run set apart: file, row, every rule broken, and the values that broke it.

    Example: `featurestore quarantine raw_weather`
    """
    from featurestore.cli.about import quarantine_text  # noqa: PLC0415
    from featurestore.report.records import records_of  # noqa: PLC0415

    opened = opened_at(project)
    rows = opened.quality.quarantined(name)
    if out is not None:
        from featurestore.operations.mend import write_rows_to_correct  # noqa: PLC0415

        write_rows_to_correct(rows, out)
        told = f"{rows.height:,} rows in {out}; mend them, then run: featurestore resubmit {name} {out}"
        Output(json).result({"rows": rows.height, "file": str(out)}, told)
        return
    node = opened.catalog.node(name)
    verdict = records_of(node, opened.layout, made_by=f"featurestore quarantine {name}").verdict
    contract = node.contract
    personal = [c.name for c in contract.columns if c.personal and c.name in rows.columns]
    shown = rows.drop(personal).head(most)
    Output(json).result(_as_text(shown.to_dicts()), quarantine_text(name, shown, rows.height, verdict))


def resubmit(
    name: Annotated[str, typer.Argument(help="A source.")],
    file: Annotated[
        Path, typer.Argument(help="Mended rows, as `featurestore quarantine NAME --out FILE` wrote them.")
    ],
    project: Folder = HERE,
    *,
    json: Json = False,
) -> None:
    """Let mended rows through the gate, in the place of those that they mend.

    They are kept beside the definitions, in mended/NAME.csv: add that file to git, and to the pipeline with
    `featurestore pipeline --write`.

    Example: `featurestore resubmit raw_weather mended.csv`
    """
    from featurestore.cli.text import verdict_text  # noqa: PLC0415

    verdict = opened_at(project).quality.resubmit(name, file)
    Output(json).result(verdict.record(), verdict_text([verdict]))


COMMANDS = (profile, assess, compare, suggest, quarantine, resubmit)


def _as_text(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return [
        {k: v if isinstance(v, list | int | str | None) else str(v) for k, v in row.items()} for row in rows
    ]
