"""The log in a folder: each write counts once, however files were merged, and one step decides it."""

import tempfile
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import examples

from featurestore.errors import StoreError
from featurestore.storage import log
from featurestore.storage.log import append, compact, log_files, next_number, without_writes

DAY = date(2024, 1, 10)


def in_order(rows):
    return rows.sort("key", "event_timestamp")


def write(folder, number, day=DAY, rows=1):
    times = pl.repeat(number, rows, dtype=pl.Int64, eager=True).cast(pl.Datetime("us", "UTC"))
    keys = pl.Series([(number * 7 + i) % 5 for i in range(rows)], dtype=pl.Int64)
    return append(pl.DataFrame({"key": keys, "event_timestamp": times}), folder, day)


def numbers(paths):
    return sorted(pl.concat([pl.read_parquet(path) for path in paths])["event_timestamp"].dt.epoch("us"))


@given(
    steps=st.lists(
        st.sampled_from(["write", "two rows", "compact", "complete", "next day"]), min_size=1, max_size=60
    )
)
@examples(25)
def test_each_write_counts_once(steps):
    """Merges change neither the rows nor the numbers; the rows of each write can be left out."""
    with tempfile.TemporaryDirectory() as temporary:
        folder, day, expected, count = Path(temporary, "log"), DAY, [], 0
        for step in ["write", *steps]:
            if step == "next day":
                day += timedelta(days=1)
            elif step in ("compact", "complete"):
                compact(folder, in_order, complete=step == "complete")
            else:
                rows = 1 if step == "write" else 2
                write(folder, count, day, rows)
                expected += [count] * rows
                count += 1
            files = log_files(folder)
            assert next_number(files) == count
            assert numbers(file.path for file in files) == expected
        for number in {0, count // 2, count - 1}:
            target = Path(temporary, f"without {number}")
            left = [without_writes(file.path, [number], target) for file in files if file.last != file.first]
            left += [file.path for file in files if file.last == file.first != number]
            assert (numbers(left) if left else []) == [n for n in expected if n != number]


def test_the_files_grow_with_the_logarithm_of_the_writes(tmp_path, monkeypatch):
    """300 writes of a day are at most 16 files of each of three sizes, and superseded files are removed."""
    monkeypatch.setattr(log, "KEPT_SECONDS", -1)
    for number in range(300):
        write(tmp_path, number)
        compact(tmp_path, in_order)
        assert len(log_files(tmp_path)) <= 3 * 15
    assert len(list(tmp_path.iterdir())) < 64
    write(tmp_path, 300, DAY + timedelta(days=1))
    compact(tmp_path, in_order)
    assert [file.path.name for file in log_files(tmp_path)] == [
        "2024-01-10.000000000000-000000000299.parquet",
        "2024-01-11.000000000300.parquet",
    ]


def test_a_reader_that_has_listed_files_can_read_them_after_a_merge(tmp_path):
    """Superseded files stay for a while."""
    for number in range(16):
        write(tmp_path, number)
    before = log_files(tmp_path)
    compact(tmp_path, in_order)
    assert len(log_files(tmp_path)) == 1
    assert numbers(file.path for file in before) == numbers(file.path for file in log_files(tmp_path))


def test_many_files_with_other_names_become_one_in_one_step(tmp_path, monkeypatch):
    """Files of a former version are merged; until they are removed, they do not count twice."""
    for number in range(20):
        write(tmp_path, number).rename(tmp_path / f"digest{number}.parquet")
    compact(tmp_path, in_order, complete=True)
    assert len(list(tmp_path.glob("digest*"))) == 20
    assert numbers(file.path for file in log_files(tmp_path)) == list(range(20))
    monkeypatch.setattr(log, "KEPT_SECONDS", -1)
    write(tmp_path, 20)
    compact(tmp_path, in_order, complete=True)
    assert not list(tmp_path.glob("digest*"))
    assert numbers(file.path for file in log_files(tmp_path)) == list(range(21))


def test_files_of_different_columns_are_not_merged(tmp_path):
    """Rows that were pushed under another schema stay apart, and in their place."""
    for number in range(3):
        write(tmp_path, number)
    append(pl.DataFrame({"other": ["x"]}), tmp_path, DAY)
    for number in range(4, 6):
        write(tmp_path, number)
    compact(tmp_path, in_order, complete=True)
    assert [(file.first, file.last) for file in log_files(tmp_path)] == [(0, 2), (3, 3), (4, 5)]


def test_a_damaged_file_is_named(tmp_path):
    """The error of a merge names the file and what to do."""
    path = write(tmp_path, 0)
    write(tmp_path, 1)
    path.write_bytes(b"PAR1")
    with pytest.raises(StoreError, match=f"{path.name}: cannot be read as Parquet"):
        compact(tmp_path, in_order, complete=True)
