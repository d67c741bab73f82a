"""The reference implementation of windows: the events of one key as a plain loop, slow and obvious."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from featurestore.testing.oracle import Row, known_at, version
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.exact_sum import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from featurestore.timing.known_at import Timing
    from featurestore.windows.aggregation import Aggregation


def events_known(
    as_of: datetime,
    events: Sequence[Row],
    timing: Timing,
    *,
    identity: Sequence[str] = (),
    deleted: Sequence[datetime] = (),
) -> list[Row]:
    """Return the events of a key that count at a moment, in the order of their versions; of equal versions, as given."""
    known = [event for event in events if known_at(event, timing) <= as_of]
    if identity:
        latest: dict[tuple[Any, ...], Row] = {}
        for event in sorted(known, key=lambda event: (known_at(event, timing), version(event))):
            latest[tuple(event[name] for name in identity)] = event
        current = {id(event) for event in latest.values()}
        known = [event for event in known if id(event) in current]
    kept = [e for e in known if not any(e[EVENT_TIMESTAMP] <= moment <= as_of for moment in deleted)]
    return sorted(kept, key=version)


def window(
    aggregation: Aggregation,
    as_of: datetime,
    events: Sequence[Row],
    timing: Timing,
    *,
    where: Callable[[Row], bool] = lambda _: True,
    condition: Callable[[Row], bool] = lambda _: True,
    identity: Sequence[str] = (),
    deleted: Sequence[datetime] = (),
) -> Any:
    """Compute an aggregate of the events of one key at a moment.

    Parameters
    ----------
    where, condition
        The filter of the aggregation and the condition of its share, as functions of an event.
    """
    inside = [
        event
        for event in events_known(as_of, events, timing, identity=identity, deleted=deleted)
        if where(event)
        and (aggregation.duration is None or as_of - event[EVENT_TIMESTAMP] < aggregation.duration)
    ]
    if aggregation.events is not None:
        inside = inside[-aggregation.events :]
    match aggregation.kind:
        case "count":
            return len(inside)
        case "share":
            return sum(map(condition, inside)) / len(inside) if inside else None
        case "time_since":
            return (as_of - inside[-1][EVENT_TIMESTAMP]) / timedelta(seconds=1) if inside else None
    assert aggregation.column is not None
    values = [event[aggregation.column] for event in inside if event[aggregation.column] is not None]
    return _of_values(aggregation, values)


def _of_values(aggregation: Aggregation, values: list[Any]) -> Any:
    match aggregation.kind:
        case "sum":
            return _float_sum(values) if any(isinstance(value, float) for value in values) else sum(values)
        case "last_n":
            assert aggregation.n is not None
            return values[::-1][: aggregation.n]
        case "distinct":
            return len(set(values))
        case "variance" | "deviation":
            if len(values) < 2:  # noqa: PLR2004
                return None
            mean = sum(map(Fraction, values), Fraction()) / len(values)
            variance = nearest(sum(((Fraction(v) - mean) ** 2 for v in values), Fraction()) / (len(values) - 1))
            return variance if aggregation.kind == "variance" else math.sqrt(variance)
    if not values:
        return None
    match aggregation.kind:
        case "mean":
            return float(sum(map(Fraction, values), Fraction()) / len(values))
        case "min" | "max":
            best = min(values) if aggregation.kind == "min" else max(values)
            return best + 0.0 if isinstance(best, float) else best
        case "first":
            return values[0]
        case _:
            return values[-1]


def _float_sum(values: list[float]) -> float:
    try:
        return math.fsum(values) + 0.0
    except OverflowError:  # a partial sum is larger than any float
        return nearest(sum(map(Fraction, values), Fraction()))
