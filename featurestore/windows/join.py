"""The join of questions to the windows of their key's events."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from featurestore.timing.columns import EVENT_TIMESTAMP, KNOWN_AT
from featurestore.timing.epoch import MICROSECOND
from featurestore.timing.join import AS_OF
from featurestore.timing.version import version
from featurestore.values.numpy_threads import keep_freed_memory, numpy_threads
from featurestore.windows.additive import Order, Places
from featurestore.windows.aggregate import Window, aggregate
from featurestore.windows.events import Events, holds
from featurestore.windows.intervals import UNTIL, with_intervals
from featurestore.windows.members import Members, OfDurations, OfLast
from featurestore.windows.overflow import WindowOverflowError
from featurestore.windows.positions import Questions

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence
    from datetime import timedelta

    from numpy.typing import NDArray

    from featurestore.timing.known_at import Timing
    from featurestore.windows.aggregation import Aggregation

# Events, or questions: few enough for many parts, and enough that Python takes little of their time.
PART_ROWS: Final = 1 << 15
FEW_THREADS: Final = 4  # more threads get larger parts, in this proportion
NEVER = np.iinfo(np.int64).max >> 1
_KEY = "__key"


def windows_at(
    questions: pl.DataFrame,
    events: pl.DataFrame,
    aggregations: Mapping[str, Aggregation],
    *,
    keys: Sequence[str],
    timing: Timing,
    identity: Sequence[str] = (),
    deletions: pl.DataFrame | None = None,
    part_rows: int | None = None,
) -> pl.DataFrame:
    """Aggregate for each question the events that are in the window at its timestamp and known by then.

    ``value(t)`` is the aggregate of the events of the key with ``t - duration < event_timestamp <= t`` and
    ``known_at <= t``, exact to the microsecond at both ends. An empty window has a count and a sum of 0, an empty list
    of last values, and null for all else. Sums, means and variances are rounded once, so the order of the rows does not
    matter.

    Parameters
    ----------
    questions
        Keys, and the timestamp of the question in ``__as_of`` (Datetime('us', 'UTC')), sorted by key and timestamp.
    events
        Keys, event timestamp, created timestamp if ``timing.created``, and the aggregated columns, in any order.
    aggregations
        What is computed, by the name of the feature.
    keys, timing
        The keys of the view, and its timing.
    identity, deletions
        See `featurestore.windows.intervals.with_intervals`.
    part_rows
        About how many events, or questions, one thread aggregates at once. The result does not depend on it. None: as many
        as keep all threads busy; many threads get larger parts, because they wait for each other between two steps of NumPy.

    Returns
    -------
    pl.DataFrame
        One column for each aggregation, one row for each question, in the same order.

    Raises
    ------
    WindowOverflowError
        If a value does not fit into 64 bits. Names the window.
    """
    numbers = questions.select(pl.struct(keys).rle_id().cast(pl.Int64)).to_series().to_numpy()
    numbered = Questions(numbers, questions[AS_OF].to_physical().to_numpy())
    first_rows = np.flatnonzero(np.diff(numbers, prepend=-1))
    keyed = questions[first_rows].select(keys).with_columns(pl.Series(_KEY, np.arange(len(first_rows))))
    intervals = with_intervals(
        events.lazy().join(keyed.lazy(), on=list(keys), how="inner"),
        keys,
        timing,
        identity=identity,
        deletions=None if deletions is None else deletions.lazy(),
    )
    # Events of one version are ordered by their values, so that no order of the rows decides.
    columns = [name for name in events.columns if name not in keys]
    ordered = intervals.sort([_KEY, *version(timing), *columns], maintain_order=True).collect()
    conditions = _different([window.where for window in aggregations.values() if window.where is not None])
    threads = numpy_threads()
    if part_rows is None:
        of_each = (ordered.height + questions.height) // threads
        part_rows = max(PART_ROWS, min(PART_ROWS * threads // FEW_THREADS, of_each))
    parts = _parts(numbered, _prepared(ordered, events.columns, conditions), part_rows)
    together = _together(aggregations, conditions)
    aggregated = partial(_aggregated, together=together, conditions=conditions, aggregations=aggregations)
    keep_freed_memory()
    # NumPy has one thread for each part.
    with ThreadPoolExecutor(min(threads, len(parts))) as pool:
        return pl.concat(pool.map(aggregated, *zip(*parts, strict=True)))


def _prepared(ordered: pl.DataFrame, columns: Sequence[str], conditions: Sequence[pl.Expr]) -> Events:
    times = ordered.select(EVENT_TIMESTAMP, KNOWN_AT, pl.col(UNTIL).to_physical().fill_null(NEVER))
    timestamps, known, until = (time.to_physical().to_numpy() for time in times)
    frame = ordered.select(columns)
    filters = (np.ones(frame.height, dtype=bool), *(holds(frame, condition) for condition in conditions))
    return Events(frame, ordered[_KEY].to_numpy(), timestamps, known, until, filters)


def _different(expressions: Sequence[pl.Expr]) -> list[pl.Expr]:
    different: list[pl.Expr] = []
    for expression in expressions:
        if not any(expression.meta.eq(known) for known in different):
            different.append(expression)
    return different


def _parts(questions: Questions, events: Events, rows: int) -> list[tuple[Questions, Events]]:
    """Split questions and their events before the key of each `rows`-th row; all rows of a key stay together."""
    keys = questions.keys
    cuts = np.unique(np.concatenate([keys[rows::rows], events.keys[rows::rows]]))
    starts = [0, *np.searchsorted(keys, cuts).tolist(), len(keys)]
    event_starts = [0, *np.searchsorted(events.keys, cuts).tolist(), len(events)]
    return [
        (questions[start:end], events[event_start:event_end])
        for (start, end), (event_start, event_end) in zip(
            pairwise(starts), pairwise(event_starts), strict=True
        )
    ]


def _aggregated(
    numbered: Questions,
    events: Events,
    *,
    together: Sequence[Sequence[str]],
    conditions: Sequence[pl.Expr],
    aggregations: Mapping[str, Aggregation],
) -> pl.DataFrame:
    first = numbered.first_from(events.keys, events.known)
    begun = Order.of(first, len(numbered))
    places: dict[timedelta | None, Places] = {}
    for duration in {aggregation.duration: None for aggregation in aggregations.values()}:
        end = np.maximum(numbered.first_from(events.keys, _end(events, duration)), first)
        places[duration] = Places(first, end, begun, len(numbered))

    def compute(names: Sequence[str]) -> list[pl.Series]:
        own = aggregations[names[0]]
        where = _number(conditions, own.where)
        members: Members = OfDurations(tuple(places[aggregations[name].duration] for name in names))
        if own.events is not None:
            positions = np.where(events.filters[where], np.arange(len(events)), -1)
            members = OfLast(members.greatest(positions, max(1, min(own.events, len(events)))))
        as_of = np.concatenate([numbered.timestamps] * len(names))
        try:
            values = aggregate(own, Window(events, members, where, as_of))
        except OverflowError as error:
            if len(names) > 1:  # find the window that overflows
                return [value for name in names for value in compute([name])]
            is_sum = own.kind == "sum"
            reason = (
                "a sum of integers does not fit into 64 bits"
                if is_sum
                else "a value does not fit into Float64"
            )
            raise WindowOverflowError(names[0], reason) from error
        return [values.slice(i * len(numbered), len(numbered)) for i in range(len(names))]

    results: dict[str, pl.Series] = {}
    for names in together:
        results |= zip(names, compute(names), strict=True)
    return pl.DataFrame({name: results[name] for name in aggregations})


def _together(aggregations: Mapping[str, Aggregation], conditions: Sequence[pl.Expr]) -> list[list[str]]:
    """Group aggregations that differ only in their durations."""
    groups: dict[Hashable, list[str]] = {}
    for name, own in aggregations.items():
        is_alone = own.events is not None or own.condition is not None
        of_kind = (own.kind, own.column, own.n, own.quantile, own.error, _number(conditions, own.where))
        groups.setdefault(name if is_alone else of_kind, []).append(name)
    return list(groups.values())


def _number(conditions: Sequence[pl.Expr], where: pl.Expr | None) -> int:
    """Return the number of a filter: 0 for all events."""
    if where is None:
        return 0
    return next(number for number, known in enumerate(conditions, start=1) if where.meta.eq(known))


def _end(events: Events, duration: timedelta | None) -> NDArray[np.int64]:
    if duration is None:
        return events.until
    return np.minimum(events.until, events.timestamps + duration // MICROSECOND)
