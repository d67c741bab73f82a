"""The command that joins a file of entity rows, or the result of a query, to the features of a service: join."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from featurestore.cli.options import HERE, Folder, Json, opened_at, timestamp_of_option
from featurestore.cli.output import Output, shows_progress
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from featurestore.project import JoinRecord


def join(
    rows: Annotated[
        str, typer.Argument(help="Entity rows: .parquet, .csv or .jsonl, or SQL over the project's datasets.")
    ],
    project: Folder = HERE,
    *,
    service: Annotated[str, typer.Option(help="A feature service, a feature view, or view:feature.")],
    out: Annotated[Path, typer.Option(help="The file to write: .parquet, .csv or .jsonl.", dir_okay=False)],
    as_of: Annotated[
        str | None,
        typer.Option(
            help="One timestamp for all rows, which have none: now, or such as 2013-12-31T12:00:00Z. "
            "Each row has its own event_timestamp, if none is given."
        ),
    ] = None,
    statuses: Annotated[
        bool, typer.Option("--statuses", help="Also write the status of each feature.")
    ] = False,
    json: Json = False,
) -> None:
    """Join features to entity rows, each at its own time or all at one time, and write them to a file.

    Rows are read, joined and written a batch at a time, in order; files larger than memory work. A join that fails leaves
    the old file.

    Example: `featurestore join visits.parquet --service buying --out vectors.parquet`

    Example: `featurestore join "SELECT DISTINCT customer FROM last_order" --service last_order --as-of now --out scores.csv`
    """
    timestamp = as_of if as_of == "now" else timestamp_of_option("--as-of", as_of)
    out_text = Output(json)
    opened = opened_at(project)
    with out_text.rows("joining") as step:
        record = opened.historical(
            rows,
            service,
            as_of=timestamp,
            statuses=statuses,
            sink=out,
            progress=step if shows_progress() else None,
        )
    out_text.result(record, joined_text(record))


def joined_text(record: JoinRecord) -> str:
    """Describe what a join wrote, with the number of values of each status."""
    values: Counter[str] = Counter()
    for counts in record.statuses.values():
        values.update(counts)
    lines = [f"{record.path}: {counted(record.rows, 'row')} x {counted(len(record.columns), 'column')}"]
    if record.as_of is not None:
        lines.append(f"  as of {record.as_of.isoformat()}")
    if values:
        lines.append(
            f"  values: {', '.join(f'{status} {count:,}' for status, count in values.most_common())}"
        )
    return "\n".join(lines)
