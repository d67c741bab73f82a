"""A summary of the changes since the last run, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.quality.change.anomalies import anomalies
from featurestore.quality.gate.personal import is_value_shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featurestore.definitions.contract import Contract
    from featurestore.quality.change.anomalies import Anomaly
    from featurestore.quality.change.drift import Drift
    from featurestore.quality.change.history import Run


def change_summary(contract: Contract, runs: Sequence[Run], drift: Drift | None) -> tuple[str, ...]:
    """Describe the anomalies of the last run and the columns with major drift, a sentence each.

    Parameters
    ----------
    runs
        Oldest first.
    drift
        The drift from the previous to the current data; None if there are no previous data.
    """
    sentences = [_sentence(anomaly, contract) for anomaly in anomalies(runs)]
    if drift is not None:
        sentences += [
            f"{column.column} drifted: {'; '.join(column.reasons)}"
            for column in drift.columns
            if column.severity == "major"
        ]
    return tuple(sentences)


def _sentence(anomaly: Anomaly, contract: Contract) -> str:
    since = f"since {anomaly.since:%Y-%m-%d}"
    if not is_value_shown(anomaly.metric, contract):
        return f"{anomaly.name} is outside its expected range (personal: values are not shown); {since}"
    expected = f"expected {anomaly.low:,.6g} to {anomaly.high:,.6g}"
    return f"{anomaly.name} is {anomaly.value:,.6g}; {expected}; {since}"
