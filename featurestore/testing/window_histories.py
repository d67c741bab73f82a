"""Hypothesis strategies: histories of events with late data, corrections, deletions and edges, and windows over them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import polars as pl

from featurestore.definitions.contract import Column, Contract, Policy
from featurestore.definitions.entity import Entity
from featurestore.definitions.feature_view import FeatureView
from featurestore.definitions.window_checks import result_dtype
from featurestore.errors import package_needed_by
from featurestore.testing.oracle import Row, version
from featurestore.testing.strategies import KEY_SCHEMA, KEYS, START
from featurestore.testing.window_oracle import events_known, window
from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from featurestore.timing.epoch import MICROSECOND
from featurestore.timing.join import Status
from featurestore.timing.known_at import Timing
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.windows.aggregation import Aggregation

if TYPE_CHECKING:
    from collections.abc import Mapping

with package_needed_by("generated histories", extra="testing"):
    from hypothesis import strategies as st

EVENT_SCHEMA: Final = {
    "id": pl.Int64(),
    "x": pl.Float64(),
    "i": pl.Int64(),
    "s": pl.String(),
    "b": pl.Boolean(),
}
NUMBERS: Final = frozenset(["sum", "mean", "variance", "deviation"])
WITHOUT_COLUMN: Final = frozenset(["count", "share", "time_since"])
KINDS: Final = (
    *("count", "sum", "mean", "min", "max", "first", "last", "last_n"),
    *("variance", "deviation", "share", "distinct", "time_since"),
    *("quantile", "approximate_quantile", "approximate_distinct"),
)
# Huge and tiny, of both signs of zero, and few enough to meet again.
FLOATS: Final = (1e16, -1e16, 1e300, -1e300, 0.6, 0.1, 1 / 3, -0.0, 0.0, 5e-324, 7.0)
QUANTILES: Final = (0.1, 0.5, 0.95)
ERRORS: Final = (0.01, 0.1)
INTEGERS: Final = (0, 1, -5, 2**40)


@dataclass(frozen=True)
class WindowHistory:
    """Events of a view with windows, deletions of its keys, and entity rows that ask for its features."""

    timing: Timing
    identity: tuple[str, ...]
    windows: Mapping[str, Aggregation]
    events: list[Row]
    deletions: list[Row]
    entity_rows: list[Row]

    @property
    def event_schema(self) -> dict[str, pl.DataType]:
        """Dtypes of the events."""
        created = {CREATED_TIMESTAMP: UTC_MICROSECONDS} if self.timing.created else {}
        return {**KEY_SCHEMA, EVENT_TIMESTAMP: UTC_MICROSECONDS, **created, **EVENT_SCHEMA}

    @property
    def event_frame(self) -> pl.DataFrame:
        """The events as a frame."""
        return pl.DataFrame(self.events, schema=self.event_schema, orient="row")

    @property
    def entity_frame(self) -> pl.DataFrame:
        """The entity rows as a frame."""
        return pl.DataFrame(
            self.entity_rows, schema={**KEY_SCHEMA, EVENT_TIMESTAMP: UTC_MICROSECONDS}, orient="row"
        )

    @property
    def deletion_frame(self) -> pl.DataFrame:
        """The deleted keys, and the time of each deletion."""
        return pl.DataFrame(
            self.deletions, schema={**KEY_SCHEMA, EVENT_TIMESTAMP: UTC_MICROSECONDS}, orient="row"
        )

    @property
    def view(self) -> FeatureView:
        """The feature view with these windows."""
        dtypes = {n: result_dtype(a, pl.Schema(self.event_schema)) for n, a in self.windows.items()}
        return FeatureView(
            name="windows",
            function=pl.LazyFrame,
            inputs=(),
            contract=_contract("Event", self.event_schema),
            entity=Entity("key", KEYS),
            timing=self.timing,
            description="Windows.",
            owner="testing",
            tags={},
            defined_in=Path(__file__),
            windows=self.windows,
            window_contract=_contract("Windows", {**KEY_SCHEMA, **dtypes}),
            identity=self.identity,
        )

    def expected(self, key: tuple[Any, ...], as_of: datetime) -> list[Any]:
        """Return the value of each window for a key at a timestamp, as the oracle says."""
        events, deleted = self._of_key(key)
        return [
            self._typed(
                aggregation,
                window(
                    aggregation,
                    as_of,
                    events,
                    self.timing,
                    where=(lambda _: True) if aggregation.where is None else (lambda event: bool(event["b"])),
                    condition=lambda event: event["s"] == "p",
                    identity=self.identity,
                    deleted=deleted,
                ),
            )
            for aggregation in self.windows.values()
        ]

    def newest(self, key: tuple[Any, ...], as_of: datetime) -> datetime | None:
        """Return the event timestamp of the newest event of a key that counts at a timestamp, in any window or in none."""
        events, deleted = self._of_key(key)
        known = events_known(as_of, events, self.timing, identity=self.identity, deleted=deleted)
        return max((event[EVENT_TIMESTAMP] for event in known), default=None)

    def answer(self, key: tuple[Any, ...], as_of: datetime) -> list[tuple[Any, Status]]:
        """Return the value and the status of each window, as a read of the view has them."""
        if None in key:
            return [(None, Status.NOT_FOUND)] * len(self.windows)
        newest, ttl = self.newest(key, as_of), self.timing.ttl
        if newest is not None and ttl is not None and as_of - newest > ttl:
            return [(None, Status.OUTSIDE_MAX_AGE)] * len(self.windows)
        values = self.expected(key, as_of)
        return [(value, Status.NULL_VALUE if value is None else Status.PRESENT) for value in values]

    def _of_key(self, key: tuple[Any, ...]) -> tuple[list[Row], list[datetime]]:
        """Return the events of a key, and the times of its deletions."""
        # Of events of one version, the order of their values decides which is the last.
        columns = [name for name in self.event_schema if name not in KEYS]
        events = [event for event in self.events if _key(event) == key]
        events.sort(key=lambda event: [(event[name] is not None, event[name] or 0) for name in columns])
        return events, [row[EVENT_TIMESTAMP] for row in self.deletions if _key(row) == key]

    def _typed(self, aggregation: Aggregation, value: Any) -> Any:
        is_float = result_dtype(aggregation, pl.Schema(self.event_schema)).is_float()
        return float(value) if is_float and value is not None else value


@st.composite
def aggregations(draw: st.DrawFn) -> Aggregation:
    """Draw a window: ``where`` holds where the event's ``b`` does, and the condition of a share where ``s`` is p."""
    kind = draw(st.sampled_from(KINDS))
    column = None
    if kind in NUMBERS or kind == "approximate_quantile":
        # The squares of the greatest floats are beyond the range of floats.
        column = draw(st.sampled_from(["x", "i"] if kind not in ("variance", "deviation") else ["i"]))
    elif kind not in WITHOUT_COLUMN:
        column = draw(st.sampled_from(["x", "i", "s", EVENT_TIMESTAMP]))
    return Aggregation(
        cast("Any", kind),
        column,
        duration=draw(st.none() | st.sampled_from([1, 3, 5, 10, 20]).map(lambda n: n * MICROSECOND)),
        events=draw(st.none() | st.none() | st.integers(1, 3)),
        where=draw(st.sampled_from([None, None, pl.col("b")])),
        condition=pl.col("s") == "p" if kind == "share" else None,
        n=draw(st.integers(1, 3)) if kind == "last_n" else 1,
        quantile=draw(st.sampled_from(QUANTILES)) if kind.endswith("quantile") else None,
        error=draw(st.sampled_from(ERRORS)) if kind.startswith("approximate") else None,
    )


