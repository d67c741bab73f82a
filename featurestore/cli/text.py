"""Text and JSON of results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from featurestore.cli.label_text import label_lines
from featurestore.cli.output import table
from featurestore.cli.split_text import split_lines
from featurestore.values.escapes import one_line
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from featurestore.project import Project, ProofRecord, Summary, TrainingManifest
    from featurestore.quality.gate.verdict import Verdict


def verdict_text(verdicts: Sequence[Verdict], limit: int = 5) -> str:
    """Show what the gate decided, and up to `limit` broken rules of each dataset."""
    rows = [("dataset", "verdict", "rows in", "passed", "quarantined")]
    rows += [
        (v.dataset, v.decision, f"{v.rows_in:,}", f"{v.rows_passed:,}", f"{v.rows_quarantined:,}")
        for v in verdicts
    ]
    reasons = [f"{v.dataset}:\n{v.explain(limit)}" for v in verdicts if v.rules]
    return "\n".join([table(rows), *reasons])


def training_text(manifest: TrainingManifest) -> str:
    """Show the size and the digest of a training set, and how many rows were left out."""
    size = f"{counted(manifest.rows, 'row')} x {counted(len(manifest.columns), 'column')}"
    lines = [
        f"{manifest.name}: {size}",
        *_immature_lines(manifest),
        *label_lines(manifest),
        *split_lines(manifest),
    ]
    if manifest.fitted is not None:
        lines.append(f"  the steps of service {manifest.service} applied, fitted state {manifest.fitted}")
    return "\n".join([*lines, f"  {manifest.digest}"])


def _immature_lines(manifest: TrainingManifest) -> list[str]:
    return [f"  {manifest.immature_text}"] if manifest.immature_text else []


def vector_record(project: Project, service: str, vector: pl.DataFrame) -> dict[str, Any]:
    """Return a vector of a service or view in the form that is printed as JSON."""
    from featurestore.timing.join import Status, status_column  # noqa: PLC0415 - `--help` answers at once
    from featurestore.values.plain import in_utc_zone  # noqa: PLC0415 - as above

    row = in_utc_zone(vector).row(0, named=True)
    definition = project.service(service)
    return {
        "service": service,
        "entity": {name: row[name] for name in (*definition.key_schema, *definition.request_schema)},
        "features": {
            name: {"value": row[name], "status": Status(row[status_column(name)]).name}
            for name in definition.feature_names
        },
    }


def vector_text(project: Project, service: str, vector: pl.DataFrame) -> str:
    """Show a vector, one feature a line."""
    import polars.selectors as cs  # noqa: PLC0415 - `--help` answers at once

    from featurestore.values.plain import in_utc_zone  # noqa: PLC0415 - as above

    # Polars writes a Float32 by its shortest digits, Python only a Float64.
    shown = in_utc_zone(vector).with_columns(cs.float().cast(str)).row(0, named=True)
    content = vector_record(project, service, vector)
    entity = ", ".join(f"{name}={one_line(value)}" for name, value in content["entity"].items())
    rows = [("feature", "value", "status")]
    rows += [(name, str(shown[name]), cell["status"]) for name, cell in content["features"].items()]
    return f"{service} for {entity or 'all'}\n{table(rows)}"


def explained_record(answers: dict[str, pl.DataFrame], limit: int) -> dict[str, Any]:
    """Return an explanation in the form that is printed as JSON."""
    return {
        view: {
            "counts": dict(rows["verdict"].value_counts().rows()),
            "rows": _nearest(rows, limit).to_dicts(),
        }
        for view, rows in answers.items()
    }


def explained_text(answers: dict[str, pl.DataFrame], limit: int) -> str:
    """Show the verdict on each stored row; of many rows with one verdict, the rows nearest to the answer."""
    import polars.selectors as cs  # noqa: PLC0415 - `--help` answers at once

    blocks = []
    for view, rows in answers.items():
        counts = rows.group_by("verdict", maintain_order=True).len().rows()
        summary = ", ".join(f"{count:,} {verdict}" for verdict, count in counts) or "no row of this key"
        shown = _nearest(rows, limit).with_columns(cs.float().cast(str))
        lines = [tuple(shown.columns), *(tuple(map(str, row)) for row in shown.iter_rows())]
        blocks.append(f"{view}: {summary}" + (f"\n{table(lines)}" if shown.height else ""))
    return "\n\n".join(blocks)


def _nearest(rows: pl.DataFrame, limit: int) -> pl.DataFrame:
    import polars as pl  # noqa: PLC0415 - `--help` answers at once

    place = pl.int_range(pl.len()).over("verdict")
    from_answer = (
        pl.when(pl.col("verdict") == "older").then(pl.len().over("verdict") - 1 - place).otherwise(place)
    )
    return rows.filter(from_answer < limit)


def summary_text(project: Project, summary: Summary) -> str:
    """Show what the last run of each step did."""
    verdicts = [*summary.sources, *summary.datasets, *summary.views]
    lines = [verdict_text(verdicts, limit=20)]
    lines += [f"{name}: the last run could not read its rows: {why}" for name, why in summary.unread.items()]
    lines.append("")
    lines.append(
        f"features built: {sum(len(v.features) for v in project.catalog.views.values())} in {counted(len(summary.views), 'view')}"
    )
    for t in summary.training_sets:
        labels = (
            ", ".join(f"{one_line(value)} {count:,}" for value, count in t.labels.items()) or "a quantity"
        )
        lines.append(
            f"training set {t.name}: {counted(t.rows, 'row')} x {counted(len(t.columns), 'column')}, {t.label}: {labels}"
        )
        lines += [*_immature_lines(t), *label_lines(t), *split_lines(t)]
        lines.append(f"  {t.digest}\n  {project.layout.training(t.name)}")
    for t in summary.training_sets:
        vector = project.get_online(project.example(t.service), t.service, statuses=True)
        lines += ["", vector_text(project, t.service, vector)]
    lines += [
        "",
        f"parity: {counted(summary.audit.cells, 'cell')} compared, {counted(summary.audit.mismatches, 'mismatch')}",
    ]
    lines.append(f"report: {project.layout.report}")
    return "\n".join(lines)


def proof_text(record: ProofRecord) -> str:
    """Show what a proof compared, and the scripts of the first differences."""
    rows = [("path", "cells")]
    rows += [(path, f"{cells:,}") for path, cells in record.paths.items()]
    lines = [
        table(rows),
        f"{counted(len(record.views), 'view')}, {counted(len(record.services), 'service')} on {', '.join(record.stores)}",
        f"{counted(record.cells, 'cell')} of {counted(record.rows, 'row')} compared, {counted(len(record.differences), 'difference')}",
        f"{counted(record.refused, 'row')} beyond their contract refused",
    ]
    if record.left_out:
        lines.append(
            f"{counted(record.left_out, 'row')} left out: a check or a function of the project did not take them"
        )
    lines += [
        f"not proved: {name}: no value is known that keeps the checks of {', '.join(columns)}"
        if columns
        else f"not proved: {name}: no generated row passes its gate"
        for name, columns in record.unproved.items()
    ]
    lines += [f"\n{difference.script}" for difference in record.differences if difference.script]
    return "\n".join(lines)
