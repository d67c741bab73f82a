"""The history of a dataset: the metrics of each run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from featurestore.quality.gate.personal import shown_metrics
from featurestore.quality.gate.verdict import Decision, Verdict
from featurestore.quality.rules.rule_id import RuleId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from featurestore.definitions.contract import Contract
    from featurestore.quality.profile.profile import Profile

ROWS = RuleId("rows")
QUARANTINED_SHARE = RuleId("quarantined_share")
SHARE_KINDS = frozenset({"quarantined_share", "null_share", "share"})


class Metric(msgspec.Struct, frozen=True, omit_defaults=True):
    """One number that was measured of a dataset.

    Attributes
    ----------
    kind
        What was measured: ``rows``, ``quarantined_share``, ``null_share``, ``distinct``, ``mean``,
        ``age`` (seconds from the newest timestamp of the column to the run), or the kind of an
        expectation.
    value
        Durations are in seconds.
    columns, parameters
        As in `RuleId`.
    """

    kind: str
    value: float
    columns: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()

    @property
    def id(self) -> RuleId:
        """The identity of the metric. Metrics of equal identity form one series."""
        return RuleId(self.kind, self.columns, self.parameters)

    @classmethod
    def of(cls, identity: RuleId, value: float) -> Metric:
        """Return the metric of an identity."""
        return cls(identity.kind, value, identity.columns, identity.parameters)


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a dataset through the gate.

    Attributes
    ----------
    at
        The time of the run, in UTC.
    metrics
        The metrics of the dataset, of each of its columns, and of the expectations of its contract.
        A refused run has no metrics of columns. Of personal columns, only counts are kept.
    """

    at: datetime
    decision: Decision
    metrics: tuple[Metric, ...]

    def values(self) -> dict[RuleId, float]:
        """Return the value of each metric by its identity."""
        return {metric.id: metric.value for metric in self.metrics}

    @property
    def rows(self) -> int:
        """The number of rows that came to the gate."""
        return int(next((metric.value for metric in self.metrics if metric.id == ROWS), 0))


def run_of(verdict: Verdict, profile: Profile | None, contract: Contract, at: datetime) -> Run:
    """Record a run.

    Parameters
    ----------
    profile
        The profile of the accepted rows; None for a refused dataset.
    contract
        The contract of the dataset, which names its personal columns.
    at
        The time of the run, in UTC.
    """
    return Run(
        at=at,
        decision=verdict.decision,
        metrics=shown_metrics(_metrics(verdict, profile, at), contract),
    )


def _metrics(verdict: Verdict, profile: Profile | None, at: datetime) -> Iterator[Metric]:
    yield Metric.of(ROWS, float(verdict.rows_in))
    share = verdict.rows_quarantined / verdict.rows_in if verdict.rows_in else 0.0
    yield Metric.of(QUARANTINED_SHARE, share)
    for name, column in profile.columns.items() if profile is not None else ():
        yield Metric("null_share", column.null_share, (name,))
        yield Metric("distinct", float(column.values.distinct), (name,))
        if column.mean is not None:
            yield Metric("mean", column.mean, (name,))
        if column.kind == "timestamp" and isinstance(column.max, str):
            yield Metric("age", (at - _in_utc(column.max)).total_seconds(), (name,))
    for measurement in verdict.measured:
        value = measurement.value
        if value is not None:
            seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
            yield Metric.of(measurement.rule, seconds)


def _in_utc(text: str) -> datetime:
    timestamp = datetime.fromisoformat(text)
    return timestamp if timestamp.tzinfo is not None else timestamp.replace(tzinfo=UTC)
