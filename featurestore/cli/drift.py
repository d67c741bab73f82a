"""Commands that show changes: drift between datasets, anomalies of the last run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from featurestore.cli.options import HERE, Folder, Json, opened_at
from featurestore.cli.output import Output, table
from featurestore.values.escapes import one_line
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from featurestore.quality.change.anomalies import Anomaly
    from featurestore.quality.change.drift import Drift


def drift(
    before: Annotated[
        str,
        typer.Argument(
            help="A dataset or training set, NAME:SPLIT, NAME@REVISION, served:SERVICE, or a file, pattern or folder."
        ),
    ],
    after: Annotated[
        str | None, typer.Argument(help="The data to compare with; or use --days.", show_default=False)
    ] = None,
    project: Folder = HERE,
    *,
    by: Annotated[
        str | None, typer.Option(help="Also compare the rows of each value of this column.")
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, help="Compare the last days of BEFORE with all earlier ones.")
    ] = None,
    at: Annotated[str | None, typer.Option(help="The timestamp column for --days.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 4 if drift is major.")] = False,
    json: Json = False,
) -> None:
    """Compare the distributions of two datasets, or of versions or days of one, by column.

    Severity follows from the size of the effect, not from p-values. A column's schema can set its
    thresholds.

    Example: `featurestore drift departures served:departure_delay`
    """
    if (after is None) == (days is None):
        raise typer.BadParameter("expected either a second dataset or --days. Example: --days 7")
    result = opened_at(project).quality.drift(before, after, by=by, days=days, at=at)
    Output(json).result(result, drift_text(result))
    if strict and result.severity == "major":
        from featurestore.errors import ContractError  # noqa: PLC0415

        raise ContractError(
            f"{result.before}: drift to {result.after} is major",
            hint="find the change upstream, or set thresholds in the schema: metadata={'drift': {...}}",
        )


def anomalies(
    names: Annotated[
        list[str] | None, typer.Argument(help="Datasets; by default all.", show_default=False)
    ] = None,
    project: Folder = HERE,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 4 if there is an anomaly.")] = False,
    json: Json = False,
) -> None:
    """Show metrics of the last runs that are outside their expected range.

    No thresholds are needed. A dataset is compared from its eighth run on.

    Example: `featurestore anomalies raw_flights`
    """
    opened = opened_at(project)
    by_dataset = {name: opened.quality.anomalies(name) for name in names or opened.catalog.nodes}
    Output(json).result(by_dataset, anomalies_text(by_dataset))
    if strict and any(by_dataset.values()):
        from featurestore.errors import ContractError  # noqa: PLC0415

        listing = ", ".join(name for name, anomalous in by_dataset.items() if anomalous)
        raise ContractError(
            f"the last run has anomalies: {listing}",
            hint="find the change upstream; after a lasting change the expected range follows",
        )


COMMANDS = (drift, anomalies)


def drift_text(result: Drift) -> str:
    """Show the columns that drifted, the highest severity first, then the slices."""
    sides = (
        f"{name} ({counted(rows, 'row')})"
        for name, rows in zip((result.before, result.after), result.rows, strict=True)
    )
    lines = [f"{' -> '.join(sides)}: drift is {result.severity}", *_columns_text(result)]
    for side, names in (("before", result.only_before), ("after", result.only_after)):
        if names:
            lines.append(f"only {side}, not compared: {', '.join(names)}")
    stable = []
    for value, part in result.slices.items():
        if part.severity == "none" and all(part.rows):
            stable.append(one_line(value))
            continue
        rows = f"{part.rows[0]:,} -> {counted(part.rows[1], 'row')}"
        lines += ["", f"{result.by} {one_line(value)} ({rows}): {part.severity}", *_columns_text(part)]
    if stable:
        lines += ["", f"no drift where {result.by} is {', '.join(stable)}"]
    return "\n".join(lines)


def _columns_text(result: Drift) -> list[str]:
    rows = [
        (column.column, column.severity, "; ".join(column.reasons))
        for severity in ("major", "minor", "none")
        for column in result.columns
        if column.severity == severity and column.reasons
    ]
    compared = all(result.rows)
    lines = [table([("column", "drift", "why"), *rows])] if rows and compared else []
    stable = len(result.columns) - len(rows)
    return (
        [*lines, f"{stable:,} of {counted(len(result.columns), 'column')} did not drift"]
        if compared
        else lines
    )


def anomalies_text(by_dataset: dict[str, tuple[Anomaly, ...]]) -> str:
    """Show the value and the expected range of each anomaly."""
    rows = [("dataset", "metric", "value", "expected", "since", "earlier runs")]
    rows += [
        (
            name,
            anomaly.name,
            f"{anomaly.value:,.6g}",
            f"{anomaly.low:,.6g} to {anomaly.high:,.6g}",
            f"{anomaly.since:%Y-%m-%d %H:%M}Z",
            f"{anomaly.runs:,}",
        )
        for name, anomalous in by_dataset.items()
        for anomaly in anomalous
    ]
    return table(rows) if len(rows) > 1 else "no anomalies in the last runs, or too little history"
