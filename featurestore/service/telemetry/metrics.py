"""Prometheus metrics of a server, counted from the journal; over several workers, from files that they share."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter as Counting
from collections import defaultdict
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from featurestore.timing.epoch import MICROSECOND, microseconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featurestore.service.lookup.endpoint import Endpoint
    from featurestore.service.telemetry.journal import Entry, Journal

SHARED = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
AGES = (60, 300, 900, 3600, 6 * 3600, 86_400, 3 * 86_400, 7 * 86_400, 30 * 86_400, 365 * 86_400)


class Metrics:
    """What is counted.

    Parameters
    ----------
    together
        True where several workers count together, in the folder that `SHARED` names. The variable alone does not tell:
        Feast sets it too, for itself, wherever it is imported.
    """

    def __init__(self, *, together: bool) -> None:
        self._together = together
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "featurestore_requests", "Requests answered.", ["route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "featurestore_request_seconds",
            "From a request's head to its answer.",
            ["route"],
            registry=registry,
            buckets=SECONDS,
        )
        self._service_seconds = Histogram(
            "featurestore_service_seconds",
            "Time of requests by feature service.",
            ["service"],
            registry=registry,
            buckets=SECONDS,
        )
        self._view_seconds = Histogram(
            "featurestore_view_seconds",
            "Time of requests that read a feature view.",
            ["view"],
            registry=registry,
            buckets=SECONDS,
        )
        self._rows = Counter("featurestore_rows", "Rows looked up.", ["service"], registry=registry)
        self._misses = Counter("featurestore_misses", "Rows not found.", ["view"], registry=registry)
        self._expired = Counter("featurestore_expired", "Rows found expired.", ["view"], registry=registry)
        self._stale = Counter(
            "featurestore_stale", "Answers from last known values.", ["service"], registry=registry
        )
        self._age = Histogram(
            "featurestore_feature_age_seconds",
            "Age of the oldest row that answered a request.",
            ["view"],
            registry=registry,
            buckets=AGES,
        )
        self._dropped = Gauge(
            "featurestore_journal_dropped",
            "Requests of which nothing was told: neither metrics nor logs.",
            registry=registry,
            multiprocess_mode="sum",
        )
        self._judged, self._refused = (
            Counter(f"featurestore_rows_{name}", told, ["dataset", "decision"], registry=registry)
            for name, told in (
                ("judged", "Rows that were sent and judged."),
                ("refused", "Rows that were sent and broke their contract."),
            )
        )
        self._reloads = Counter("featurestore_reloads", "Releases taken up.", ["outcome"], registry=registry)

    def __call__(self, batch: list[Entry]) -> None:
        """Count a batch of requests."""
        seconds: dict[tuple[Histogram, str], list[float]] = defaultdict(list)
        for entry in batch:
            seconds[self._seconds, entry.route].append(entry.seconds)
        for (route, status), count in Counting((e.route, e.status) for e in batch).items():
            self._requests.labels(route, status).inc(count)
        answered: dict[Endpoint, list[Entry]] = defaultdict(list)
        for entry in batch:
            if entry.endpoint is not None:
                answered[entry.endpoint].append(entry)
        for verdict in (entry.verdict for entry in batch if entry.verdict is not None):
            self._judged.labels(verdict.dataset, verdict.decision).inc(verdict.rows_in)
            self._refused.labels(verdict.dataset, verdict.decision).inc(verdict.rows_quarantined)
        for endpoint, entries in answered.items():
            self._count(endpoint, entries, seconds)
        for (histogram, label), values in seconds.items():
            observe(histogram.labels(label), values, histogram)

    def reloaded(self, outcome: str) -> None:
        """Count a release that was taken up (``done``) or refused (``refused``)."""
        self._reloads.labels(outcome).inc()

    def text(self, journal: Journal) -> bytes:
        """Write all metrics in Prometheus's text format."""
        self._dropped.set(journal.dropped)
        if not self._together:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)

    def _count(
        self, endpoint: Endpoint, entries: list[Entry], seconds: dict[tuple[Histogram, str], list[float]]
    ) -> None:
        times = [entry.seconds for entry in entries]
        seconds[self._service_seconds, endpoint.name] += times
        self._rows.labels(endpoint.name).inc(sum(entry.rows for entry in entries))
        self._stale.labels(endpoint.name).inc(sum(entry.stale for entry in entries))
        for place, selection in enumerate(endpoint.service.reads):
            view, ttl = selection.label, selection.view.timing.ttl
            misses = expired = 0
            ages = seconds[self._age, view]
            for entry in entries:
                if entry.moment is None:
                    continue
                now, events = microseconds(entry.moment), entry.events[place]
                there = [event for event in events if event is not None]
                misses += len(events) - len(there)
                if there:
                    ages.append((now - min(there)) / 1_000_000)
                if ttl is not None:
                    limit = now - ttl // MICROSECOND
                    expired += sum(event < limit for event in there)
            seconds[self._view_seconds, view] += times
            self._misses.labels(view).inc(misses)
            self._expired.labels(view).inc(expired)


def observe(child: Histogram, values: Sequence[float], histogram: Histogram) -> None:
    """Observe many values at once: one step for each bucket, where `Histogram.observe` takes one for each value."""
    bounds = histogram._upper_bounds  # noqa: SLF001 - as observe does; prometheus_client has no bulk form
    counts = [0] * len(bounds)
    for value in values:
        counts[bisect_left(bounds, value)] += 1
    child._sum.inc(sum(values))  # noqa: SLF001
    for bucket, count in zip(child._buckets, counts, strict=True):  # noqa: SLF001
        if count:
            bucket.inc(count)
