"""The reference implementation of windows: the events of one key as a plain loop, slow and obvious."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from featurestore.testing.oracle import Row, known_at, version
from featurestore.testing.window_sketches import approximate, value_at
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.exact_sum import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from featurestore.timing.known_at import Timing
    from featurestore.windows.aggregation import Aggregation, Kind

MIN_VALUES: Final = 2  # of a variance


def events_known(
    as_of: datetime,
    events: Sequence[Row],
    timing: Timing,
    *,
    identity: Sequence[str] = (),
    deleted: Sequence[datetime] = (),
) -> list[Row]:
    """Return the events of a key that count at a timestamp, in the order of their versions; of equal versions, as given."""
    known = [event for event in events if known_at(event, timing) <= as_of]
    if identity:
        latest: dict[tuple[Any, ...], Row] = {}
        for event in sorted(known, key=lambda event: (known_at(event, timing), version(event))):
            latest[tuple(event[name] for name in identity)] = event
        current = {id(event) for event in latest.values()}
        known = [event for event in known if id(event) in current]
    kept = [e for e in known if not any(e[EVENT_TIMESTAMP] <= timestamp <= as_of for timestamp in deleted)]
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
    """Compute an aggregate of the events of one key at a timestamp.

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
    return _of_events(aggregation, as_of, inside, condition)


def _of_events(
    aggregation: Aggregation, as_of: datetime, inside: list[Row], condition: Callable[[Row], bool]
) -> Any:
    if aggregation.column is not None:
        values = [event[aggregation.column] for event in inside if event[aggregation.column] is not None]
        return _of_values(aggregation, values)
    if aggregation.kind == "count":
        return len(inside)
    if not inside:
        return None
    if aggregation.kind == "share":
        return sum(map(condition, inside)) / len(inside)
    return (as_of - inside[-1][EVENT_TIMESTAMP]) / timedelta(seconds=1)


def _of_values(aggregation: Aggregation, values: list[Any]) -> Any:
    if aggregation.error is not None:
        return approximate(values, aggregation.error, aggregation.quantile)
    if aggregation.quantile is not None:
        return value_at(aggregation.quantile, values)
    return _OF_VALUES[aggregation.kind](values, aggregation.n)


def _sum(values: list[Any], _: int) -> Any:
    if not any(isinstance(value, float) for value in values):
        return sum(values)
    try:
        return math.fsum(values) + 0.0
    except OverflowError:  # a partial sum is larger than any float
        return nearest(sum(map(Fraction, values), Fraction()))


def _mean(values: list[Any], _: int) -> float | None:
    return float(sum(map(Fraction, values), Fraction()) / len(values)) if values else None


def _variance(values: list[Any], _: int) -> float | None:
    if len(values) < MIN_VALUES:
        return None
    mean = sum(map(Fraction, values), Fraction()) / len(values)
    return nearest(sum(((Fraction(v) - mean) ** 2 for v in values), Fraction()) / (len(values) - 1))


def _deviation(values: list[Any], n: int) -> float | None:
    variance = _variance(values, n)
    return None if variance is None else math.sqrt(variance)


def _without_negative_zero(value: Any) -> Any:
    return value + 0.0 if isinstance(value, float) else value


_OF_VALUES: Final[Mapping[Kind, Callable[[list[Any], int], Any]]] = {
    "sum": _sum,
    "mean": _mean,
    "variance": _variance,
    "deviation": _deviation,
    "min": lambda values, _: _without_negative_zero(min(values)) if values else None,
    "max": lambda values, _: _without_negative_zero(max(values)) if values else None,
    "first": lambda values, _: values[0] if values else None,
    "last": lambda values, _: values[-1] if values else None,
    "last_n": lambda values, n: values[::-1][:n],
    "distinct": lambda values, _: len(set(values)),
}
