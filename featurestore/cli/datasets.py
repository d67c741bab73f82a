"""Commands that describe datasets, and handle their bad rows."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from featurestore.cli.options import HERE, Folder, Json, opened_at
from featurestore.cli.output import Output
from featurestore.values.wording import counted

Dataset = Annotated[str, typer.Argument(help="A source, dataset, feature view or training set.")]
Reference = Annotated[
    str, typer.Argument(help="A dataset, an earlier version as NAME@REVISION, or a file, pattern or folder.")
]


def profile(name: Dataset, project: Folder = HERE, *, json: Json = False) -> None:
    """Describe the values of a dataset: missing, zero, distinct, quantiles, most frequent, correlated.

    The profile is computed when the dataset passes the gate, and versioned with it.

    Example: `featurestore profile flights`
    """
    from featurestore.cli.about import profile_text  # noqa: PLC0415 - `--help` answers at once

    record = opened_at(project).quality.profile(name)
    Output(json).result(record, profile_text(record))


def suggest(
    reference: Annotated[
        str,
        typer.Argument(
            help="A dataset, an earlier version as NAME@REVISION, a file, or a pattern or folder of files."
        ),
    ],
    project: Folder = HERE,
    *,
    name: Annotated[
        str | None, typer.Option(help="Name of the schema class; by default the name of the dataset.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the draft to this new file.")] = None,
) -> None:
    """Draft a Pandera schema from data; each rule has a confidence.

    Example: `featurestore suggest data/raw/flights.csv --name RawFlights`
    """
    if out is not None and out.exists():
        raise typer.BadParameter(f"{out} exists already; a draft never replaces a file. Name a new file")
    text = opened_at(project).quality.suggest(reference, name=name, out=out)
    sys.stdout.write(text if out is None else f"{out}\n")


def compare(
    before: Reference,
    after: Reference,
    project: Folder = HERE,
    *,
    key: Annotated[
        list[str] | None, typer.Option(help="Column that identifies a row; may be repeated.")
    ] = None,
    json: Json = False,
) -> None:
    """Compare two datasets or versions: schema changes and whom they break, and values by key.

    Example: `featurestore compare raw_weather@HEAD~1 raw_weather`
    """
    from featurestore.cli.about import comparison_text  # noqa: PLC0415 - `--help` answers at once

    comparison = opened_at(project).quality.compare(before, after, key=tuple(key or ()))
    Output(json).result(comparison, comparison_text(comparison))


def assess(
    names: Annotated[
        list[str] | None, typer.Argument(help="Datasets; all, if none are given.", show_default=False)
    ] = None,
    project: Folder = HERE,
    *,
    json: Json = False,
) -> None:
    """Answer whether data are accessible, sizeable, usable, understandable and reliable.

    The answers follow from records and from schemas; an unknown fact never counts as a yes.

    Example: `featurestore assess raw_flights`
    """
    from featurestore.cli.about import assessment_text  # noqa: PLC0415 - `--help` answers at once

    opened = opened_at(project)
    selected = names or [name for name in opened.catalog.nodes if opened.layout.verdict(name).exists()]
    assessments = [opened.quality.assess(name) for name in selected]
    unseen = [name for name in opened.catalog.nodes if not names and name not in selected]
    blocks = [assessment_text(assessment, all_facts=bool(names)) for assessment in assessments]
    blocks += [f"{name}\n  not assessed: it never passed the gate" for name in unseen]
    Output(json).result(assessments, "\n\n".join(blocks))


def quarantine(
    name: Annotated[str, typer.Argument(help="A source, dataset or feature view.")],
    project: Folder = HERE,
    *,
    out: Annotated[Path | None, typer.Option(help="Write the rows as CSV, to be corrected by hand.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="Rows to show.")] = 20,
    json: Json = False,
) -> None:
    """List the rows in quarantine: file, row, every broken rule, and the values that break it.

    Example: `featurestore quarantine raw_weather`

    Example: `featurestore quarantine raw_weather --out corrected.csv`
    """
    from featurestore.cli.about import quarantine_text  # noqa: PLC0415 - `--help` answers at once
    from featurestore.values.printable import printable  # noqa: PLC0415 - `--help` answers at once

    opened = opened_at(project)
    rows = opened.quality.quarantine(name, out=out)
    if out is not None:
        text = f"{counted(rows.height, 'row')} in {out}; correct them, then run: featurestore resubmit {name} {out}"
        Output(json).result({"rows": rows.height, "file": str(out)}, text)
        return
    verdict = opened.quality.verdict(name, last_run=True)
    contract = opened.catalog.node(name).contract
    shown = printable(rows.drop(*contract.personal, strict=False).head(limit))
    Output(json).result(_as_text(shown.to_dicts()), quarantine_text(name, shown, rows.height, verdict))


def resubmit(
    name: Annotated[str, typer.Argument(help="A source.")],
    file: Annotated[
        Path,
        typer.Argument(help="The file that `featurestore quarantine NAME --out FILE` wrote, corrected."),
    ],
    project: Folder = HERE,
    *,
    json: Json = False,
) -> None:
    """Replace raw rows by corrected rows, and let all rows through the gate.

    The corrections are kept beside the definitions, in corrections/NAME.csv: add that file to git, and to the pipeline
    with `featurestore pipeline --write`.

    Example: `featurestore resubmit raw_weather corrected.csv`
    """
    from featurestore.cli.text import verdict_text  # noqa: PLC0415 - `--help` answers at once

    verdict = opened_at(project).quality.resubmit(name, file)
    Output(json).result(verdict.record(), verdict_text([verdict]))


COMMANDS = (profile, assess, compare, suggest, quarantine, resubmit)


def _as_text(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return [
        {k: v if isinstance(v, list | int | str | None) else str(v) for k, v in row.items()} for row in rows
    ]
