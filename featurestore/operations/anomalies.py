"""Anomalies: metrics of the last run that the earlier runs do not explain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.operations.history import history
from featurestore.quality.change import anomalies as change

if TYPE_CHECKING:
    from featurestore.quality.change.anomalies import Anomaly
    from featurestore.workspace import Workspace


def anomalies(workspace: Workspace, name: str) -> tuple[Anomaly, ...]:
    """List the metrics of the last run of a dataset that are outside the range of its earlier runs."""
    return change.anomalies(history(workspace, name))
