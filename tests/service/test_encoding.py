"""Answers on Feast's wire are put together from encoded parts: their bytes are those of the whole answer, encoded."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import examples
from menagerie import write_menagerie

import featurestore
from featurestore.service.lookup.feast_wire import (
    NAMES,
    NO_EVENT,
    FeatureColumn,
    Metadata,
    OnlineResponse,
    Wire,
)
from featurestore.values.feast_wire import to_wire
from featurestore.vectors.reader import Vectors

SECONDS = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)).map(  # noqa: DTZ001 - of UTC
    lambda at: at.replace(microsecond=0, tzinfo=UTC)
)
EVENTS = st.none() | st.integers(-62_135_510_400_000_000, 253_402_214_400_000_000)
TEXTS = st.text(max_size=5) | st.sampled_from(["\n", '"', ',"statuses":[', "],", "é\u2028"])
VALUES = {
    pl.Boolean: st.booleans(),
    pl.Float32: st.floats(width=32),
    pl.Float64: st.floats(),
    pl.String: TEXTS,
    pl.Binary: st.binary(max_size=5),
    pl.Date: st.dates(min_value=date(1, 1, 2)),
    pl.Datetime: SECONDS,
    pl.Decimal: st.decimals(
        allow_nan=False, allow_infinity=False, places=4, max_value=10**9, min_value=-(10**9)
    ),
}


def values_of(dtype):
    """Draw values of a dtype, nulls included."""
    if isinstance(dtype, pl.List | pl.Array):
        return st.none() | st.lists(values_of(pl.Series(dtype=dtype.inner).dtype), max_size=3)
    bounds = (0, 2**64 - 1) if dtype == pl.UInt64 else (-128, 127)
    return st.none() | VALUES.get(type(dtype), st.integers(*bounds))


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    """Return a service with a feature of every dtype."""
    return featurestore.open(write_menagerie(tmp_path_factory.mktemp("zoo"))).service("zoo")


@examples(30)
@given(data=st.data(), height=st.sampled_from([0, 1, 1, 2, 3]))
def test_the_bytes_are_those_of_the_whole_answer(zoo, data, height):
    """For every dtype, null, status and event, for one row and for several."""
    columns = {**zoo.key_schema, **zoo.request_schema}
    schema = zoo.feature_schema
    row, vector = (st.tuples(*map(values_of, each.values())) for each in (columns, schema))
    rows = data.draw(st.lists(row, min_size=height, max_size=height))
    values = data.draw(st.lists(vector.map(list), min_size=height, max_size=height))
    present = [1] * len(schema)
    statuses = [
        data.draw(st.just(present) | st.lists(st.integers(1, 4), min_size=len(schema), max_size=len(schema)))
        for _ in range(height)
    ]
    reads = [selection.label for selection in zoo.reads]
    events = [data.draw(st.lists(EVENTS, min_size=height, max_size=height)) for _ in reads]
    vectors = Vectors(zoo.feature_names, values, statuses, tuple(reads), events, [])

    def stamps(of_view):
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        return [NO_EVENT if e is None else epoch + timedelta(microseconds=e) for e in of_view]

    none, origin = [NO_EVENT] * height, {n: s.label for s in zoo.selections for n in s.names}
    results = [
        FeatureColumn([r[i] for r in rows], ["PRESENT"] * height, none) for i in range(len(zoo.key_schema))
    ]
    for i, (name, dtype) in enumerate(schema.items()):
        convert = to_wire(name, dtype) or (lambda value: value)
        column = [None if value[i] is None else convert(value[i]) for value in values]
        at = stamps(events[reads.index(origin[name])]) if name in origin else none
        results.append(FeatureColumn(column, [NAMES[each[i]] for each in statuses], at))
    expected = OnlineResponse(results, Metadata([*zoo.key_schema, *zoo.feature_names]))
    answer = Wire(zoo, tuple(columns)).answer(vectors, rows, full_names=False)
    assert answer == msgspec.json.encode(expected)
