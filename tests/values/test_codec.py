"""Stored bytes give back what was stored, and compare as versions do."""

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import examples
from polars.testing.parametric import column, dataframes

from featurestore.errors import StoreError
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.codec import (
    MAX_KEY_BYTES,
    decode_keys,
    decode_rows,
    encode_key,
    encode_rows,
    is_intact,
    require_intact,
    tombstone,
    too_long,
    version_of,
)
from featurestore.values.table import UTC_MICROSECONDS, feast_type

TIMESTAMP = datetime(2024, 1, 1, tzinfo=UTC)
SUPPORTED = [
    pl.Boolean(),
    pl.Int8(),
    pl.Int16(),
    pl.Int32(),
    pl.Int64(),
    pl.UInt8(),
    pl.UInt16(),
    pl.UInt32(),
    pl.Float32(),
    pl.Float64(),
    pl.String(),
    pl.Binary(),
    UTC_MICROSECONDS,
    pl.UInt64(),
    pl.Date(),
    pl.Datetime("ms", "UTC"),
    pl.Datetime("ns", "Europe/Paris"),
    pl.Decimal(10, 2),
    pl.Decimal(38, 6),
    pl.List(pl.Date()),
    pl.List(pl.Decimal(12, 3)),
    pl.List(pl.UInt64()),
    pl.List(pl.Int64()),
    pl.List(pl.String()),
    pl.List(UTC_MICROSECONDS),
    pl.Array(pl.Float32(), 3),
]
REFUSED = [
    pl.Int128(),
    pl.Categorical(),
    pl.Enum(["a"]),
    pl.Duration(),
    pl.Time(),
    pl.Struct({"a": pl.Int64()}),
    pl.Null(),
    pl.Datetime("us"),
    pl.List(pl.Datetime("us")),
    pl.List(pl.List(pl.Int64())),
]


@pytest.mark.parametrize("dtype", REFUSED, ids=str)
def test_what_cannot_make_the_round_trip_is_refused(dtype):
    """The reason says what to use instead."""
    with pytest.raises(ValueError, match=r"\w+"):
        feast_type(dtype)


@pytest.mark.parametrize("dtype", SUPPORTED, ids=str)
def test_every_supported_dtype_makes_the_round_trip(dtype):
    """Values come back bit for bit, in their dtype, nulls included."""

    @given(dataframes(cols=[column("x", dtype=dtype, allow_null=True)], max_size=5, allow_infinity=False))
    @examples(25)
    def check(frame):
        keyed = frame.with_columns(
            pl.int_range(pl.len(), dtype=pl.Int64).alias("k"),
            pl.lit(TIMESTAMP, dtype=UTC_MICROSECONDS).alias(EVENT_TIMESTAMP),
        )
        features = pl.Schema({"x": dtype})
        pairs = list(encode_rows(keyed, ["k"], features))
        back = decode_rows([row for _, row in pairs], features)
        assert back.schema == {EVENT_TIMESTAMP: UTC_MICROSECONDS, "x": dtype}
        assert back["x"].equals(frame["x"], null_equal=True, check_dtypes=True)
        assert decode_keys([key for key, _ in pairs], pl.Schema({"k": pl.Int64})).equals(keyed.select("k"))

    check()


def test_an_absent_row_decodes_to_nulls():
    """A key without a row has a null event timestamp."""
    decoded = decode_rows([None], pl.Schema({"x": pl.Int64()}))
    assert decoded.rows() == [(None, None)]


@given(
    st.lists(st.tuples(st.integers(-(2**62), 2**62), st.integers(-(2**62), 2**62)), min_size=2, max_size=2)
)
def test_versions_compare_as_bytes(versions):
    """The greater (event, created) has the greater header, also before 1970."""
    frame = pl.DataFrame(
        [("k", *version, 1) for version in versions],
        schema=["k", EVENT_TIMESTAMP, "created_timestamp", "x"],
        orient="row",
    ).with_columns(pl.from_epoch(EVENT_TIMESTAMP, "us"), pl.from_epoch("created_timestamp", "us"))
    first, second = (version_of(row) for _, row in encode_rows(frame, ["k"], pl.Schema({"x": pl.Int64()})))
    assert (first < second) == (versions[0] < versions[1])


def test_rows_of_another_schema_are_refused():
    """Bytes that do not fit the schema are an error, not garbage."""
    frame = pl.DataFrame({"k": ["a"], EVENT_TIMESTAMP: [TIMESTAMP], "x": ["text"]})
    [(_, row)] = encode_rows(frame, ["k"], pl.Schema({"x": pl.String()}))
    with pytest.raises(StoreError, match="featurestore materialize --full"):
        decode_rows([row], pl.Schema({"x": pl.Int64()}))


@given(
    st.lists(
        st.tuples(
            st.none() | st.integers(min_value=-(2**63), max_value=2**63 - 1),
            st.none() | st.sampled_from("aé").flatmap(lambda c: st.integers(0, 520).map(lambda n: c * n)),
            st.none() | st.integers(0, 520).map(bytes),
        ),
        max_size=5,
    )
)
@examples(100)
def test_a_key_is_too_long_by_the_bytes_it_takes(keys):
    """It is refused for every kind of part."""
    frame = pl.DataFrame(keys, schema={"a": pl.Int64, "b": pl.String, "c": pl.Binary}, orient="row")
    assert too_long(frame).to_list() == [len(encode_key(key)) > MAX_KEY_BYTES for key in keys]
    assert too_long(frame.select("a")).to_list() == [False] * len(keys)


def test_every_flipped_bit_of_a_row_or_its_key_is_noticed():
    """One bit of a key, a version, a value, a tombstone or a checksum differs, or bytes are missing: it is not intact."""
    frame = pl.DataFrame({"k": [7], EVENT_TIMESTAMP: [TIMESTAMP], "x": [77.25], "y": ["text"]})
    [(key, row)] = encode_rows(frame, ["k"], pl.Schema({"x": pl.Float64(), "y": pl.String()}))
    for stored in (row, tombstone(key, 1)):
        assert is_intact(key, stored)
        content = key + stored
        for bit in range(8 * len(content)):
            flipped = (int.from_bytes(content, "big") ^ (1 << bit)).to_bytes(len(content), "big")
            assert not is_intact(flipped[: len(key)], flipped[len(key) :])
        for length in range(len(stored)):
            assert not is_intact(key, stored[:length])
    with pytest.raises(StoreError, match="damaged") as caught:
        require_intact([key, key], [None, row[:-1]])
    assert caught.value.hint == "run: featurestore materialize --full"
