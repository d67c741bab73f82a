"""The assessment of a dataset: accessible, sizeable, usable, understandable, reliable.

Each answer comes from facts (profile, verdict, history) and from what the schema declares. A fact
that is not known counts against a yes. The questions are those of Burkov, "Machine Learning
Engineering" (2020), chapter 3.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from featurestore.quality.profile.documentation import undocumented
from featurestore.values.escapes import one_line
from featurestore.values.wording import counted, duration_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from featurestore.definitions.contract import Contract
    from featurestore.quality.change.history import Run
    from featurestore.quality.gate.verdict import Verdict
    from featurestore.quality.profile.profile import Profile

QUESTIONS = ("accessible", "sizeable", "usable", "understandable", "reliable")
MAX_LISTED = 12
RARE = 0.05  # a class with less than this share of the rows is rare; with many classes, correspondingly less


class Fact(msgspec.Struct, frozen=True):
    """One fact about a dataset.

    Attributes
    ----------
    topic
        What the fact is about, such as ``owner``.
    finding
        The fact in words, such as ``not declared``.
    good
        False if the fact speaks against using the data as they are, or is not known.
    """

    topic: str
    finding: str
    good: bool


class Assessment(msgspec.Struct, frozen=True):
    """The answers for one dataset: the facts for each of the `QUESTIONS`."""

    dataset: str
    answers: dict[str, tuple[Fact, ...]]

    def yes(self, question: str) -> bool:
        """Say whether all facts speak for a yes."""
        return all(fact.good for fact in self.answers[question])


def assess(
    name: str,
    contract: Contract,
    *,
    owner: str,
    verdict: Verdict,
    profile: Profile,
    runs: Sequence[Run],
    now: datetime,
    label: str | None = None,
    notes: Sequence[str] = (),
) -> Assessment:
    """Answer the five questions about a dataset.

    Parameters
    ----------
    owner
        Who is responsible for the dataset; empty if nobody is.
    verdict, profile
        The verdict and the profile of the current data.
    runs
        The history, oldest first.
    now
        The current time, with a time zone.
    label
        The column that a model predicts; None if it is not known.
    notes
        Further facts that speak against reliability, such as drift.
    """
    facts: dict[str, Iterable[Fact]] = {
        "accessible": _accessible(contract, owner),
        "sizeable": _sizeable(contract, profile, label),
        "usable": _usable(contract, verdict),
        "understandable": _understandable(contract),
        "reliable": (*_fresh(contract, profile, now), *_steady(verdict, runs, notes)),
    }
    return Assessment(name, {question: tuple(of_question) for question, of_question in facts.items()})


def _accessible(contract: Contract, owner: str) -> Iterator[Fact]:
    declared: Mapping[str, Any] = contract.metadata
    yield Fact("owner", owner or "not declared", bool(owner))
    for key in ("licence", "permitted_use"):
        yield Fact(key.replace("_", " "), str(declared.get(key, "not declared")), key in declared)
    columns = [column.name for column in contract.columns if column.personal]
    personal = declared.get("personal_data", bool(columns) or None)
    if columns and personal in (False, None):
        finding = f"columns {', '.join(columns)} are personal, but the dataset declares no personal data"
        yield Fact("personal data", finding, good=False)
    elif personal is None:
        yield Fact("personal data", "not declared", good=False)
    else:
        yield Fact("personal data", ", ".join(columns) or ("yes" if personal else "none"), good=True)


def _sizeable(contract: Contract, profile: Profile, label: str | None) -> Iterator[Fact]:
    rows = profile.rows
    yield Fact("rows", f"{rows:,}", rows > 0)
    if label is not None and label in profile.columns:
        yield _classes(f"rows by {label}", dict(profile.columns[label].values.top(MAX_LISTED)), rows)
    segments = contract.metadata.get("segments", ())
    if segments:
        yield _classes(f"rows by {', '.join(segments)}", profile.segments, rows)
    else:
        yield Fact("rows by segment", "no segments are declared", good=True)
    for name, column in profile.columns.items():
        if column.days:
            days = list(column.days)
            fewest = min(column.days, key=lambda day: column.days[day])
            finding = (
                f"{days[0]} to {days[-1]}, {len(days):,} {column.day_unit} with rows; "
                f"fewest: {column.days[fewest]:,} in {fewest}"
            )
            yield Fact(f"time: {name}", finding, good=True)


def _classes(topic: str, counts: Mapping[Any, int], rows: int) -> Fact:
    ranked = sorted(counts.items(), key=lambda pair: -pair[1])
    listing = ", ".join(f"{one_line(value)} {count:,}" for value, count in ranked[:MAX_LISTED])
    more = f" and {len(ranked) - MAX_LISTED:,} more" if len(ranked) > MAX_LISTED else ""
    rare = [one_line(value) for value, count in ranked if count < RARE * rows / max(len(ranked) / 2, 1)]
    finding = f"{listing}{more}" + (f"; rare: {', '.join(rare[:MAX_LISTED])}" if rare else "")
    return Fact(topic, finding, not rare)


def _usable(contract: Contract, verdict: Verdict) -> Iterator[Fact]:
    passed = f"{verdict.rows_passed:,} of {counted(verdict.rows_in, 'row')} passed schema {contract.name}"
    yield Fact("contract", f"{verdict.decision}: {passed}", verdict.decision != "refused")
    for count in verdict.rules[:MAX_LISTED]:
        times = "time" if count.broken == 1 else "times"
        yield Fact(f"rule {count.label}", f"broken {count.broken:,} {times}", count.warning)
    for missing in verdict.unevaluated:
        yield Fact(f"expectation {missing.name}", f"not evaluated: {missing.reason}", good=False)
    shares = {name: n / verdict.rows_passed for name, n in verdict.nulls.items() if verdict.rows_passed}
    highest = sorted(shares.items(), key=lambda pair: -pair[1])[:MAX_LISTED]
    finding = ", ".join(f"{name} {share:.1%}" for name, share in highest) or "none"
    yield Fact("missing values", finding, good=True)


def _understandable(contract: Contract) -> Iterator[Fact]:
    description = contract.description
    yield Fact("description of the dataset", description or "not declared", bool(description))
    missing = undocumented(contract)
    listing = ", ".join(f"{name} lacks {' and '.join(parts)}" for name, parts in missing.items())
    complete = f"all {len(contract.columns):,} are documented"
    yield Fact("documentation of columns", listing or complete, not missing)


def _fresh(contract: Contract, profile: Profile, now: datetime) -> Iterator[Fact]:
    max_ages: dict[str, timedelta] = {
        column: age
        for key in ("expect", "expect_or_warn")
        for column, age in contract.metadata.get(key, {}).get("fresh", {}).items()
    }
    for name, column in profile.columns.items():
        if column.kind == "timestamp" and column.max is not None:
            newest = datetime.fromisoformat(str(column.max))
            age = now - (newest if newest.tzinfo else newest.replace(tzinfo=UTC))
            relation = "before" if age >= timedelta(0) else "after"
            finding = f"newest {newest.isoformat()}, {_days(abs(age))} {relation} now"
            max_age = max_ages.get(name)
            if max_age is not None:
                finding += f"; expected at most {duration_text(max_age)}"
            yield Fact(f"freshness: {name}", finding, max_age is None or age <= max_age)


def _steady(verdict: Verdict, runs: Sequence[Run], notes: Sequence[str]) -> Iterator[Fact]:
    consistent = [m.rule for m in verdict.measured if m.rule.kind == "one_label"]
    broken = {count.rule for count in verdict.rules}
    if consistent:
        good = broken.isdisjoint(consistent)
        yield Fact("label consistency", f"{len(consistent):,} checked", good)
    else:
        yield Fact("label consistency", "no expectation one_label is declared", good=True)
    refused = sum(run.decision == "refused" for run in runs)
    last_refused = bool(runs) and runs[-1].decision == "refused"
    yield Fact("runs", f"{len(runs):,}, {refused:,} of them refused", not last_refused)
    for note in notes:
        yield Fact("change", note, good=False)


def _days(age: timedelta) -> str:
    return f"{counted(age.days, 'day')}" if abs(age.days) > 1 else f"{age.total_seconds() / 3600:.1f} hours"
