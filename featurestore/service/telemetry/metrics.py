"""Counts the requests of the journal for Prometheus. Several workers count into files that they share."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter as Tally
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from featurestore.service.telemetry import metric_table as table
from featurestore.timing.epoch import MICROSECOND, microseconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featurestore.service.lookup.endpoint import Endpoint
    from featurestore.service.telemetry.journal import Entry, Journal

SHARED = "PROMETHEUS_MULTIPROC_DIR"


class Bucketed(NamedTuple):
    """Values by the buckets of a histogram.

    Attributes
    ----------
    counts
        For each bucket, the number of values that are in no smaller one.
    """

    counts: list[int]
    total: float


class Metrics:
    """An observer of the journal that counts requests.

    Parameters
    ----------
    shared
        True if several workers count together in the folder that the variable `SHARED` names. The variable alone does
        not decide: Feast sets it whenever Feast is imported.
    """

    def __init__(self, *, shared: bool) -> None:
        self._shared = shared
        self._registry = registry = CollectorRegistry()
        self._counters = {
            metric: Counter(metric.name, metric.help, metric.labels, registry=registry)
            for metric in table.COUNTERS
        }
        self._histograms = {
            metric: Histogram(
                metric.name, metric.help, metric.labels, registry=registry, buckets=metric.buckets
            )
            for metric in table.HISTOGRAMS
        }
        dropped = table.JOURNAL_DROPPED
        self._dropped = Gauge(dropped.name, dropped.help, registry=registry, multiprocess_mode="sum")

    def __call__(self, batch: list[Entry]) -> None:
        """Count a batch of requests."""
        by_route: dict[str, list[float]] = defaultdict(list)
        by_endpoint: dict[Endpoint, list[Entry]] = defaultdict(list)
        for entry in batch:
            by_route[entry.route].append(entry.seconds)
            if entry.endpoint is not None:
                by_endpoint[entry.endpoint].append(entry)
        for route, seconds in by_route.items():
            self._observe(table.REQUEST_SECONDS, route, bucketed(seconds, table.SECONDS))
        for (route, status), count in Tally((entry.route, entry.status) for entry in batch).items():
            self._counters[table.REQUESTS].labels(route, status).inc(count)
        for verdict in (entry.verdict for entry in batch if entry.verdict is not None):
            labels = (verdict.dataset, verdict.decision)
            self._counters[table.ROWS_VALIDATED].labels(*labels).inc(verdict.rows_in)
            self._counters[table.ROWS_QUARANTINED].labels(*labels).inc(verdict.rows_quarantined)
        for endpoint, entries in by_endpoint.items():
            self._count_lookups(endpoint, entries)

    def count_reload(self, outcome: str) -> None:
        """Count a new release that was loaded (``done``) or refused (``refused``)."""
        self._counters[table.RELEASE_RELOADS].labels(outcome).inc()

    def count_lost_rows(self, service: str, rows: int) -> None:
        """Count rows of answers that no log has, because the disk is full or slow."""
        self._counters[table.LOST_ROWS].labels(service).inc(rows)

    def text(self, journal: Journal) -> bytes:
        """Return all metrics in Prometheus's text format."""
        self._dropped.set(journal.dropped)
        if not self._shared:
            return generate_latest(self._registry)
        all_workers = CollectorRegistry()
        MultiProcessCollector(all_workers)  # type: ignore[no-untyped-call]
        return generate_latest(all_workers)

    def _count_lookups(self, endpoint: Endpoint, entries: list[Entry]) -> None:
        counters = self._counters
        seconds = bucketed([entry.seconds for entry in entries], table.SECONDS)
        self._observe(table.SERVICE_SECONDS, endpoint.name, seconds)
        counters[table.ROWS].labels(endpoint.name).inc(sum(entry.row_count for entry in entries))
        counters[table.STALE].labels(endpoint.name).inc(sum(entry.stale for entry in entries))
        answered = [(microseconds(entry.as_of), entry.events) for entry in entries if entry.as_of is not None]
        for position, selection in enumerate(endpoint.service.reads):
            view = selection.label
            ttl = selection.view.timing.ttl
            age_limit = None if ttl is None else ttl // MICROSECOND
            misses = 0
            expired = 0
            ages = []
            for as_of, events in answered:
                present = [event for event in events[position] if event is not None]
                misses += len(events[position]) - len(present)
                if present:
                    age = as_of - min(present)
                    ages.append(age / 1_000_000)
                    if age_limit is not None and age > age_limit:
                        expired += sum(as_of - event > age_limit for event in present)
            self._observe(table.FEATURE_AGE, view, bucketed(ages, table.AGES))
            self._observe(table.VIEW_SECONDS, view, seconds)
            counters[table.MISSES].labels(view).inc(misses)
            counters[table.EXPIRED].labels(view).inc(expired)

    def _observe(self, metric: table.Metric, label: str, values: Bucketed) -> None:
        """Observe many values with one step for each bucket; `Histogram.observe` takes one step for each value."""
        child = self._histograms[metric].labels(label)
        child._sum.inc(values.total)  # noqa: SLF001 - as observe does; prometheus_client has no bulk form
        for bucket, count in zip(child._buckets, values.counts, strict=True):  # noqa: SLF001 - as above
            if count:
                bucket.inc(count)


def bucketed(values: Sequence[float], bounds: Sequence[float]) -> Bucketed:
    """Count values by the buckets of a histogram. Those above the last bound have one more bucket."""
    ordered = sorted(values)
    ends = [*(bisect_right(ordered, bound) for bound in bounds), len(ordered)]
    return Bucketed([end - begin for begin, end in pairwise((0, *ends))], sum(values))
