"""Commands that say what has changed: drift between data, anomalies of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from featurestore.cli.options import HERE, Folder, Json, opened_at
from featurestore.cli.output import Output, table

if TYPE_CHECKING:
    from featurestore.quality.change.anomalies import Anomaly
    from featurestore.quality.change.drift import Drift


def drift(
    before: Annotated[
        str, typer.Argument(help="A dataset or training set, NAME@REVISION, served:SERVICE, or a file.")
    ],
    after: Annotated[
        str | None, typer.Argument(help="Another; without it, say --days.", show_default=False)
    ] = None,
    project: Folder = HERE,
    *,
    by: Annotated[
        str | None, typer.Option(help="Also compare the rows of each value of this column.")
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, help="Compare so many last days with all before.")
    ] = None,
    at: Annotated[str | None, typer.Option(help="The column that says when, for --days.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 4 if drift is strong.")] = False,
    json: Json = False,
) -> None:
    """Say how far data lie from what they were, column by column: between training and serving, versions, days.

    Told by effect, not by p-values; a feature's bounds stand in its schema.

    Example: `featurestore drift departures served:departure_delay`
    """
    if (after is None) == (days is None):
        raise typer.BadParameter("name a second dataset, or say --days")
    found = opened_at(project).quality.drift(before, after, by=by, days=days, at=at)
    Output(json).result(found, drift_text(found))
    if strict and found.severity == "strong":
        from featurestore.errors import ContractError  # noqa: PLC0415

        raise ContractError(
            f"{found.before}: drift to {found.after} is strong",
            hint="see what changed upstream; a feature's bounds stand in its schema, as metadata={'drift': {...}}",
        )


def anomalies(
    names: Annotated[
        list[str] | None, typer.Argument(help="Datasets; all, if none are given.", show_default=False)
    ] = None,
    project: Folder = HERE,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 4 if there is any.")] = False,
    json: Json = False,
) -> None:
    """Say what the last runs found that their own history does not lead one to expect: volume, age, means, shares.

    Nobody has to set a bound; a dataset is judged from its eighth run on.

    Example: `featurestore anomalies raw_flights`
    """
    opened = opened_at(project)
    found = {name: opened.quality.anomalies(name) for name in names or opened.catalog.nodes}
    Output(json).result(found, anomalies_text(found))
    if strict and any(found.values()):
        from featurestore.errors import ContractError  # noqa: PLC0415

        told = ", ".join(name for name, anomalous in found.items() if anomalous)
        raise ContractError(f"the last run is not what its history says: {told}")


COMMANDS = (drift, anomalies)


def drift_text(found: Drift) -> str:
    """Show the columns that drifted, strongest first, and how the others fared; then the slices."""
    sides = (
        f"{name} ({rows:,} rows)" for name, rows in zip((found.before, found.after), found.rows, strict=True)
    )
    lines = [f"{' -> '.join(sides)}: drift is {found.severity}", *_columns_text(found)]
    for side, names in (("before", found.only_before), ("after", found.only_after)):
        if names:
            lines.append(f"only {side}, not compared: {', '.join(names)}")
    for value, part in found.slices.items():
        if part.severity != "none" or not all(part.rows):
            lines += ["", f"{found.by} {value} ({part.rows[0]:,} -> {part.rows[1]:,} rows): {part.severity}"]
            lines += _columns_text(part)
    if calm := [value for value, part in found.slices.items() if part.severity == "none" and all(part.rows)]:
        lines += ["", f"no drift where {found.by} is {', '.join(calm)}"]
    return "\n".join(lines)


def _columns_text(found: Drift) -> list[str]:
    rows = [
        (column.column, column.severity, "; ".join(column.reasons))
        for severity in ("strong", "some", "none")
        for column in found.columns
        if column.severity == severity and column.reasons
    ]
    calm = len(found.columns) - len(rows)
    lines = [table([("column", "drift", "why"), *rows])] if rows and all(found.rows) else []
    return [*lines, f"{calm} of {len(found.columns)} columns did not drift"] if all(found.rows) else lines


def anomalies_text(found: dict[str, tuple[Anomaly, ...]]) -> str:
    """Show what was expected and what was found."""
    rows = [("dataset", "metric", "found", "expected", "since", "runs before")]
    rows += [
        (
            name,
            anomaly.metric,
            f"{anomaly.value:,.6g}",
            f"{anomaly.low:,.6g} to {anomaly.high:,.6g}",
            f"{anomaly.since:%Y-%m-%d %H:%M}Z",
            f"{anomaly.runs}",
        )
        for name, anomalous in found.items()
        for anomaly in anomalous
    ]
    return (
        table(rows) if len(rows) > 1 else "every last run is what its history says, or has too little of it"
    )
