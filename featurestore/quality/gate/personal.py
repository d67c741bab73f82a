"""Keep personal values out of verdicts and metrics, for rules of every kind.

A rule or metric is personal if it reads a personal column. Of such a rule, the identity, how often
it is broken and the declared parameters may be shown: they come from the schema or count rows. Its
examples and its measured value may not, because a newest timestamp, a mean or the share of one
category can be the value of a single person. Only the kinds in `COUNTED_KINDS` may be shown: they
count, and depend on no value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from msgspec import structs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from featurestore.definitions.contract import Contract
    from featurestore.quality.gate.verdict import Measurement, RuleCount, Verdict
    from featurestore.quality.rules.rule_id import RuleId

COUNTED_KINDS = frozenset({"null_share", "distinct"})


class _Metric(Protocol):
    """A number with an identity."""

    @property
    def id(self) -> RuleId: ...


M = TypeVar("M", bound=_Metric)


def reads_personal(rule: RuleId, contract: Contract) -> bool:
    """Return whether a rule or metric reads a personal column."""
    return not contract.personal.isdisjoint(rule.columns)


def is_value_shown(metric: RuleId, contract: Contract) -> bool:
    """Return whether the value of a metric or the measurement of a rule may be shown."""
    return metric.kind in COUNTED_KINDS or not reads_personal(metric, contract)


def shown_metrics(metrics: Iterable[M], contract: Contract) -> tuple[M, ...]:
    """Return the metrics whose value may be shown."""
    return tuple(metric for metric in metrics if is_value_shown(metric.id, contract))


def redact(verdict: Verdict, contract: Contract) -> Verdict:
    """Return a verdict without examples and measured values that say something of personal columns.

    A measurement that may not be shown stays in the verdict, with None as value.
    """
    return structs.replace(
        verdict,
        rules=tuple(_redact_count(count, contract) for count in verdict.rules),
        measured=tuple(_redact_measurement(measurement, contract) for measurement in verdict.measured),
    )


def _redact_count(count: RuleCount, contract: Contract) -> RuleCount:
    shown = (
        is_value_shown(count.rule, contract)
        if count.whole_dataset
        else not reads_personal(count.rule, contract)
    )
    return count if shown else structs.replace(count, examples=())


def _redact_measurement(measurement: Measurement, contract: Contract) -> Measurement:
    return (
        measurement
        if is_value_shown(measurement.rule, contract)
        else structs.replace(measurement, value=None)
    )
