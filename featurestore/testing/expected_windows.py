"""What a windowed view answers, as the plain loop over its events says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.testing.domain import held
from featurestore.testing.oracle import known_at, version
from featurestore.testing.window_oracle import events_known, window
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.epoch import LAST
from featurestore.timing.join import Status
from featurestore.values.plain import to_series

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from featurestore.definitions.feature_view import FeatureView, Selection
    from featurestore.testing.oracle import Row


def expected_windows(
    selection: Selection,
    rows: Sequence[Row],
    *,
    watermark: datetime | None,
    as_of: datetime,
    deleted: Sequence[datetime],
) -> list[tuple[Any, Status]]:
    """Answer one key as a store at a watermark does.

    Parameters
    ----------
    rows
        The events of the key.
    deleted
        When the key was deleted.
    """
    view, timing = selection.view, selection.view.timing
    events = [row for row in rows if watermark is not None and known_at(row, timing) <= watermark]
    columns = [name for name in view.contract.schema if name not in view.keys]
    events.sort(key=lambda row: [(row[name] is not None, row[name] or 0) for name in columns])
    options: dict[str, Any] = {"identity": view.identity, "deleted": deleted}
    counting = events_known(as_of, events, timing, **options)
    if timing.ttl is not None and counting and as_of - counting[-1][EVENT_TIMESTAMP] > timing.ttl:
        return [(None, Status.OUTSIDE_MAX_AGE)] * len(selection.features)
    answers = []
    for name in selection.features:
        aggregation, column = view.windows[name], view.feature_contract[name]
        where, condition = (
            _holds(selection, expression, events) for expression in (aggregation.where, aggregation.condition)
        )
        value = window(aggregation, as_of, events, timing, where=where, condition=condition, **options)
        if value is not None:
            value = held(column, float(value) if column.dtype.is_float() else value)
        answers.append((value, Status.NULL_VALUE if value is None else Status.PRESENT))
    return answers


def _holds(selection: Selection, expression: pl.Expr | None, events: Sequence[Row]) -> Callable[[Row], bool]:
    """Return whether an expression holds for an event; without one it holds."""
    if expression is None:
        return lambda _: True
    schema = selection.view.contract.schema
    frame = pl.DataFrame(
        [to_series(name, [row[name] for row in events], dtype) for name, dtype in schema.items()]
    )
    holds = frame.select(expression.fill_null(value=False)).to_series().to_list()
    by_event = {id(event): value for event, value in zip(events, holds, strict=True)}
    return lambda event: by_event[id(event)]


def change_times(view: FeatureView, rows: Sequence[Row], deleted: Sequence[datetime]) -> set[datetime]:
    """Return when an event of a key becomes known, leaves a window, is replaced or is deleted.

    Parameters
    ----------
    rows
        The events of the key.
    deleted
        When the key was deleted.
    """
    replaced: dict[int, datetime] = {}
    if view.identity:
        later: dict[tuple[Any, ...], Row] = {}
        for row in sorted(rows, key=lambda row: (known_at(row, view.timing), version(row))):
            name = tuple(row[column] for column in view.identity)
            if name in later:
                replaced[id(later[name])] = known_at(row, view.timing)
            later[name] = row
    durations = {window.duration for window in view.windows.values()}
    times: set[datetime] = set()
    for row in rows:
        event = row[EVENT_TIMESTAMP]
        ends = [timestamp for timestamp in deleted if timestamp >= event]
        ends += [replaced[id(row)]] if id(row) in replaced else []
        # An event never leaves a window that ends after the last timestamp.
        left = [
            min([event + duration, *ends])
            for duration in durations
            if duration is not None and duration <= LAST - event
        ]
        known = known_at(row, view.timing)
        times |= {
            timestamp for timestamp in (known, *left, *([min(ends)] if ends else [])) if timestamp >= known
        }
    return times
