"""Aggregates that are put together from those of parts, exactly: what online stores keep of blocks of events."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from itertools import accumulate
from operator import add, mul
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from featurestore.errors import ContractError
from featurestore.windows.distribution import comparable, finish_distribution, measure_of_distribution
from featurestore.windows.measure import Measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import polars as pl

    from featurestore.windows.aggregation import Aggregation
    from featurestore.windows.stored_columns import StoredColumns

SECOND: Final = 1_000_000
MIN_INT64, MAX_INT64 = -(1 << 63), (1 << 63) - 1
# Floats are whole numbers of 2**-1074, the smallest float above zero; their squares, of 2**-2148.
SCALE: Final = 1074
_MAX_UNSIGNED: Final = (1 << 64) - 1
StoredEvent: TypeAlias = "Sequence[Any]"
# A whole number as digits and how often they are doubled: sums of numbers of about one size have few digits.
Exact: TypeAlias = "Sequence[int]"
# Kinds that are computed from the measure of another kind.
_MEASURE_OF: Final = {"mean": "sum", "deviation": "variance"}
_OF_EVENTS: Final = ("last_n", "distinct", "quantile")


def is_mergeable(aggregation: Aggregation) -> bool:
    """Return whether a window is put together from measures; the others are computed from single events."""
    return aggregation.events is None and aggregation.kind not in _OF_EVENTS


class Measures:
    """The measures that the windows of a view need, each one once.

    Parameters
    ----------
    windows
        All windows of the view, in its order.
    columns
        Where an event keeps what they read.
    schema
        Dtypes of the events.
    every
        Whether windows that are not mergeable have measures too.
    """

    def __init__(
        self,
        windows: Mapping[str, Aggregation],
        columns: StoredColumns,
        schema: Mapping[str, pl.DataType],
        *,
        every: bool = False,
    ) -> None:
        self._columns = columns
        self._places: dict[tuple[Any, ...], int] = {}
        self.all: list[Measure] = []
        for window in windows.values():
            if (every or is_mergeable(window)) and self._identity(window) not in self._places:
                self._places[self._identity(window)] = len(self.all)
                self.all.append(_measure(window, columns, schema))

    def place(self, window: Aggregation) -> int:
        """Return the number of the measure of a window."""
        return self._places[self._identity(window)]

    def pack(self, states: Iterable[Any]) -> list[Any]:
        """Pack the states of all measures."""
        return [measure.pack(state) for measure, state in zip(self.all, states, strict=True)]

    def merged(self, packed: Sequence[Any], newer: Iterable[Any]) -> list[Any]:
        """Return the packed states of two parts: the older one is packed."""
        return [
            measure.pack(measure.merge(measure.unpack(state), more))
            for measure, state, more in zip(self.all, packed, newer, strict=True)
        ]

    def suffixes(self, parts: Sequence[Sequence[Any]]) -> list[list[Any]]:
        """Return for each part the packed states of it and all parts after it; the parts are packed, the oldest first."""
        columns: list[list[Any]] = []
        for measure, packed in zip(self.all, zip(*parts, strict=True), strict=True):
            states = map(measure.unpack, reversed(packed))
            suffixes = accumulate(states, partial(_merged_before, measure.merge))
            columns.append([*map(measure.pack, suffixes)][::-1])
        return [list(states) for states in zip(*columns, strict=True)] if columns else [[] for _ in parts]

    def _identity(self, window: Aggregation) -> tuple[Any, ...]:
        where, condition = (
            None if expression is None else self._columns.condition(expression)
            for expression in (window.where, window.condition)
        )
        return _MEASURE_OF.get(window.kind, window.kind), window.column, where, condition, window.error


def finish(aggregation: Aggregation, dtype: pl.DataType | None) -> Callable[[Any, int], Any]:
    """Return the function that computes the value of a window from the state of its measure and the timestamp."""
    scale = SCALE if dtype is not None and dtype.is_float() else 0
    if aggregation.quantile is not None or aggregation.error is not None:
        return finish_distribution(aggregation, dtype)
    if aggregation.kind in ("sum", "mean", "variance", "deviation"):
        return _finish_numbers(aggregation.kind, scale)
    match aggregation.kind:
        case "share":
            return lambda state, _: state[1] / state[0] if state[0] else None
        case "time_since":
            return lambda timestamp, now: None if timestamp is None else (now - timestamp) / SECOND
        case _:
            return _finish_value if scale and aggregation.kind in ("min", "max") else lambda value, _: value


def _finish_value(value: float | None, _: int) -> float | None:
    return None if value is None else value + 0.0


def _finish_numbers(kind: str, scale: int) -> Callable[[Any, int], Any]:
    match kind:
        case "sum" if scale:
            return lambda state, _: _quotient(state[1], 1, scale)
        case "sum":
            return lambda state, _: _whole(state[1][0] << state[1][1])
        case "mean":
            return lambda state, _: _quotient(state[1], state[0], scale) if state[0] else None
        case "variance":
            return lambda state, _: _variance(state, scale)
        case _:
            return lambda state, _: _root(_variance(state, scale))


def _root(number: float | None) -> float | None:
    return None if number is None else math.sqrt(number)


def _measure(window: Aggregation, columns: StoredColumns, schema: Mapping[str, pl.DataType]) -> Measure:
    if window.column is None:
        return _measure_of_events(window, columns)
    inside, position, dtype = _inside(window, columns), columns.read(window), schema[window.column]

    def values(events: Sequence[StoredEvent]) -> list[Any]:
        return [event[position] for event in inside(events) if event[position] is not None]

    match window.kind:
        case "first":
            return Measure(lambda events: _last(values(events)[:1]), _older, _same, _same)
        case "last":
            return Measure(lambda events: _last(values(events)), _newer, _same, _same)
        case "min" | "max":
            best: Any = partial(min if window.kind == "min" else max, key=comparable(dtype), default=None)

            def merge(older: Any, newer: Any) -> Any:
                if older is None or newer is None:
                    return newer if older is None else older
                return best((older, newer))

            return Measure(lambda events: best(values(events)), merge, _same, _same)
        case _ if window.quantile is not None or window.error is not None:
            distribution = measure_of_distribution(window)
            return replace(distribution, of=lambda events: distribution.of(values(events)))
        case _:
            return _measure_of_numbers(values, squares=window.kind in ("variance", "deviation"), dtype=dtype)


def _measure_of_events(window: Aggregation, columns: StoredColumns) -> Measure:
    inside = _inside(window, columns)
    if window.kind == "count":
        return Measure(lambda events: sum(1 for _ in inside(events)), add, _same, _same)
    if window.condition is None:
        return Measure(lambda events: _last([event[0] for event in inside(events)]), _newer, _same, _same)
    holds = columns.condition(window.condition)

    def share(events: Sequence[StoredEvent]) -> tuple[int, ...]:
        matches = [event[holds] for event in inside(events)]
        return len(matches), sum(matches)

    return Measure(share, _added, _same, _same)


def _measure_of_numbers(
    values: Callable[[Sequence[StoredEvent]], list[Any]], *, squares: bool, dtype: pl.DataType
) -> Measure:
    add_up = _sum_of_floats if dtype.is_float() else _sum_of_integers
    integers = _integers if dtype.is_float() else _themselves

    def total(events: Sequence[StoredEvent]) -> tuple[Any, ...]:
        numbers = values(events)
        return len(numbers), add_up(numbers)

    def with_squares(events: Sequence[StoredEvent]) -> tuple[Any, ...]:
        digits, doubled = integers(values(events))
        return len(digits), (sum(digits), doubled), (sum(map(mul, digits, digits)), 2 * doubled)

    return Measure(with_squares if squares else total, _numbers_added, _packed_numbers, _unpacked_numbers)


def _inside(
    window: Aggregation, columns: StoredColumns
) -> Callable[[Sequence[StoredEvent]], Iterable[StoredEvent]]:
    if window.where is None:
        return _same
    where = columns.condition(window.where)
    return lambda events: [event for event in events if event[where]]


def _integers(values: Sequence[float]) -> tuple[list[int], int]:
    """Return the digits of floats, and how often all of them are doubled."""
    try:
        ratios = [value.as_integer_ratio() for value in values]
    except (OverflowError, ValueError) as error:
        refused = next(value for value in values if not math.isfinite(value))
        raise ContractError(
            f"a window adds up {refused}", hint="let the schema of the events refuse it"
        ) from error
    bits = max((denominator.bit_length() for _, denominator in ratios), default=1)
    digits = [numerator << (bits - denominator.bit_length()) for numerator, denominator in ratios]
    return digits, SCALE + 1 - bits


def _themselves(values: list[int]) -> tuple[list[int], int]:
    return values, 0


def _sum_of_integers(values: Sequence[int]) -> Exact:
    return sum(values), 0


def _sum_of_floats(values: Sequence[float]) -> Exact:
    """Add up floats exactly: `fsum`, and then what each rounding left over, until nothing is left."""
    parts: list[float] = []
    try:
        while rest := math.fsum((*values, *parts)):
            parts.append(-rest)
            if not math.isfinite(rest):
                break
    except (OverflowError, ValueError):  # a partial sum is larger than any float; infinities of both signs
        digits, doubled = _integers(values)
        return sum(digits), doubled
    digits, doubled = _integers(parts)
    return -sum(digits), doubled


def _quotient(numerator: Exact, denominator: int, scale: int) -> float:
    """Divide an exact number of 2**-scale, rounded once: Python's division is."""
    digits, doubled = numerator
    try:
        if doubled < scale:
            return digits / (denominator << (scale - doubled))
        return (digits << (doubled - scale)) / denominator
    except OverflowError:
        raise OverflowError("a value of a window does not fit into Float64") from None


