"""A file is read in parts, by several threads, and its profile is that of the whole file."""

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import examples
from polars.testing import assert_frame_equal

from featurestore.quality.profile.profile import profile, profile_file
from featurestore.storage.parquet import MAX_READS, read_files, slices

NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)
ROWS = pl.DataFrame(
    {
        "f": [1.5, None, -0.0, math.nan, math.inf, 0.0, -3.25],
        "i": pl.Series([1, 2**63 - 1, None, -(2**63), 0, 7, 7], dtype=pl.Int64),
        "u": pl.Series([2**64 - 1, 0, None, 1, 1, 1, 1], dtype=pl.UInt64),
        "price": pl.Series([Decimal("1.10"), None, *[Decimal("-7.25")] * 5], dtype=pl.Decimal(12, 2)),
        "word": ["é", None, "", "a", "a", "b" * 100, "a"],
        "level": pl.Series(
            ["low", None, "high", "low", "low", "high", "low"], dtype=pl.Enum(["low", "high"])
        ),
        "code": pl.Series(["x", None, "y", "z", "x", "x", "z"], dtype=pl.Categorical),
        "at": [NOON, None, NOON - timedelta(days=9_000), NOON, NOON, NOON, NOON],
        "day": [date(1969, 7, 20), None, *[date(2024, 2, 29)] * 5],
        "span": [timedelta(microseconds=-1), None, *[timedelta(days=2)] * 5],
        "sure": [True, None, False, True, True, False, True],
        "tags": [["x"], None, [], ["y", None], ["x"], ["x"], ["x"]],
        "place": [{"lat": 1.0, "at": [1]}, None, *[{"lat": None, "at": None}] * 5],
        "bytes": [b"\x00", None, b"", b"a", b"a", b"a", b"a"],
        "none": pl.Series([None] * 7, dtype=pl.Null),
    }
)


def by_polars(rows, path, group):
    rows.write_parquet(path, row_group_size=group)


def without_statistics(rows, path, group):
    rows.write_parquet(path, row_group_size=group, statistics=False)


def by_pyarrow(rows, path, group):
    """Write texts as dictionaries, and a row group without rows between the others."""
    table = rows.with_columns(pl.col("word").cast(pl.Categorical)).drop("none").to_arrow()
    with pq.ParquetWriter(path, table.schema) as writer:
        for start in range(0, table.num_rows, group):
            writer.write_table(table.slice(start, group))
            writer.write_table(table.slice(0, 0))


def without_rows(rows, path, group):
    rows.clear().write_parquet(path, row_group_size=group)


def plain_and_uncompressed(rows, path, group):
    table = rows.select("f", "i", "word", "tags").to_arrow()
    pq.write_table(
        table, path, row_group_size=group, use_dictionary=False, compression="none", write_statistics=False
    )


WRITERS = (by_polars, without_statistics, by_pyarrow, plain_and_uncompressed, without_rows)


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
@pytest.mark.parametrize("group", [1, 5])
def test_a_file_has_the_profile_of_its_rows(tmp_path, monkeypatch, write, group):
    """The profile of a file equals that of its rows in memory, for all writers of Parquet and all sizes of parts."""
    path = tmp_path / "rows.parquet"
    write(pl.concat([ROWS, ROWS.reverse()]), path, group)
    expected = profile(read_files(path), dataset="rows")
    for size in (1, 4):
        monkeypatch.setattr("featurestore.quality.profile.profile.ROWS_AT_ONCE", size)
        assert profile_file(path, dataset="rows") == expected


numbers = st.none() | st.integers(-3, 3) | st.floats(allow_nan=True, allow_infinity=True, width=32)


@given(st.lists(numbers, max_size=40), st.integers(1, 9), st.integers(1, 9))
@examples(20)
def test_parts_are_the_rows_of_the_file(tmp_path_factory, values, group, limit):
    """The parts of a file, in their order, are its rows, for all sizes of row groups and parts."""
    path = tmp_path_factory.mktemp("parts") / "rows.parquet"
    rows = pl.DataFrame({"x": pl.Series(values, dtype=pl.Float64, strict=False)}).with_row_index()
    rows.write_parquet(path, row_group_size=group)
    parts = [part.collect() for part in slices(path, limit)]
    assert_frame_equal(pl.concat([rows.clear(), *parts]), rows)
    assert max((part.height for part in parts), default=0) <= max(limit, len(values) // MAX_READS)


def test_a_large_row_group_has_few_parts(tmp_path):
    """The cost of a part grows with its row group: parts of a larger group are larger, and their number has a limit."""
    rows = pl.select(a=pl.int_range(50_000), b=pl.int_range(50_000) % 7)
    single, many = tmp_path / "one.parquet", tmp_path / "many.parquet"
    rows.write_parquet(single, row_group_size=50_000)
    rows.write_parquet(many, row_group_size=100)
    assert len(list(slices(single, 10))) <= 4 * MAX_READS
    assert len(list(slices(many, 100))) == 500


def test_text_in_the_footer_is_no_row_group(tmp_path):
    """Metadata of any length does not change the size of the parts."""
    rows = pl.select(a=pl.int_range(50_000))
    plain, noted = tmp_path / "plain.parquet", tmp_path / "noted.parquet"
    rows.write_parquet(plain, row_group_size=50_000)
    rows.write_parquet(noted, row_group_size=50_000, metadata={"note": "x" * 100_000})
    assert len(list(slices(plain, 10))) == len(list(slices(noted, 10)))


def test_a_damaged_part_is_not_half_a_profile(tmp_path, monkeypatch):
    """The error of a part that cannot be read reaches the caller."""
    path = tmp_path / "rows.parquet"
    pq.write_table(
        pa.table({"x": list(range(1000))}),
        path,
        row_group_size=100,
        compression="snappy",
        use_dictionary=False,
    )
    content = bytearray(path.read_bytes())
    content[len(content) // 3 : len(content) // 3 + 400] = b"\xff" * 400
    path.write_bytes(content)
    monkeypatch.setattr("featurestore.quality.profile.profile.ROWS_AT_ONCE", 100)
    with pytest.raises(pl.exceptions.PolarsError):
        profile_file(path, dataset="rows")
