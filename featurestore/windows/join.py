"""The join of questions to the windows of their key's events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from featurestore.timing.columns import EVENT_TIMESTAMP, KNOWN_AT
from featurestore.timing.epoch import MICROSECOND
from featurestore.timing.join import AS_OF
from featurestore.timing.version import version
from featurestore.windows.additive import Places
from featurestore.windows.aggregate import aggregate
from featurestore.windows.events import Events
from featurestore.windows.intervals import UNTIL, with_intervals
from featurestore.windows.members import Members, OfDuration, OfLast
from featurestore.windows.positions import Questions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from numpy.typing import NDArray

    from featurestore.timing.known_at import Timing
    from featurestore.windows.aggregation import Aggregation

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
) -> pl.DataFrame:
    """Aggregate for each question the events that are in the window at its moment and known by then.

    ``value(t)`` is the aggregate of the events of the key with ``t - duration < event_timestamp <= t`` and
    ``known_at <= t``, exact to the microsecond at both ends. An empty window has a count and a sum of 0, an empty list
    of last values, and null for all else. Sums, means and variances are rounded once, so the order of the rows does not
    matter.

    Parameters
    ----------
    questions
        Keys, and the moment of the question in ``__as_of`` (Datetime('us', 'UTC')), sorted by key and moment.
    events
        Keys, event timestamp, created timestamp if ``timing.created``, and the aggregated columns, in any order.
    aggregations
        What is computed, by the name of the feature.
    keys, timing
        The keys of the view, and its timing.
    identity, deletions
        See `featurestore.windows.intervals.with_intervals`.

    Returns
    -------
    pl.DataFrame
        One column for each aggregation, one row for each question, in the same order.
    """
    asked = Questions(_numbers(questions, keys), questions[AS_OF].dt.epoch("us").to_numpy())
    prepared = _events(questions, events, keys, timing, identity, deletions)
    places: dict[timedelta | None, Places] = {}
    results = {}
    for name, aggregation in aggregations.items():
        duration = aggregation.duration
        if duration not in places:
            places[duration] = _places(prepared, asked, duration)
        counts = _counts(prepared, aggregation)
        members: Members = OfDuration(places[duration])
        if aggregation.events is not None:
            numbers = np.where(counts, np.arange(len(prepared)), -1)
            members = OfLast(members.greatest(numbers, aggregation.events))
        results[name] = aggregate(aggregation, prepared, members, counts, asked.moments)
    return pl.DataFrame(results)


def _numbers(questions: pl.DataFrame, keys: Sequence[str]) -> NDArray[np.int64]:
    return questions.select(pl.struct(keys).rle_id().cast(pl.Int64)).to_series().to_numpy()


def _events(
    questions: pl.DataFrame,
    events: pl.DataFrame,
    keys: Sequence[str],
    timing: Timing,
    identity: Sequence[str],
    deletions: pl.DataFrame | None,
) -> Events:
    keyed = questions.select(*keys, pl.struct(keys).rle_id().cast(pl.Int64).alias(_KEY)).unique(
        maintain_order=True
    )
    columns = [name for name in events.columns if name not in keys]
    intervals = (
        with_intervals(
            events.lazy().join(keyed.lazy(), on=list(keys), how="inner"),
            keys,
            timing,
            identity=identity,
            deletions=None if deletions is None else deletions.lazy(),
        )
        # Events of one version are ordered by their values, so that no order of the rows decides.
        .sort([_KEY, *version(timing), *columns], maintain_order=True)
        .collect()
    )
    moments, known, until = (
        intervals[name].dt.epoch("us").fill_null(NEVER).to_numpy()
        for name in (EVENT_TIMESTAMP, KNOWN_AT, UNTIL)
    )
    return Events(intervals.select(events.columns), intervals[_KEY].to_numpy(), moments, known, until)


def _places(events: Events, asked: Questions, duration: timedelta | None) -> Places:
    end = events.until
    if duration is not None:
        end = np.minimum(end, events.moments + duration // MICROSECOND)
    first = asked.first_from(events.keys, events.known)
    return Places(first, np.maximum(asked.first_from(events.keys, end), first), len(asked))


def _counts(events: Events, aggregation: Aggregation) -> NDArray[np.bool_]:
    if aggregation.where is None:
        return np.ones(len(events), dtype=bool)
    return events.frame.select(aggregation.where.fill_null(value=False)).to_series().to_numpy()
