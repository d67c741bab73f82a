"""The command that audits a training set of another tool: audit-set."""

from __future__ import annotations

from typing import Annotated

import typer

from featurestore.cli.options import HERE, Folder, Json, opened_at
from featurestore.cli.output import Output, table
from featurestore.values.wording import counted


def audit_set(
    file: Annotated[str, typer.Argument(help="A training set: .parquet, .csv or .jsonl.")],
    project: Folder = HERE,
    *,
    service: Annotated[str, typer.Option(help="The feature service whose features it has.")],
    json: Json = False,
) -> None:
    """Audit a training set that another tool made: compare it with what serving would have given, cell by cell.

    The file has keys, event_timestamp, request values, and features under their names or as view__feature. Each cell is
    equal, leaks the future (its value became known only later), stale (its value was known before, and is not the newest),
    stale or future (its value was known before and again later), rounded (equal when what serving gives is rounded), or
    other. Exits with 5 if a cell is not equal, and names cells of the rows with the most of them, with the times at which
    their values were known.

    Example: `featurestore audit-set visits.parquet --service buying`
    """
    record = opened_at(project).audit_set(file, service)
    rows: list[tuple[str, ...]] = [
        ("feature", "equal", "leaks the future", "stale or future", "stale", "rounded", "other")
    ]
    rows += [
        (
            f.name,
            *(
                f"{count:,}"
                for count in (f.equal, f.leaking, f.stale_or_future, f.stale, f.rounded, f.others)
            ),
        )
        for f in record.features
    ]
    lines = [table(rows), f"{counted(record.rows, 'row')}, {counted(record.different, 'different cell')}"]
    if record.absent:
        lines.append(f"not in the file: {', '.join(record.absent)}")
    for column, feature in record.ignored.items():
        meant = "" if feature is None else f"; is it the feature {feature!r}?"
        lines.append(f"warning: column {column!r} is no feature of {service!r} and was not compared{meant}")
    Output(json).result(record, "\n".join(lines))
    record.require_parity()
