"""All Prometheus metrics of the server, as data. Prometheus appends ``_total`` to the names of counters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SECONDS: Final = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
AGES: Final = (
    60,
    300,
    900,
    3600,
    6 * 3600,
    86_400,
    3 * 86_400,
    7 * 86_400,
    30 * 86_400,
    365 * 86_400,
)


@dataclass(frozen=True)
class Metric:
    """One Prometheus metric.

    Attributes
    ----------
    labels
        Names of its labels.
    buckets
        Upper bounds of a histogram in seconds. Empty: the metric is not a histogram.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


REQUESTS: Final = Metric("featurestore_requests", "Requests answered.", ("route", "status"))
ROWS: Final = Metric("featurestore_rows", "Rows looked up.", ("service",))
MISSES: Final = Metric("featurestore_misses", "Rows not found.", ("view",))
EXPIRED: Final = Metric("featurestore_expired", "Rows found expired.", ("view",))
STALE: Final = Metric("featurestore_stale", "Answers from the stale cache.", ("service",))
ROWS_VALIDATED: Final = Metric(
    "featurestore_rows_validated", "Uploaded rows validated.", ("dataset", "decision")
)
ROWS_QUARANTINED: Final = Metric(
    "featurestore_rows_quarantined", "Uploaded rows that broke their contract.", ("dataset", "decision")
)
RELEASE_RELOADS: Final = Metric(
    "featurestore_release_reloads", "New releases, loaded (done) or refused.", ("outcome",)
)
LOST_ROWS: Final = Metric(
    "featurestore_served_rows_dropped", "Rows of answers that are missing from the logs.", ("service",)
)
COUNTERS: Final = (
    REQUESTS,
    ROWS,
    MISSES,
    EXPIRED,
    STALE,
    ROWS_VALIDATED,
    ROWS_QUARANTINED,
    RELEASE_RELOADS,
    LOST_ROWS,
)

REQUEST_SECONDS: Final = Metric(
    "featurestore_request_seconds", "Time from a request's head to its answer.", ("route",), SECONDS
)
SERVICE_SECONDS: Final = Metric(
    "featurestore_service_seconds", "Time of requests by feature service.", ("service",), SECONDS
)
VIEW_SECONDS: Final = Metric(
    "featurestore_view_seconds", "Time of requests that read a feature view.", ("view",), SECONDS
)
FEATURE_AGE: Final = Metric(
    "featurestore_feature_age_seconds", "Age of the oldest row that answered a request.", ("view",), AGES
)
HISTOGRAMS: Final = (REQUEST_SECONDS, SERVICE_SECONDS, VIEW_SECONDS, FEATURE_AGE)

# A gauge, because the journal counts it.
JOURNAL_DROPPED: Final = Metric(
    "featurestore_journal_dropped", "Requests dropped by the journal: they are in no metric and no log."
)
METRICS: Final = (*COUNTERS, *HISTOGRAMS, JOURNAL_DROPPED)
