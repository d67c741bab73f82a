"""Hypothesis strategies: histories of every dtype with late data, corrections, ties, nulls and expiry."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import polars as pl

from featurestore.definitions.contract import Column, Contract, Policy
from featurestore.definitions.entity import Entity
from featurestore.definitions.feature_view import FeatureView
from featurestore.errors import package_needed_by
from featurestore.testing.domain import held
from featurestore.testing.edges import edge_values
from featurestore.testing.oracle import Row, version
from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from featurestore.timing.epoch import MICROSECOND
from featurestore.timing.known_at import Timing
from featurestore.timing.version import version_columns
from featurestore.values.plain import to_series
from featurestore.values.table import UTC_MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

with package_needed_by("generated histories", extra="testing"):
    from hypothesis import strategies as st

START = datetime(1969, 12, 31, 23, tzinfo=UTC)
KEYS = ("k", "n")
FEATURES = ("x", "s")
KEY_SCHEMA = {"k": pl.String(), "n": pl.Int64()}
FEATURE_SCHEMA = {"x": pl.Int64(), "s": pl.String()}
# Every row of the value table, and lists and arrays of some.
DTYPES: Final[tuple[pl.DataType, ...]] = (
    *(dtype() for dtype in (pl.Boolean, pl.String, pl.Binary, pl.Date, pl.Float32, pl.Float64)),
    *(
        dtype()
        for dtype in (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)
    ),
    pl.Decimal(38, 4),
    pl.Datetime("us", "UTC"),
    pl.Datetime("ms", "UTC"),
    pl.Datetime("us", "America/New_York"),
    *(pl.List(dtype) for dtype in (pl.Int64(), pl.Float32(), pl.String(), pl.Datetime("us", "UTC"))),
    pl.Array(pl.Float64(), 2),
)


@dataclass(frozen=True)
class History:
    """The rows of a feature view, and entity rows that ask for its features.

    Attributes
    ----------
    features
        Names and dtypes of the features.
    keys
        Names of the key columns; empty: the view has no entity.
    """

    timing: Timing
    rows: list[Row]
    entity_rows: list[Row]
    features: Mapping[str, pl.DataType] = field(default_factory=lambda: dict(FEATURE_SCHEMA))
    keys: tuple[str, ...] = KEYS

    @property
    def row_frame(self) -> pl.DataFrame:
        """The rows as a frame."""
        times: dict[str, pl.DataType] = {EVENT_TIMESTAMP: UTC_MICROSECONDS}
        if self.timing.created:
            times[CREATED_TIMESTAMP] = UTC_MICROSECONDS
        schema = {**self._key_schema, **times, **self.features}
        return pl.DataFrame([to_series(n, [row[n] for row in self.rows], d) for n, d in schema.items()])

    @property
    def view(self) -> FeatureView:
        """The feature view whose rows these are."""
        dtypes = {EVENT_TIMESTAMP: UTC_MICROSECONDS, CREATED_TIMESTAMP: UTC_MICROSECONDS}
        named = {
            **self._key_schema,
            **{name: dtypes[name] for name in version_columns(self.timing)},
            **self.features,
        }
        columns = tuple(_column(name, dtype) for name, dtype in named.items())
        contract = Contract(
            "History",
            "Rows.",
            columns,
            (),
            (),
            Policy(),
            strict=True,
            metadata={},
            model=cast("Any", History),
        )
        return FeatureView(
            name="history",
            function=pl.LazyFrame,
            inputs=(),
            contract=contract,
            entity=Entity("key", self.keys) if self.keys else None,
            timing=self.timing,
            description="Rows.",
            owner="testing",
            tags={},
            defined_in=Path(__file__),
        )

    @property
    def entity_frame(self) -> pl.DataFrame:
        """The entity rows as a frame."""
        schema = {**self._key_schema, EVENT_TIMESTAMP: UTC_MICROSECONDS}
        return pl.DataFrame(self.entity_rows, schema=schema)

    @property
    def _key_schema(self) -> dict[str, pl.DataType]:
        return {name: KEY_SCHEMA[name] for name in self.keys}


def timestamps() -> st.SearchStrategy[datetime]:
    """Draw timestamps around 1970 that are minutes or one microsecond apart, so that ties and both signs occur."""
    minutes = st.integers(0, 120).map(lambda minute: START + timedelta(minutes=minute))
    ticks = st.sampled_from([timedelta(0), timedelta(0), -MICROSECOND, MICROSECOND])
    return st.builds(lambda minute, tick: minute + tick, minutes, ticks)


def timings() -> st.SearchStrategy[Timing]:
    """Draw combinations of delay, cadence, expiry and created timestamps."""
    minutes = st.integers(1, 40).map(lambda minute: timedelta(minutes=minute))
    return st.builds(
        Timing,
        delay=st.one_of(st.just(timedelta(0)), minutes),
        every=st.none() | minutes,
        ttl=st.none() | minutes,
        created=st.booleans(),
    )


def values(dtype: pl.DataType) -> st.SearchStrategy[Any]:
    """Draw values of a dtype as they are after the gate: nulls, and values at its edges."""
    column = _column("value", dtype)
    drawn: st.SearchStrategy[Any] = st.sampled_from([held(column, value) for value in edge_values(dtype)])
    if isinstance(dtype, pl.String):
        drawn |= st.text(max_size=3)
    if isinstance(dtype, pl.Int64):
        drawn |= st.integers(-(2**63), 2**63 - 1)
    return st.none() | drawn


@st.composite
def histories(draw: st.DrawFn, max_rows: int = 12, dtypes: Sequence[pl.DataType] = DTYPES) -> History:
    """Draw a history that keeps the contract: rows with equal key and version have equal values.

    Its view has two keys, one, or none.

    Parameters
    ----------
    dtypes
        The dtypes that a feature can have.
    """
    timing = draw(timings())
    features = {name: draw(st.sampled_from(dtypes)) for name in FEATURES}
    names = draw(st.sampled_from([KEYS, KEYS[:1], ()]))
    numbers = st.integers(0, 1)
    keys = _of_keys(names, {"k": st.sampled_from(["a", "b"]), "n": numbers})
    drawn: dict[Any, Row] = {}
    for _ in range(draw(st.integers(0, max_rows))):
        row: Row = {**draw(keys), EVENT_TIMESTAMP: draw(timestamps())}
        if timing.created:
            row[CREATED_TIMESTAMP] = draw(st.none() | timestamps())
        row |= {name: draw(values(dtype)) for name, dtype in features.items()}
        drawn.setdefault((*(row[name] for name in names), *version(row)), row)
    question_keys = _of_keys(names, {"k": st.sampled_from(["a", "b", None]), "n": numbers})
    entity_rows = [
        {**draw(question_keys), EVENT_TIMESTAMP: draw(timestamps())} for _ in range(draw(st.integers(0, 8)))
    ]
    return History(timing, list(drawn.values()), entity_rows, features, names)


def _of_keys(names: Sequence[str], parts: Mapping[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Row]:
    return st.fixed_dictionaries({name: parts[name] for name in names})


def _column(name: str, dtype: pl.DataType) -> Column:
    return Column(name, dtype, name not in KEYS, unique=False, description=name, checks=(), metadata={})
