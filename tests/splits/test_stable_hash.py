"""A hash of rows depends on their values and the seed alone, and no version changes it."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import examples

from featurestore.values.stable_hash import is_hashed, stable_hash

ROWS = pl.DataFrame(
    {
        "number": pl.Series([1, -1, None, 2**62], dtype=pl.Int64),
        "text": ["a", "", None, "é"],
        "flag": [True, False, None, True],
        "day": [date(2024, 1, 1), None, date(1969, 12, 31), date(2024, 1, 1)],
        "time": [datetime(2024, 1, 1, tzinfo=UTC), None, datetime(1969, 1, 1, tzinfo=UTC), None],
        "length": [timedelta(1), None, timedelta(-1), timedelta(0)],
    }
)


def test_the_hash_is_pinned():
    """These numbers must never change: they decide in which split a row is."""
    assert stable_hash(ROWS, 7).tolist() == [
        8_266_143_737_335_362_994,
        1_051_469_307_143_918_774,
        7_914_439_301_572_171_098,
        6_917_174_290_961_446_014,
    ]
    assert stable_hash([pl.Series([0])], 0).tolist() == [10_706_859_083_193_537_619]


@given(
    st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1) | st.none(), st.text() | st.none()), max_size=20),
    st.integers(),
    st.randoms(),
)
@examples(20)
def test_a_row_has_its_hash_in_any_company(rows, seed, random):
    """Other rows, their order, chunks and names of columns do not count."""
    frame = pl.DataFrame(rows, schema={"a": pl.Int64, "b": pl.String}, orient="row")
    hashes = dict(zip(rows, stable_hash(frame, seed).tolist(), strict=True))
    order = random.sample(range(len(rows)), len(rows) // 2)
    part = pl.concat([frame[order[:1]], frame[order[1:]]], rechunk=False).rename({"a": "x", "b": "a"})
    assert stable_hash(part, seed).tolist() == [hashes[rows[number]] for number in order]


@pytest.mark.parametrize("name", ROWS.columns)
def test_no_rows_have_no_hashes_of_the_same_dtype(name):
    """Polars leaves the dtype of an empty column of text as it is where it replaces values."""
    assert stable_hash([ROWS[name].head(0)], 0).dtype == np.uint64


def test_values_are_distinguished():
    """Null, the empty text, other columns and another seed give other hashes; equal integers give equal ones."""
    text = stable_hash([pl.Series([None, "", "\x00null", "a"])], 1)
    assert len(set(text.tolist())) == 4
    a, b = pl.Series(["x"]), pl.Series(["y"])
    assert stable_hash([a, b], 1) != stable_hash([b, a], 1)
    assert stable_hash([a, b], 1) != stable_hash([pl.Series(["xy"])], 1)
    assert stable_hash([a], 1) != stable_hash([a], 2)
    small, wide = pl.Series([5], dtype=pl.UInt8), pl.Series([5], dtype=pl.UInt64)
    assert stable_hash([small], 1) == stable_hash([wide], 1)


def test_hashes_are_spread_evenly():
    """Of 64 bits each is set in half of the rows, also of numbers that follow each other."""
    hashes = stable_hash([pl.Series(range(20_000))], 3)
    bits = (hashes[:, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.02
    assert len(set(hashes.tolist())) == 20_000


@pytest.mark.parametrize(
    "dtype", [pl.Float64(), pl.List(pl.Int64), pl.Struct({"a": pl.Int64}), pl.Decimal(9, 2)]
)
def test_dtypes_without_a_hash(dtype):
    """Floats and nested values do not identify a row."""
    assert not is_hashed(dtype)
    assert is_hashed(pl.Int8())
