"""Files are whole or as they were; equal frames give equal bytes and digests."""

import os
from decimal import Decimal

import polars as pl
import pytest

from featurestore.errors import StoreError
from featurestore.storage.files import atomic_write, write_parquet, write_text
from featurestore.storage.fingerprint import file_fingerprint, fingerprint


def test_a_failed_write_leaves_the_last_good_file(tmp_path):
    """The old file stays, and nothing half-written is left."""
    path = tmp_path / "data.txt"
    path.write_text("good")

    def fail():
        with atomic_write(path) as partial:
            partial.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["data.txt"]
    assert path.read_text() == "good"


@pytest.mark.parametrize("write", [write_text, write_parquet])
def test_a_full_disk_is_worth_another_try(tmp_path, write):
    """It is the file system that failed, whichever library wrote."""
    path = tmp_path / "data"
    (tmp_path / f".data.{os.getpid()}.partial").symlink_to("/dev/full")
    content = {write_text: "text", write_parquet: pl.DataFrame({"a": range(100_000)})}[write]
    with pytest.raises(StoreError, match=r"data: cannot be written: .*No space left on device") as caught:
        write(content, path)
    assert caught.value.retry
    assert list(tmp_path.iterdir()) == []


def test_equal_frames_give_equal_bytes(tmp_path):
    """However a frame is chunked, its file is the same."""
    frame = pl.DataFrame({"a": range(300_000), "b": [None, "x", "y"] * 100_000})
    parts = pl.concat([frame[:1000], frame[1000:]], rechunk=False)
    write_parquet(frame, tmp_path / "whole")
    write_parquet(parts, tmp_path / "parts")
    assert file_fingerprint(tmp_path / "whole") == file_fingerprint(tmp_path / "parts")


BASE = pl.DataFrame({"a": [1, 2], "b": ["x", None], "l": [[1, None], []]})


@pytest.mark.parametrize(
    "changed",
    [
        BASE.reverse(),
        BASE.rename({"a": "c"}),
        BASE.with_columns(pl.col("a").cast(pl.Int32)),
        BASE.with_columns(b=pl.Series(["x", ""])),
        BASE.with_columns(b=pl.Series([None, "x"])),
        BASE.with_columns(l=pl.Series([[1], [None]])),
        BASE.head(1),
    ],
)
def test_any_change_changes_the_digest(changed):
    """Values, their order, missing values, names and dtypes all count."""
    assert fingerprint(changed) != fingerprint(BASE)
    assert fingerprint(BASE.clone()) == fingerprint(BASE)


def test_the_digest_of_decimals_covers_each_digit():
    """Decimals have a digest, as a training set of them needs, and each digit counts."""
    frames = [
        pl.DataFrame({"x": [Decimal(text), None]}, {"x": pl.Decimal(38, 2)}) for text in ("1.50", "1.51")
    ]
    assert fingerprint(frames[0]) == fingerprint(frames[0].clone()) != fingerprint(frames[1])