@st.composite
def window_histories(draw: st.DrawFn, max_events: int = 12, max_windows: int = 6) -> WindowHistory:
    """Draw a history whose timestamps are microseconds apart, so that events meet the edges of windows.

    Rows of one identity differ in their versions; without an identity, equal rows are separate events.
    """
    timestamps = st.integers(-2, 25).map(lambda n: START + n * MICROSECOND)
    timing = Timing(
        delay=draw(st.sampled_from([0, 0, 1, 3])) * MICROSECOND,
        every=draw(st.none() | st.just(4 * MICROSECOND)),
        ttl=draw(st.none() | st.none() | st.just(15 * MICROSECOND)),
        created=draw(st.booleans()),
    )
    identity = draw(st.sampled_from([(), (), ("id",)]))
    keys = st.fixed_dictionaries({"k": st.sampled_from(["a", "b"]), "n": st.integers(0, 1)})
    events: list[Row] = []
    seen = set()
    for _ in range(draw(st.integers(0, max_events))):
        event: Row = {**draw(keys), EVENT_TIMESTAMP: draw(timestamps)}
        if timing.created:
            late = draw(st.none() | st.sampled_from([0, 1, 2, 5, 15]))
            event[CREATED_TIMESTAMP] = None if late is None else event[EVENT_TIMESTAMP] + late * MICROSECOND
        event |= {
            "id": draw(st.integers(0, 4)),
            "x": draw(st.none() | st.sampled_from(FLOATS)),
            "i": draw(st.none() | st.sampled_from(INTEGERS)),
            "s": draw(st.none() | st.sampled_from(["p", "q", "r"])),
            "b": draw(st.none() | st.booleans()),
        }
        version_of_event = (_key(event), event["id"], version(event))
        if not identity or version_of_event not in seen:
            events.append(event)
            seen.add(version_of_event)
    entity_keys = st.fixed_dictionaries({"k": st.sampled_from(["a", "b", "c"]), "n": st.integers(0, 1)})
    return WindowHistory(
        timing,
        identity,
        {f"f{number}": draw(aggregations()) for number in range(draw(st.integers(1, max_windows)))},
        events,
        [
            {**draw(keys), EVENT_TIMESTAMP: draw(timestamps)}
            for _ in range(draw(st.sampled_from([0, 0, 1, 3])))
        ],
        [
            {
                **draw(entity_keys),
                EVENT_TIMESTAMP: draw(timestamps) + timedelta(microseconds=draw(st.sampled_from([0, 15]))),
            }
            for _ in range(draw(st.integers(0, 8)))
        ],
    )


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in KEYS)


def _contract(name: str, schema: Mapping[str, pl.DataType]) -> Contract:
    columns = tuple(
        Column(column, dtype, column not in KEYS, unique=False, description=column, checks=(), metadata={})
        for column, dtype in schema.items()
    )
    return Contract(
        name, "Rows.", columns, (), (), Policy(), strict=True, metadata={}, model=cast("Any", WindowHistory)
    )
