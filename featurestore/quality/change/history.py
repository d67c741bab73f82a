"""What each run found of a dataset, as numbers that can be compared with those of the runs before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from featurestore.quality.gate.verdict import Decision, Verdict

if TYPE_CHECKING:
    from featurestore.quality.profile.profile import Profile


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a dataset through the gate.

    Attributes
    ----------
    at
        When it ran, in UTC.
    metrics
        By name: ``rows``, ``quarantined_share``; for each column ``null_share.<column>``, ``distinct.<column>``,
        ``mean.<column>`` of numbers, ``age.<column>`` of moments (seconds from the newest to the run); and whatever the contract's expectations measured, by the name of their rule (times in
        seconds).
    """

    at: datetime
    decision: Decision
    metrics: dict[str, float]


def run_of(verdict: Verdict, profile: Profile | None, at: datetime) -> Run:
    """Put what was found in numbers; of a refused dataset there is no profile."""
    metrics = {
        "rows": float(verdict.rows_in),
        "quarantined_share": verdict.rows_quarantined / verdict.rows_in if verdict.rows_in else 0.0,
    }
    for name, column in profile.columns.items() if profile is not None else ():
        metrics[f"null_share.{name}"] = column.null_share
        metrics[f"distinct.{name}"] = float(column.values.distinct)
        if column.mean is not None:
            metrics[f"mean.{name}"] = column.mean
        if column.kind == "moment" and isinstance(column.most, str):
            metrics[f"age.{name}"] = (at - _in_utc(column.most)).total_seconds()
    for measurement in verdict.measured:
        value = measurement.value
        if value is not None:
            metrics[measurement.name] = (
                value.total_seconds() if isinstance(value, timedelta) else float(value)
            )
    return Run(at=at, decision=verdict.decision, metrics=metrics)


def _in_utc(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
