"""The windows of one key at one moment, over its stored events: plain Python, in microseconds.

The values are those of `featurestore.windows.join.windows_at`, to the last bit.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from fractions import Fraction
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from featurestore.timing.epoch import MICROSECOND
from featurestore.values.exact_sum import exact_total, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from featurestore.windows.aggregation import Aggregation
    from featurestore.windows.stored_columns import StoredColumns

SECOND: Final = 1_000_000
LEAST, GREATEST = -(1 << 63), (1 << 63) - 1
MIN_VALUES: Final = 2  # of a variance
# An event as it is stored: its moment, values and conditions (`StoredColumns`).
StoredEvent: TypeAlias = "Sequence[Any]"
Window: TypeAlias = "Callable[[Sequence[StoredEvent], int], Any]"
_moment = itemgetter(0)


def compile_windows(windows: Mapping[str, Aggregation], columns: StoredColumns) -> list[Window]:
    """Return a function for each window, of the events of a key in order and the moment asked.

    The events are those that are known at that moment, in the order of their versions; the moments are microseconds
    since 1970-01-01 UTC. A sum of integers that does not fit into 64 bits raises `OverflowError`.
    """
    return [_compiled(window, columns) for window in windows.values()]


def _compiled(aggregation: Aggregation, columns: StoredColumns) -> Window:
    length = None if aggregation.duration is None else aggregation.duration // MICROSECOND
    where = None if aggregation.where is None else columns.condition(aggregation.where)
    last = aggregation.events
    finish = _finish(aggregation, columns)

    def window(events: Sequence[StoredEvent], now: int) -> Any:
        start = 0 if length is None else bisect_right(events, now - length, key=_moment)
        inside = events[start:]
        if where is not None:
            inside = [event for event in inside if event[where]]
        if last is not None:
            inside = inside[-last:]
        return finish(inside, now)

    return window


def _finish(aggregation: Aggregation, columns: StoredColumns) -> Window:
    if aggregation.kind == "count":
        return lambda events, _: len(events)
    if aggregation.kind == "time_since":
        return lambda events, now: (now - events[-1][0]) / SECOND if events else None
    if aggregation.condition is not None:
        holds = columns.condition(aggregation.condition)
        return lambda events, _: sum(event[holds] for event in events) / len(events) if events else None
    position, of_values = columns.value(aggregation.column or ""), _of_values(aggregation)

    def finish(events: Sequence[StoredEvent], _: int) -> Any:
        return of_values([event[position] for event in events if event[position] is not None])

    return finish


def _of_values(aggregation: Aggregation) -> Callable[[list[Any]], Any]:
    n = aggregation.n
    return {
        "sum": _sum,
        "mean": lambda values: nearest(exact_total(values) / len(values)) if values else None,
        "variance": _variance,
        "deviation": lambda values: None if len(values) < MIN_VALUES else math.sqrt(_variance(values) or 0.0),
        "min": lambda values: _without_negative_zero(min(values)) if values else None,
        "max": lambda values: _without_negative_zero(max(values)) if values else None,
        "first": lambda values: values[0] if values else None,
        "last": lambda values: values[-1] if values else None,
        "last_n": lambda values: values[::-1][:n],
        "distinct": lambda values: len(set(values)),
    }[aggregation.kind]


def _sum(values: list[Any]) -> Any:
    total = exact_total(values)
    if values and isinstance(values[0], float):
        return nearest(total)
    if not LEAST <= total <= GREATEST:
        raise OverflowError(f"the sum {total} does not fit into 64 bits")
    return int(total)


def _variance(values: list[Any]) -> float | None:
    n = len(values)
    if n < MIN_VALUES:
        return None
    exact = list(map(Fraction, values))
    total = sum(exact, Fraction())
    return nearest((n * sum((value * value for value in exact), Fraction()) - total * total) / (n * (n - 1)))


def _without_negative_zero(value: Any) -> Any:
    return value + 0.0 if isinstance(value, float) else value
