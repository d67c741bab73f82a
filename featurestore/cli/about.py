"""How what is known of datasets reads on a terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from featurestore.cli.output import table

if TYPE_CHECKING:
    import polars as pl

    from featurestore.project import Comparison
    from featurestore.quality.profile.assess import Assessment
    from featurestore.quality.profile.column_profile import ColumnProfile
    from featurestore.quality.profile.profile import Profile

MAX_ITEMS = 12
STRONG = 0.5


def profile_text(found: Profile) -> str:
    """Show a profile: a line for each column, then what goes together."""
    rows: list[tuple[str, ...]] = [
        ("column", "type", "missing", "zero", "distinct", "least", "median", "p99", "most", "most frequent")
    ]
    rows += [_line(name, column) for name, column in found.columns.items()]
    lines = [f"{found.dataset}: {found.rows:,} rows", table(rows)]
    days = [(n, list(c.days)) for n, c in found.columns.items() if c.days]
    lines += [f"{name}: {d[0]} to {d[-1]}, rows on {len(d):,}" for name, d in days]
    strong = sorted(
        ((r, a, b) for (a, b), r in found.correlations().items() if abs(r) >= STRONG),
        key=lambda told: -abs(told[0]),
    )
    if strong:
        lines.append("rank correlations: " + ", ".join(f"{a} {b} {r:+.2f}" for r, a, b in strong[:MAX_ITEMS]))
    if found.segments:
        lines.append(
            "rows by segment: " + ", ".join(f"{k} {n:,}" for k, n in list(found.segments.items())[:MAX_ITEMS])
        )
    return "\n".join(lines)


def comparison_text(found: Comparison) -> str:
    """Show how two datasets differ."""
    before, after = found.rows
    lines = [f"{found.before} -> {found.after}: {before:,} -> {after:,} rows"]
    if found.schema:
        rows = [("column", "change", "effect"), *((c.column, c.change, c.effect) for c in found.schema)]
        lines.append(table(rows))
    else:
        lines.append("schema: the same")
    drifted = [f"drift of {c.column} is {c.severity}: {'; '.join(c.reasons)}" for c in found.drifted]
    values = found.values
    if values is None:
        lines.append("values: not compared, no key tells rows apart; name one with --key")
        return "\n".join([*lines, *drifted])
    lines.append(
        f"values by {', '.join(values.key)}: {values.same:,} the same, {values.changed:,} changed, "
        f"{values.added:,} added, {values.removed:,} removed"
    )
    for name, count in values.columns.items():
        examples = values.examples.get(name, ())
        lines.append(f"  {name}: {count:,}" + (f", such as {'; '.join(examples)}" if examples else ""))
    return "\n".join([*lines, *drifted])


def assessment_text(found: Assessment, *, whole: bool) -> str:
    """Show the five answers; every fact, or only those that speak against a yes."""
    lines = [found.dataset]
    for question, facts in found.answers.items():
        lines.append(f"  {question}: {'yes' if found.yes(question) else 'not fully'}")
        lines += [f"    {' ' if f.good else '!'} {f.what}: {f.told}" for f in facts if whole or not f.good]
    return "\n".join(lines)


def quarantine_text(name: str, rows: pl.DataFrame, total: int) -> str:
    """Show rows in quarantine, each with the values of the columns that its broken rules speak of."""
    lines = [("file", "row", "broken rules", "values")]
    for row in rows.iter_rows(named=True):
        rules = row["broken_rules"]
        named = [c for c in rows.columns if any(re.search(rf"\b{re.escape(c)}\b", rule) for rule in rules)]
        values = ", ".join(f"{c}={row[c]!r}" for c in named)
        lines.append((row.get("source_file") or "", f"{row['source_row']:,}", "; ".join(rules), values))
    more = f"\n… and {total - rows.height:,} more" if total > rows.height else ""
    return (
        f"{name}: {total:,} rows in quarantine\n{table(lines)}{more}"
        if total
        else f"{name}: no rows in quarantine"
    )


def _line(name: str, column: ColumnProfile) -> tuple[str, ...]:
    top = (
        ", ".join(f"{value} {count:,}" for value, count in column.values.top(2))
        if column.values.complete
        else ""
    )
    about = "" if column.values.complete else "~"
    quantiles = (_short(column.quantile(0.5)), _short(column.quantile(0.99)))
    return (
        name,
        column.dtype.partition("(")[0],
        f"{column.null_share:.1%}",
        f"{column.zeros:,}",
        f"{about}{column.values.distinct:,.0f}",
        _short(column.least),
        *quantiles,
        _short(column.most),
        top,
    )


def _short(value: object) -> str:
    if value is None:
        return ""
    return f"{value:,.6g}" if isinstance(value, int | float) else str(value)[:19]
