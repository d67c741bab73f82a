"""Profiles, comparisons, assessments and quarantined rows as text for a terminal."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from featurestore.cli.output import table
from featurestore.values.wording import counted

if TYPE_CHECKING:
    import polars as pl

    from featurestore.project import Comparison
    from featurestore.quality.assess import Assessment
    from featurestore.quality.gate.verdict import Verdict
    from featurestore.quality.profile.column_profile import ColumnProfile
    from featurestore.quality.profile.profile import Profile

MAX_ITEMS = 12
_UTC_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\.[0-9]+)?\+00:00")
CORRELATED = 0.5


def profile_text(profile: Profile) -> str:
    """Show a profile: a line for each column, then days, correlations and segments."""
    rows: list[tuple[str, ...]] = [
        ("column", "type", "missing", "zeros", "distinct", "min", "median", "p99", "max", "most frequent")
    ]
    rows += [_line(name, column) for name, column in profile.columns.items()]
    lines = [f"{profile.dataset}: {counted(profile.rows, 'row')}", table(rows)]
    for name, column in profile.columns.items():
        if column.days:
            days = list(column.days)
            lines.append(f"{name}: {days[0]} to {days[-1]}, {len(days):,} {column.day_unit} with rows")
    correlated = sorted(
        ((r, a, b) for (a, b), r in profile.correlations().items() if abs(r) >= CORRELATED),
        key=lambda pair: -abs(pair[0]),
    )
    if correlated:
        pairs = (f"{a} {b} {r:+.2f}" for r, a, b in correlated[:MAX_ITEMS])
        lines.append(f"rank correlations: {', '.join(pairs)}")
    if profile.segments:
        segments = list(profile.segments.items())[:MAX_ITEMS]
        lines.append(f"rows by segment: {', '.join(f'{name} {rows:,}' for name, rows in segments)}")
    return "\n".join(lines)


def comparison_text(comparison: Comparison) -> str:
    """Show how two datasets differ."""
    before, after = comparison.rows
    lines = [f"{comparison.before} -> {comparison.after}: {before:,} -> {counted(after, 'row')}"]
    if comparison.schema:
        changes = ((change.column, change.description, change.effect) for change in comparison.schema)
        lines.append(table([("column", "change", "effect"), *changes]))
    else:
        lines.append("schema: no changes")
    drifted = [f"drift of {c.column} is {c.severity}: {'; '.join(c.reasons)}" for c in comparison.drifted]
    values = comparison.values
    if values is None:
        lines.append("values: not compared, because no key identifies the rows; name one with --key")
        return "\n".join([*lines, *drifted])
    lines.append(
        f"values by {', '.join(values.key)}: {values.same:,} the same, {values.changed:,} changed, "
        f"{values.added:,} added, {values.removed:,} removed"
    )
    for name, count in values.columns.items():
        examples = values.examples.get(name, ())
        lines.append(f"  {name}: {count:,}" + (f", such as {'; '.join(examples)}" if examples else ""))
    return "\n".join([*lines, *drifted])


def assessment_text(assessment: Assessment, *, all_facts: bool) -> str:
    """Show the five answers, with all facts or only with the facts against a yes."""
    lines = [assessment.dataset]
    for question, facts in assessment.answers.items():
        lines.append(f"  {question}: {'yes' if assessment.yes(question) else 'not fully'}")
        lines += [
            f"    {' ' if fact.good else '!'} {fact.topic}: {fact.finding}"
            for fact in facts
            if all_facts or not fact.good
        ]
    return "\n".join(lines)


def quarantine_text(name: str, rows: pl.DataFrame, total: int, verdict: Verdict) -> str:
    """Show rows in quarantine, each with the values of the columns that its broken rules read.

    Parameters
    ----------
    rows
        The rows to show.
    total
        How many rows are in quarantine.
    verdict
        The verdict that sent them there; it knows which columns each rule reads.
    """
    if not total:
        return f"{name}: no rows in quarantine"
    columns_of = {count.name: count.rule.columns for count in verdict.rules}
    lines = [("file", "row", "broken rules", "values")]
    for row in rows.iter_rows(named=True):
        rules = row["broken_rules"]
        columns = {column for rule in rules for column in columns_of.get(rule, ())}
        values = ", ".join(f"{column}={row[column]!r}" for column in rows.columns if column in columns)
        lines.append((row.get("source_file") or "", f"{row['source_row']:,}", "; ".join(rules), values))
    more = f"\n… and {total - rows.height:,} more" if total > rows.height else ""
    return f"{name}: {counted(total, 'row')} in quarantine\n{table(lines)}{more}"


def _line(name: str, column: ColumnProfile) -> tuple[str, ...]:
    complete = column.values.complete
    frequent = ", ".join(
        f"{_short(value) if column.kind == 'timestamp' else value} {count:,}"
        for value, count in column.values.top(2)
    )
    return (
        name,
        column.dtype.partition("(")[0],
        f"{column.null_share:.1%}",
        f"{column.zeros:,}",
        f"{'' if complete else '≈ '}{column.values.distinct:,.0f}",
        _short(column.min),
        _quantile(column, 0.5),
        _quantile(column, 0.99),
        _short(column.max),
        frequent if complete else "",
    )


def _quantile(column: ColumnProfile, share: float) -> str:
    if column.kind == "timestamp":
        return _day(column, share)
    return f"{'' if column.is_exact(share) else '≈ '}{_short(column.quantile(share))}"


def _day(column: ColumnProfile, share: float) -> str:
    """Return the day, or the month, in which a quantile of timestamps is; all other times are shown to the second."""
    days = sorted(column.days)
    reached = accumulate(column.days[day] for day in days)
    wanted = share * sum(column.days.values())
    return next((day for day, count in zip(days, reached, strict=True) if count >= wanted), "")


def _short(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        # A timestamp in UTC has its zone; the fraction of a second has no room.
        text = str(value)
        return f"{text[:19]}Z" if _UTC_TIME.fullmatch(text) else text[:19]
    return f"{value:,.6g}"
