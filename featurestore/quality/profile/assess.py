"""The five questions about data: whether they are accessible, sizeable, usable, understandable, reliable.

Each is answered from facts (profile, verdict, history) and from what the schema declares; what is not known is said, and is
no yes. The questions are those of Burkov, "Machine Learning Engineering" (2020), chapter 3.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from featurestore.quality.profile.documentation import undocumented

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from featurestore.definitions.contract import Contract
    from featurestore.quality.change.history import Run
    from featurestore.quality.gate.verdict import Verdict
    from featurestore.quality.profile.profile import Profile

QUESTIONS = ("accessible", "sizeable", "usable", "understandable", "reliable")
MAX_LISTED = 12
RARE = 0.05  # a class of less than this share of the rows is told to be rare
Row = tuple[str, str, bool]


class Fact(msgspec.Struct, frozen=True):
    """One thing known of a dataset, or not.

    Attributes
    ----------
    good
        False where it speaks against using the data as they are, or is not known.
    """

    what: str
    told: str
    good: bool


class Assessment(msgspec.Struct, frozen=True):
    """The answers for one dataset."""

    dataset: str
    answers: dict[str, tuple[Fact, ...]]

    def yes(self, question: str) -> bool:
        """Say whether nothing speaks against it."""
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
    """Answer the five questions.

    Parameters
    ----------
    owner
        Who answers for the dataset.
    verdict, profile, runs
        Of the data in place, and of the runs up to them.
    now
        The moment that stands for now.
    label
        The column that a model is to predict; None: it is not known.
    notes
        What else speaks against its reliability, such as drift.
    """
    told: dict[str, Iterable[Row]] = {
        "accessible": _accessible(contract, owner),
        "sizeable": _sizeable(contract, profile, label),
        "usable": _usable(contract, verdict),
        "understandable": _understandable(contract),
        "reliable": (*_fresh(contract, profile, now), *_steady(verdict, runs, notes)),
    }
    return Assessment(name, {question: tuple(Fact(*row) for row in rows) for question, rows in told.items()})


def _accessible(contract: Contract, owner: str) -> Iterator[Row]:
    declared: Mapping[str, Any] = contract.metadata
    yield "owner", owner or "not declared", bool(owner)
    for key in ("licence", "permitted_use"):
        yield key.replace("_", " "), str(declared.get(key, "not declared")), key in declared
    columns = [column.name for column in contract.columns if column.personal]
    personal = declared.get("personal_data", bool(columns) or None)
    if columns and personal in (False, None):
        yield (
            "personal data",
            f"columns {', '.join(columns)} are personal; the dataset says it has none",
            False,
        )
    elif personal is None:
        yield "personal data", "not declared", False
    else:
        yield "personal data", ", ".join(columns) or ("yes" if personal else "none"), True


def _sizeable(contract: Contract, profile: Profile, label: str | None) -> Iterator[Row]:
    rows = profile.rows
    yield "rows", f"{rows:,}", rows > 0
    if label is not None and label in profile.columns:
        yield f"rows by {label}", *_classes(dict(profile.columns[label].values.top(MAX_LISTED)), rows)
    segments = contract.metadata.get("segments", ())
    if segments:
        yield f"rows by {', '.join(segments)}", *_classes(profile.segments, rows)
    else:
        yield "rows by segment", "no segments are declared", True
    for name, column in profile.columns.items():
        if column.days:
            days = list(column.days)
            fewest = min(column.days, key=lambda day: column.days[day])
            told = f"{days[0]} to {days[-1]}, {len(days):,} with rows; fewest {column.days[fewest]:,} in {fewest}"
            yield f"time: {name}", told, True


def _classes(counts: Mapping[Any, int], rows: int) -> tuple[str, bool]:
    ranked = sorted(counts.items(), key=lambda told: -told[1])
    told = ", ".join(f"{value} {count:,}" for value, count in ranked[:MAX_LISTED])
    rare = [str(value) for value, count in ranked if count < RARE * rows / max(len(ranked) / 2, 1)]
    more = f" and {len(ranked) - MAX_LISTED} more" if len(ranked) > MAX_LISTED else ""
    return (f"{told}{more}; rare: {', '.join(rare[:MAX_LISTED])}", False) if rare else (f"{told}{more}", True)


def _usable(contract: Contract, verdict: Verdict) -> Iterator[Row]:
    kept = (
        f"{verdict.decision}: {verdict.rows_passed:,} of {verdict.rows_in:,} rows keep schema {contract.name}"
    )
    yield "contract", kept, verdict.decision != "refused"
    for count in verdict.rules[:MAX_LISTED]:
        yield f"rule {count.label}", f"broken {count.broken:,} times", count.warning
    for missing in verdict.unevaluated:
        yield f"expectation {missing.name}", f"not evaluated: {missing.reason}", False
    missing = {name: n / verdict.rows_passed for name, n in verdict.nulls.items() if verdict.rows_passed}
    worst = sorted(missing.items(), key=lambda told: -told[1])[:MAX_LISTED]
    yield "missing values", ", ".join(f"{name} {share:.1%}" for name, share in worst) or "none", True


def _understandable(contract: Contract) -> Iterator[Row]:
    yield "meaning of a row", contract.description or "not said", bool(contract.description)
    lacking = undocumented(contract)
    told = ", ".join(f"{name} lacks {lacks}" for name, lacks in lacking.items())
    yield "meaning and unit of columns", told or f"all {len(contract.columns)} say them", not lacking


def _fresh(contract: Contract, profile: Profile, now: datetime) -> Iterator[Row]:
    bounds = {
        c: most
        for d in ("expect", "expect_or_warn")
        for c, most in contract.metadata.get(d, {}).get("fresh", {}).items()
    }
    for name, column in profile.columns.items():
        if column.kind == "moment" and column.most is not None:
            newest = datetime.fromisoformat(str(column.most))
            age = now - (newest if newest.tzinfo else newest.replace(tzinfo=UTC))
            bound: timedelta | None = bounds.get(name)
            told = f"newest {newest.isoformat()}, {_days(abs(age))} {'before' if age >= timedelta(0) else 'after'} now"
            yield (
                f"freshness: {name}",
                told + (f"; at most {bound}" if bound else ""),
                bound is None or age <= bound,
            )


def _steady(verdict: Verdict, runs: Sequence[Run], notes: Sequence[str]) -> Iterator[Row]:
    consistent = [m.rule for m in verdict.measured if m.rule.kind == "one_label"]
    broken = {count.rule for count in verdict.rules}
    if consistent:
        yield "label consistency", f"{len(consistent)} checked", not broken & {*consistent}
    else:
        yield "label consistency", "no expectation one_label is declared", True
    refused = sum(run.decision == "refused" for run in runs)
    yield "runs", f"{len(runs):,}, {refused:,} of them refused", not (runs and runs[-1].decision == "refused")
    for note in notes:
        yield "change", note, False


def _days(age: timedelta) -> str:
    return f"{age.days:,} days" if abs(age.days) > 1 else f"{age.total_seconds() / 3600:.1f} hours"
