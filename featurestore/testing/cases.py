"""Cases of a feature view from its own schema: rows at bounds, late, corrected and expired, and rows to refuse."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import count as numbers_from
from itertools import pairwise, product
from math import prod
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.testing.domain import Domain, domain_of, keeps
from featurestore.testing.oracle import known_at
from featurestore.testing.window_domain import with_windows_that_fit
from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from featurestore.timing.epoch import LAST, MICROSECOND
from featurestore.values.codec import MAX_KEY_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from random import Random

    from featurestore.definitions.contract import Column
    from featurestore.definitions.feature_view import FeatureView
    from featurestore.testing.oracle import Row
    from featurestore.timing.known_at import Timing

Key = tuple[Any, ...]
ZERO: Final = timedelta(0)
MAX_ROWS_OF_A_KEY: Final = 4
MAX_REFUSED_OF_A_COLUMN: Final = 4
MAX_PRODUCT: Final = 5_000
UNKNOWN_KEYS: Final = 3
ONE_NULL_IN: Final = 7
# Delays and cadences are added to events.
FIRST_YEAR, LAST_YEAR = 1800, 9000
# Keys of several texts that become equal where a store joins their parts.
_JOINTS: Final = ("", "|", ",", ":", "\x00", "/", "_")


@dataclass(frozen=True)
class ViewCases:
    """Rows and keys of one feature view.

    Attributes
    ----------
    rows
        Rows that keep the contract as far as plain Python can tell, as they come to the gate.
    refused
        Rows that the gate must keep out, each for one value.
    ties
        Pairs of rows of one version and different values, of which the gate must keep out both. Empty
        where the features have one value only.
    keys
        Keys to ask for; the last few have no rows.
    """

    view: FeatureView
    rows: tuple[Row, ...]
    refused: tuple[Row, ...]
    ties: tuple[Row, ...]
    keys: tuple[Key, ...]


class Deck:
    """Gives values in turns, so that each is given before one is given twice."""

    def __init__(self, values: Sequence[Any], random: Random) -> None:
        self._values, self._random = values, random
        self._left: list[Any] = []

    def draw(self) -> Any:
        """Return the next value."""
        if not self._left:
            self._left = self._random.sample(self._values, len(self._values))
        return self._left.pop()


class CaseMaker:
    """Makes the cases of one view.

    Parameters
    ----------
    view
        The feature view.
    random
        Decides; equal seeds give equal cases.

    Attributes
    ----------
    impossible
        Columns of which no value is known that keeps their checks. With one, there are no cases.
    """

    def __init__(self, view: FeatureView, random: Random) -> None:
        self.view, self._random = view, random
        self._domains = {
            column.name: with_windows_that_fit(
                view, column.name, domain_of(column, random, ordinary=column.name in view.keys)
            )
            for column in view.contract.columns
        }
        self._stored = [view.contract[name] for name in view.stored_schema]
        values = (*view.keys, *view.stored_schema)
        self.impossible = tuple(
            name for name in values if not (self._domains[name].allowed or view.contract[name].nullable)
        )
        self._decks = {name: Deck(self._domains[name].allowed or (None,), random) for name in values}

    def cases(self, base: datetime, count: int) -> ViewCases:
        """Make the histories of up to `count` keys around a timestamp; fewer where fewer keys are allowed."""
        base = self._allowed_base(base)
        keys = self._keys(count + UNKNOWN_KEYS)
        known = keys[: max(1, len(keys) - UNKNOWN_KEYS)]
        rows = [row for key in known for row in self._history(key, base)]
        refuses = bool(rows) and self.view.contract.policy.on_invalid != "warn"
        refused, ties = (
            (self._refused(known[0], base, rows), self._ties(known[0], base)) if refuses else ([], [])
        )
        return ViewCases(self.view, tuple(rows), tuple(refused), tuple(ties), tuple(keys))

    def _allowed_base(self, base: datetime) -> datetime:
        """Return the timestamp, or one at a bound of the column of events if that has bounds and excludes it."""
        column = self.view.contract[EVENT_TIMESTAMP]
        if keeps(column, base):
            return base
        allowed = self._domains[EVENT_TIMESTAMP].allowed
        usable = [value for value in allowed if FIRST_YEAR <= value.year <= LAST_YEAR]
        return self._random.choice(usable) if usable else base

    def row(self, key: Key, event: datetime, created: datetime | None) -> Row:
        """Make a row of a key with values in turns."""
        row: Row = {**dict(zip(self.view.keys, key, strict=True)), EVENT_TIMESTAMP: event}
        if self.view.timing.created:
            row[CREATED_TIMESTAMP] = created
        return row | {column.name: self._value(column) for column in self._stored}

    def can_push(self, row: Row) -> bool:
        """Return whether the times of a row keep their checks; a missing created timestamp is stamped."""
        times = [name for name in (EVENT_TIMESTAMP, CREATED_TIMESTAMP) if row[name] is not None]
        return all(keeps(self.view.contract[name], row[name]) for name in times)

    def event(self, base: datetime) -> datetime:
        """Draw an event timestamp around a timestamp."""
        return base + self._random.choice(offsets(self.view.timing))

    def _value(self, column: Column) -> Any:
        if column.nullable and not self._random.randrange(ONE_NULL_IN):
            return None
        return self._decks[column.name].draw()

    def _keys(self, count: int) -> list[Key]:
        parts = [self._domains[name].allowed for name in self.view.keys]
        if prod(map(len, parts)) <= MAX_PRODUCT:
            keys = list(product(*parts))
            keys = self._random.sample(keys, min(count, len(keys)))
        else:
            drawn = (tuple(self._random.choice(part) for part in parts) for _ in range(2 * count))
            keys = list(dict.fromkeys(drawn))[:count]
        keys = [key for key in keys if _size(key) <= MAX_KEY_BYTES]
        return list(dict.fromkeys((*self._colliding(), *keys)))

    def _colliding(self) -> list[Key]:
        """Return pairs of keys that are equal once their parts are joined as text."""
        columns = [self.view.contract[name] for name in self.view.keys]
        rest = [self._domains[column.name].allowed[0] for column in columns]
        pairs = [
            pair
            for place, (left, right) in enumerate(pairwise(columns))
            for values in _joined_alike(left.dtype, right.dtype)
            for pair in (_with(rest, place, value) for value in values)
        ]
        return [
            key
            for key in pairs
            if all(keeps(column, value) for column, value in zip(columns, key, strict=True))
        ]

    def _history(self, key: Key, base: datetime) -> list[Row]:
        """Make the rows of a key: late ones, corrections and repeated ones, and no two that contradict."""
        timing, random = self.view.timing, self._random
        rows: dict[tuple[datetime, datetime], Row] = {}
        for _ in range(random.randint(1, MAX_ROWS_OF_A_KEY)):
            is_correction = rows and random.random() < 0.4  # noqa: PLR2004 - most histories have a correction
            event = random.choice(list(rows))[0] if is_correction else self.event(base)
            created = random.choice([None, *(event + late for late in _latenesses(timing))])
            row = self.row(key, event, created if timing.created else None)
            if self._has_allowed_times(row):
                rows.setdefault((event, row.get(CREATED_TIMESTAMP) or event), row)
        values = list(rows.values())
        if values and random.random() < 0.2:  # noqa: PLR2004
            values.append(dict(random.choice(values)))
        random.shuffle(values)
        return values

    def _has_allowed_times(self, row: Row) -> bool:
        times = [name for name in (EVENT_TIMESTAMP, CREATED_TIMESTAMP) if name in row]
        return all(keeps(self.view.contract[name], row[name]) for name in times)

    def _refused(self, key: Key, base: datetime, rows: Sequence[Row]) -> list[Row]:
        """Make rows that break a rule, at events of their own: a good row of the same version would be kept out too."""
        refused: list[Row] = []
        taken = {row[EVENT_TIMESTAMP] for row in rows}
        events = (base - number * MICROSECOND for number in numbers_from())
        free = (event for event in events if event not in taken)
        for column in self.view.contract.columns:
            bad = list(_bad_values(column, self._domains[column.name], self._random))
            if column.name in self.view.keys and isinstance(column.dtype, pl.String) and not column.checks:
                bad.append("x" * (MAX_KEY_BYTES + 1))
            for value in bad:
                event = next(free)
                refused.append({**self.row(key, event, event), column.name: value})
        return refused

    def _ties(self, key: Key, base: datetime) -> list[Row]:
        """Make pairs of rows of one version and different values, which contradict each other; events do not."""
        if self.view.windows:
            return []
        ties = self._tie(key, base - timedelta(days=1))
        for number, column in enumerate(self._stored):
            zeros = [value for value in self._domains[column.name].allowed if value == 0]
            if column.dtype.is_float() and len(zeros) > 1 and ties:
                event = base - timedelta(days=2, hours=number)
                row = self.row(key, event, event)
                ties += [{**row, column.name: zero} for zero in zeros[:2]]
        return ties

    def _tie(self, key: Key, event: datetime) -> list[Row]:
        """Make two such rows; none where the features have one value only."""
        first = self.row(key, event, event)
        for column in self._stored:
            for value in (*self._domains[column.name].allowed, *([None] if column.nullable else [])):
                if value != first[column.name] and self._has_allowed_times(first):
                    second = {**first, column.name: value}
                    if CREATED_TIMESTAMP in second and self.view.contract[CREATED_TIMESTAMP].nullable:
                        second[CREATED_TIMESTAMP] = None
                    return [first, second]
        return []


def offsets(timing: Timing) -> tuple[timedelta, ...]:
    """Return distances between events at which the rules of a timing turn."""
    every, ttl, delay = timing.every or ZERO, timing.ttl or ZERO, timing.delay
    far = {every, 2 * every, ttl, delay, timedelta(minutes=7), timedelta(hours=1)}
    turns = {turn + tick for turn in (ZERO, *far, every - delay, -ttl) for tick in (ZERO, MICROSECOND)}
    return tuple(sorted({*turns, -MICROSECOND, timedelta(microseconds=123_457)}))


def timestamps_of(rows: Sequence[Row], timing: Timing) -> tuple[list[datetime], list[datetime]]:
    """Return the timestamps at which the answer changes, one microsecond before and after: known, and expired."""
    known = {known_at(row, timing) for row in rows} | {row[EVENT_TIMESTAMP] for row in rows}
    ticks = (-MICROSECOND, ZERO, MICROSECOND)
    changes = sorted({timestamp + tick for timestamp in known for tick in ticks})
    if timing.ttl is None:
        return changes, []
    ends = {row[EVENT_TIMESTAMP] + timing.ttl + tick for row in rows for tick in (ZERO, MICROSECOND)}
    return changes, sorted(ends)


def window_edges(cases: ViewCases) -> list[datetime]:
    """Return the timestamps at which an event leaves a window, and one microsecond before."""
    durations = {window.duration for window in cases.view.windows.values()} - {None}
    return sorted(
        {
            row[EVENT_TIMESTAMP] + duration - tick
            for row in cases.rows
            for duration in durations
            if duration is not None and duration <= LAST - row[EVENT_TIMESTAMP]
            for tick in (ZERO, MICROSECOND)
        }
    )


def _latenesses(timing: Timing) -> tuple[timedelta, ...]:
    late = (ZERO, timing.delay, timing.delay + MICROSECOND, timing.every or ZERO, timedelta(minutes=11))
    return (-MICROSECOND, MICROSECOND, *late)


def _bad_values(column: Column, domain: Domain, random: Random) -> list[Any]:
    bad = random.sample(domain.refused, min(MAX_REFUSED_OF_A_COLUMN, len(domain.refused)))
    if not column.nullable and column.severity != "warning":
        bad.append(None)
    return bad


def _joined_alike(left: pl.DataType, right: pl.DataType) -> list[tuple[tuple[Any, Any], ...]]:
    """Return pairs of neighbouring parts of keys that are equal once they are joined as text."""
    if isinstance(left, pl.String) and isinstance(right, pl.String):
        return [(("a", f"b{joint}c"), (f"a{joint}b", "c")) for joint in _JOINTS]
    if left.is_integer() and isinstance(right, pl.String):
        return [((1, "1a"), (11, "a"))]
    if isinstance(left, pl.String) and right.is_integer():
        return [(("a1", 1), ("a", 11))]
    return [((1, 11), (11, 1))] if left.is_integer() and right.is_integer() else []


def _with(values: Sequence[Any], place: int, pair: tuple[Any, Any]) -> Key:
    return (*values[:place], *pair, *values[place + 2 :])


def _size(key: Key) -> int:
    return sum(len(part.encode()) if isinstance(part, str) else 9 for part in key) + 4 * len(key)
