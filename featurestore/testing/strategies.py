"""Hypothesis strategies: histories with late data, corrections, ties, nulls and expiry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import polars as pl

from featurestore.definitions.contract import Column, Contract, Policy
from featurestore.definitions.entity import Entity
from featurestore.definitions.feature_view import FeatureView
from featurestore.errors import package_needed_by
from featurestore.testing.oracle import Row, version
from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from featurestore.timing.known_at import Timing
from featurestore.timing.version import version_columns
from featurestore.values.table import UTC_MICROSECONDS

with package_needed_by("generated histories", extra="testing"):
    from hypothesis import strategies as st

START = datetime(1969, 12, 31, 23, tzinfo=UTC)
KEYS = ("k", "n")
FEATURES = ("x", "s")
KEY_SCHEMA = {"k": pl.String(), "n": pl.Int64()}
FEATURE_SCHEMA = {"x": pl.Int64(), "s": pl.String()}


@dataclass(frozen=True)
class History:
    """The rows of a feature view, and entity rows that ask for its features."""

    timing: Timing
    rows: list[Row]
    entity_rows: list[Row]

    @property
    def row_frame(self) -> pl.DataFrame:
        """The rows as a frame."""
        times: dict[str, pl.DataType] = {EVENT_TIMESTAMP: UTC_MICROSECONDS}
        if self.timing.created:
            times[CREATED_TIMESTAMP] = UTC_MICROSECONDS
        return pl.DataFrame(self.rows, schema={**KEY_SCHEMA, **times, **FEATURE_SCHEMA})

    @property
    def view(self) -> FeatureView:
        """The feature view whose rows these are."""
        dtypes = {EVENT_TIMESTAMP: UTC_MICROSECONDS, CREATED_TIMESTAMP: UTC_MICROSECONDS}
        named = {
            **KEY_SCHEMA,
            **{name: dtypes[name] for name in version_columns(self.timing)},
            **FEATURE_SCHEMA,
        }
        columns = tuple(
            Column(name, dtype, name not in KEYS, unique=False, description=name, checks=(), metadata={})
            for name, dtype in named.items()
        )
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
            entity=Entity("key", KEYS),
            timing=self.timing,
            description="Rows.",
            owner="testing",
            tags={},
            defined_in=Path(__file__),
        )

    @property
    def entity_frame(self) -> pl.DataFrame:
        """The entity rows as a frame."""
        return pl.DataFrame(self.entity_rows, schema={**KEY_SCHEMA, EVENT_TIMESTAMP: UTC_MICROSECONDS})


def timestamps() -> st.SearchStrategy[datetime]:
    """Draw timestamps a few minutes apart, around 1970, so that ties and both signs occur."""
    return st.integers(0, 120).map(lambda minute: START + timedelta(minutes=minute))


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


@st.composite
def histories(draw: st.DrawFn, max_rows: int = 12) -> History:
    """Draw a history that keeps the contract: rows with equal key and version have equal values."""
    timing = draw(timings())
    keys = st.fixed_dictionaries({"k": st.sampled_from(["a", "b"]), "n": st.integers(0, 1)})
    drawn: dict[Any, Row] = {}
    for _ in range(draw(st.integers(0, max_rows))):
        row: Row = {**draw(keys), EVENT_TIMESTAMP: draw(timestamps())}
        if timing.created:
            row[CREATED_TIMESTAMP] = draw(st.none() | timestamps())
        row |= {
            "x": draw(st.none() | st.integers(-(2**63), 2**63 - 1)),
            "s": draw(st.none() | st.text(max_size=3)),
        }
        drawn.setdefault((row["k"], row["n"], *version(row)), row)
    question_keys = st.fixed_dictionaries({"k": st.sampled_from(["a", "b", None]), "n": st.integers(0, 1)})
    entity_rows = [
        {**draw(question_keys), EVENT_TIMESTAMP: draw(timestamps())} for _ in range(draw(st.integers(0, 8)))
    ]
    return History(timing, list(drawn.values()), entity_rows)
