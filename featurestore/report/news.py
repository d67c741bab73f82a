"""What is new on the index page since the last report: the runs that a reader has not seen yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from featurestore.quality.change.history import QUARANTINED_SHARE, ROWS
from featurestore.report.formatting import count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from featurestore.quality.change.history import Run
    from featurestore.quality.rules.rule_id import RuleId
    from featurestore.report.records import Records

MAX_NOTES = 3
_ORDER = ("unread", "refused", "quarantined", "passed")


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs the last report showed, so that the next one knows what is new.

    Attributes
    ----------
    latest
        The time of the last run of each dataset.
    at
        When a report showed them first, in UTC.
    before
        The time of the last run of each dataset in the report before.
    before_at
        When that report was made; None: there was none.
    """

    latest: dict[str, datetime]
    at: datetime
    before: dict[str, datetime] = {}
    before_at: datetime | None = None


@dataclass(frozen=True)
class Change:
    """What is new about one dataset.

    Attributes
    ----------
    state
        The state of the dataset now.
    at
        The time of its last run, in UTC.
    sentences
        The most important first.
    """

    name: str
    state: str
    at: datetime
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class News:
    """What is new since the last report.

    Attributes
    ----------
    since
        When the last report was made, in UTC; None: there was none, and runs are compared with the ones before.
    changes
        The worst state first.
    unchanged
        Datasets whose last run is new, and found what the run before found.
    first
        True: no dataset has an earlier run to compare with.
    """

    since: datetime | None
    changes: tuple[Change, ...]
    unchanged: tuple[str, ...]
    first: bool


def reported(previous: Reported | None, records: Mapping[str, Records], at: datetime) -> Reported:
    """Return which runs this report shows. A report without new runs has the same news as the one before.

    Parameters
    ----------
    previous
        What the last report showed; None: there was no report.
    at
        The current time, in UTC.
    """
    latest = {name: run for name, record in records.items() if (run := last_run_of(record)) is not None}
    if previous is None:
        return Reported(latest=latest, at=at)
    if previous.latest == latest:
        return previous
    return Reported(latest=latest, at=at, before=previous.latest, before_at=previous.at)


def news(
    shown: Reported,
    records: Mapping[str, Records],
    notes: Mapping[str, Sequence[str]],
    states: Mapping[str, str],
) -> News:
    """Compare the last run of each dataset with the last run that the report before showed.

    Parameters
    ----------
    notes
        The change summary of each dataset.
    states
        The state of each dataset.
    """
    changes: list[Change] = []
    unchanged: list[str] = []
    is_first = True
    for name, record in records.items():
        at = last_run_of(record)
        seen = shown.before.get(name)
        if at is None or (seen is not None and at <= seen):
            is_first = is_first and at is None
            continue
        earlier = _earlier(record.runs, seen)
        is_first = is_first and earlier is None and record.unread is None
        sentences = _sentences(record, earlier, notes.get(name, ()))
        if sentences:
            changes.append(Change(name, states[name], at, sentences))
        else:
            unchanged.append(name)
    changes.sort(key=lambda change: _ORDER.index(change.state))
    return News(shown.before_at, tuple(changes), tuple(unchanged), is_first)


def last_run_of(records: Records) -> datetime | None:
    """Return the time of the last run, also of one that could not read its rows; None: there is none."""
    if records.unread is not None:
        return records.unread.at
    return records.last_run


def _earlier(runs: Sequence[Run], seen: datetime | None) -> Run | None:
    """Return the run to compare the last one with: the last that was seen, or the one before."""
    earlier = runs[:-1] if seen is None else [run for run in runs if run.at <= seen]
    return earlier[-1] if earlier else None


def _sentences(records: Records, earlier: Run | None, notes: Sequence[str]) -> tuple[str, ...]:
    if records.unread is not None:
        return (f"The rows could not be read: {records.unread.reason}",)
    run = records.runs[-1]
    rows, bad = run.rows, _quarantined(run)
    if earlier is None:
        return (f"First run: {_rows(rows)}" + (f", {count(bad)} of them bad" if bad else ""),)
    sentences = []
    if run.decision != earlier.decision:
        sentences.append(f"{run.decision.capitalize()}, was {earlier.decision}")
    if bad != _quarantined(earlier):
        sentences.append(
            f"{count(bad)} bad {'row' if bad == 1 else 'rows'}, was {count(_quarantined(earlier))}"
        )
    if rows != earlier.rows:
        more = rows - earlier.rows
        sentences.append(f"{_rows(rows)}, {count(abs(more))} {'more' if more > 0 else 'fewer'}")
    if _figures(run) != _figures(earlier):
        sentences += notes[:MAX_NOTES]
        if len(notes) > MAX_NOTES:
            sentences.append(f"and {count(len(notes) - MAX_NOTES)} more changes on its page")
        if not sentences:
            sentences.append("The values changed, and none by much")
    return tuple(sentences)


def _figures(run: Run) -> dict[RuleId, float]:
    """Return the metrics that depend on the data alone, and not on the time of the run."""
    return {metric: value for metric, value in run.values().items() if metric.kind not in ("age", "fresh")}


def _quarantined(run: Run) -> int:
    return round(run.values().get(QUARANTINED_SHARE, 0.0) * run.values().get(ROWS, 0.0))


def _rows(rows: int) -> str:
    return f"{count(rows)} {'row' if rows == 1 else 'rows'}"