def _whole(total: int) -> int:
    if not MIN_INT64 <= total <= MAX_INT64:
        raise OverflowError(f"the sum {total:,} does not fit into 64 bits")
    return total


def _variance(state: Sequence[Any], scale: int) -> float | None:
    number, (digits, doubled), (squares, squares_doubled) = state
    if number < 2:  # noqa: PLR2004
        return None
    spread = _plus((number * squares, squares_doubled), (-digits * digits, 2 * doubled))
    return _quotient(spread, number * (number - 1), 2 * scale)


def _added(older: Sequence[int], newer: Sequence[int]) -> tuple[int, ...]:
    return tuple(map(add, older, newer))


def _numbers_added(older: Sequence[Any], newer: Sequence[Any]) -> tuple[Any, ...]:
    return older[0] + newer[0], *map(_plus, older[1:], newer[1:])


def _plus(first: Exact, second: Exact) -> Exact:
    digits, doubled = first
    more, more_doubled = second
    if not more:
        return first
    if not digits:
        return second
    if doubled <= more_doubled:
        return digits + (more << (more_doubled - doubled)), doubled
    return (digits << (doubled - more_doubled)) + more, more_doubled


def _packed_numbers(state: Sequence[Any]) -> list[Any]:
    """Return the count and the exact numbers: trailing zeros and then bytes shorten digits of more than 64 bits."""
    return [state[0], *map(_packed, state[1:])]


def _packed(number: Exact) -> Any:
    digits, doubled = number
    if MIN_INT64 <= digits <= _MAX_UNSIGNED:
        return number
    zeros = (digits & -digits).bit_length() - 1
    digits >>= zeros
    if MIN_INT64 <= digits <= _MAX_UNSIGNED:
        return digits, doubled + zeros
    return digits.to_bytes(digits.bit_length() // 8 + 1, "big", signed=True), doubled + zeros


def _unpacked_numbers(packed: Sequence[Any]) -> Sequence[Any]:
    for number in packed[1:]:
        if type(number[0]) is not int:
            return packed[0], *map(_unpacked, packed[1:])
    return packed


def _unpacked(number: Sequence[Any]) -> Exact:
    if type(number[0]) is int:
        return number
    return int.from_bytes(number[0], "big", signed=True), number[1]


def _merged_before(merge: Callable[[Any, Any], Any], newer: Any, older: Any) -> Any:
    return merge(older, newer)


def _newer(older: Any, newer: Any) -> Any:
    return older if newer is None else newer


def _older(older: Any, newer: Any) -> Any:
    return newer if older is None else older


def _last(values: Sequence[Any]) -> Any:
    return values[-1] if values else None


def _same(value: Any) -> Any:
    return value
