"""How results read on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from featurestore.cli.output import table

if TYPE_CHECKING:
    import polars as pl

    from featurestore.operations.report import Summary
    from featurestore.project import Project
    from featurestore.quality.gate.verdict import Verdict


def verdict_text(verdicts: list[Verdict], most: int = 5) -> str:
    """Say what the gate decided, and at most so many broken rules of each dataset."""
    rows = [("dataset", "verdict", "rows in", "passed", "quarantined")]
    rows += [
        (v.dataset, v.decision, f"{v.rows_in:,}", f"{v.rows_passed:,}", f"{v.rows_quarantined:,}")
        for v in verdicts
    ]
    reasons = [f"{v.dataset}:\n{v.explain(most)}" for v in verdicts if v.rules]
    return "\n".join([table(rows), *reasons])


def vector_record(project: Project, service: str, vector: pl.DataFrame) -> dict[str, Any]:
    """Bring a looked-up vector into the form that is printed as JSON."""
    from featurestore.timing.join import Status, status_column  # noqa: PLC0415

    row = vector.row(0, named=True)
    found = project.catalog.service(service)
    return {
        "service": service,
        "entity": {name: row[name] for name in (*found.key_schema, *found.request_schema)},
        "features": {
            name: {"value": row[name], "status": Status(row[status_column(name)]).name}
            for name in found.feature_names
        },
    }


def vector_text(project: Project, service: str, vector: pl.DataFrame) -> str:
    """Show a looked-up vector, a feature a line."""
    import polars.selectors as cs  # noqa: PLC0415

    # Polars writes a Float32 by its shortest digits, Python only a Float64.
    shown = vector.with_columns(cs.float().cast(str)).row(0, named=True)
    content = vector_record(project, service, vector)
    entity = ", ".join(f"{name}={value}" for name, value in content["entity"].items())
    rows = [("feature", "value", "status")]
    rows += [(name, str(shown[name]), cell["status"]) for name, cell in content["features"].items()]
    return f"{service} for {entity}\n{table(rows)}"


def explained_record(found: dict[str, pl.DataFrame], most: int) -> dict[str, Any]:
    """Bring an explanation into the form that is printed as JSON."""
    return {
        view: {"counts": dict(rows["verdict"].value_counts().rows()), "rows": _nearest(rows, most).to_dicts()}
        for view, rows in found.items()
    }


def explained_text(found: dict[str, pl.DataFrame], most: int) -> str:
    """Show what each stored row was at the moment asked; of many with one verdict, those nearest to the answer."""
    import polars.selectors as cs  # noqa: PLC0415

    blocks = []
    for view, rows in found.items():
        counts = rows.group_by("verdict", maintain_order=True).len().rows()
        told = ", ".join(f"{count:,} {verdict}" for verdict, count in counts) or "no row of this key"
        shown = _nearest(rows, most).with_columns(cs.float().cast(str))
        lines = [tuple(shown.columns), *(tuple(map(str, row)) for row in shown.iter_rows())]
        blocks.append(f"{view}: {told}" + (f"\n{table(lines)}" if shown.height else ""))
    return "\n\n".join(blocks)


def _nearest(rows: pl.DataFrame, most: int) -> pl.DataFrame:
    import polars as pl  # noqa: PLC0415

    place = pl.int_range(pl.len()).over("verdict")
    from_answer = (
        pl.when(pl.col("verdict") == "older").then(pl.len().over("verdict") - 1 - place).otherwise(place)
    )
    return rows.filter(from_answer < most)


def summary_text(project: Project, found: Summary) -> str:
    """Say what a person wants to know of the last run."""
    verdicts = [*found.sources, *found.datasets, *found.views]
    lines = [verdict_text(verdicts, most=20), ""]
    lines.append(
        f"features built: {sum(len(v.features) for v in project.catalog.views.values())} in {len(found.views)} views"
    )
    for t in found.training_sets:
        labels = ", ".join(f"{value} {count:,}" for value, count in t.labels.items())
        lines.append(
            f"training set {t.name}: {t.rows:,} rows x {len(t.columns)} columns, {t.label}: {labels}"
        )
        lines.append(f"  {t.digest}\n  {project.layout.training(t.name)}")
    for t in found.training_sets:
        vector = project.online(project.example(t.service), t.service, statuses=True)
        lines += ["", vector_text(project, t.service, vector)]
    lines += ["", f"parity: {found.audit.cells:,} cells compared, {found.audit.mismatches:,} mismatches"]
    lines.append(f"report: {project.layout.report}")
    return "\n".join(lines)
