"""Prometheus metrics of a server, counted from the journal; over several workers, from files that they share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from featurestore.timing.epoch import microseconds
from featurestore.timing.known_at import MICROSECOND

if TYPE_CHECKING:
    from featurestore.service.journal import Entry, Journal

SHARED = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
AGES = (60, 300, 900, 3600, 6 * 3600, 86_400, 3 * 86_400, 7 * 86_400, 30 * 86_400, 365 * 86_400)


class Metrics:
    """What is counted."""

    def __init__(self) -> None:
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
        self._reloads = Counter("featurestore_reloads", "Releases taken up.", ["outcome"], registry=registry)

    def __call__(self, batch: list[Entry]) -> None:
        """Count a batch of requests."""
        for entry in batch:
            self._requests.labels(entry.route, entry.status).inc()
            self._seconds.labels(entry.route).observe(entry.seconds)
            if entry.endpoint is not None and entry.found is not None and entry.moment is not None:
                self._count(entry)

    def reloaded(self, outcome: str) -> None:
        """Count a release that was taken up (``done``) or refused (``refused``)."""
        self._reloads.labels(outcome).inc()

    def text(self, journal: Journal) -> bytes:
        """Write all metrics in Prometheus's text format."""
        self._dropped.set(journal.dropped)
        if SHARED not in os.environ:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)

    def _count(self, entry: Entry) -> None:
        endpoint, found, moment = entry.endpoint, entry.found, entry.moment
        if endpoint is None or found is None or moment is None:
            return
        now = microseconds(moment)
        self._service_seconds.labels(endpoint.name).observe(entry.seconds)
        self._rows.labels(endpoint.name).inc(len(entry.asked))
        if entry.stale:
            self._stale.labels(endpoint.name).inc()
        for selection, events in zip(endpoint.service.reads, found.events, strict=True):
            view, ttl = selection.label, selection.view.timing.ttl
            self._view_seconds.labels(view).observe(entry.seconds)
            there = [event for event in events if event is not None]
            self._misses.labels(view).inc(len(events) - len(there))
            if there:
                self._age.labels(view).observe((now - min(there)) / 1_000_000)
                if ttl is not None:
                    limit = now - ttl // MICROSECOND
                    self._expired.labels(view).inc(sum(event < limit for event in there))
