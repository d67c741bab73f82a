"""Files are whole or as they were; equal frames give equal bytes and digests."""

import os
import subprocess
import sys
from decimal import Decimal

import msgspec
import polars as pl
import pytest

from featurestore.errors import StoreError
from featurestore.storage.durable import replace_symlink
from featurestore.storage.files import (
    append_record,
    atomic_write,
    temporary_folder,
    write_parquet,
    write_text,
)
from featurestore.storage.fingerprint import file_fingerprint, fingerprint


class Line(msgspec.Struct):
    """A line of a record."""

    a: int


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


def modes(folder):
    """Return the permissions of all that is below a folder."""
    return {path.name: path.stat().st_mode & 0o777 for path in folder.rglob("*")}


def test_data_are_open_to_their_owner_alone(tmp_path):
    """Folders that are made are closed to others, under any umask; code is as open as the umask permits."""
    before = os.umask(0o022)
    try:
        write_parquet(pl.DataFrame({"a": [1]}), tmp_path / "data/quarantine/a.parquet")
        append_record(Line(a=1), tmp_path / "data/records/a.jsonl")
        write_text("code", tmp_path / "code/view.py")
    finally:
        os.umask(before)
    permissions = modes(tmp_path)
    assert {permissions[name] for name in ("data", "quarantine", "records")} == {0o700}
    assert {permissions[name] for name in ("a.parquet", "a.jsonl")} == {0o600}
    assert (permissions["code"], permissions["view.py"]) == (0o755, 0o644)


def test_an_owner_may_open_a_folder(tmp_path):
    """A folder that exists keeps its permissions, and new files in it are as open as it is."""
    folder = tmp_path / "features"
    folder.mkdir()
    folder.chmod(0o750)
    write_parquet(pl.DataFrame({"a": [1]}), folder / "a.parquet")
    assert modes(tmp_path) == {"features": 0o750, "a.parquet": 0o640}


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path):
    """The next process that writes in a folder removes the partial files of dead processes, and no others."""
    script = (
        "import sys; from pathlib import Path; from featurestore.storage.files import atomic_write\n"
        "with atomic_write(Path(sys.argv[1])) as partial:\n"
        "    partial.write_text('half'); print(partial, flush=True); sys.stdin.read()\n"
    )
    writers = []
    for name in ("dead", "alive"):
        writers.append(
            subprocess.Popen(
                [sys.executable, "-c", script, str(tmp_path / name)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        assert writers[-1].stdout.readline()
    dead, alive = writers
    dead.kill()
    dead.communicate()
    (tmp_path / "kept.partial").write_text("the file of a user")
    write_text("text", tmp_path / "next")
    assert {path.name for path in tmp_path.iterdir()} == {
        "next",
        f".alive.{alive.pid}.partial",
        "kept.partial",
    }
    alive.communicate("")
    assert {path.name for path in tmp_path.iterdir()} == {"next", "alive", "kept.partial"}


def test_what_a_killed_process_left_of_a_link_is_removed_by_the_next(tmp_path):
    """A link that did not get its name does not stay, whichever process made it."""
    replace_symlink(tmp_path / "current", "0001")
    (tmp_path / ".current.123.partial").symlink_to("0002")
    replace_symlink(tmp_path / "current", "0003")
    assert [path.name for path in tmp_path.iterdir()] == ["current"]
    assert (tmp_path / "current").readlink().name == "0003"


def test_a_link_that_cannot_get_its_name_leaves_nothing(tmp_path):
    """As where the disk is full: the old one stays."""
    (tmp_path / "current").mkdir()
    with pytest.raises(OSError, match="current"):
        replace_symlink(tmp_path / "current", "0001")
    assert [path.name for path in tmp_path.iterdir()] == ["current"]


def test_what_a_killed_process_left_of_a_folder_is_removed_by_the_next(tmp_path):
    """The folders of living processes, and those of this one, stay."""
    dead, alive, own = (tmp_path / f".{name}.partial" for name in ("dead", "alive", "own"))
    script = (
        "import sys; from pathlib import Path; from featurestore.storage.files import temporary_folder\n"
        "with temporary_folder(Path(sys.argv[1])):\n    print('made', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(alive)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout.readline()
        (dead / "results").mkdir(parents=True)
        (dead / "body").write_text("half")
        with temporary_folder(own):
            assert {path.name for path in tmp_path.iterdir()} == {alive.name, own.name}
            write_text("text", tmp_path / "next")
        assert {path.name for path in tmp_path.iterdir()} == {alive.name, "next"}
        writer.communicate("")
    assert [path.name for path in tmp_path.iterdir()] == ["next"]
