"""The log in a folder: files of pushed rows, or of deleted keys, numbered in the order of the writes.

Each write is one file, ``2024-01-10.000000000007.parquet``, named by its day and number. `compact`
merges files, so that their number grows with the logarithm of the writes: 16 single ones to
``2024-01-10.000000000000-000000000015.parquet``, 16 of these to the next, and all files of a day to
one when the day is over. A file whose numbers another file holds is superseded: a merge takes effect
in one step. Superseded files stay for half a minute, for readers that have listed them.

A file with another name belongs to the log too: a person or a former version put it there.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import polars as pl

from featurestore.errors import StoreError
from featurestore.storage.durable import sync_folder
from featurestore.storage.files import parquet_schema, write_parquet
from featurestore.storage.parquet import read_files
from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date
    from pathlib import Path

MERGED_AT_ONCE: Final = 16
KEPT_SECONDS: Final = 30
NUMBERS_SUFFIX: Final = ".numbers"
_NUMBER: Final = "__number"
_LAST_EVENT: Final = "featurestore.last_event"
_LAST_CREATED: Final = "featurestore.last_created"
_ADOPTED: Final = "featurestore.adopted"
_LENGTHS: Final = (31, 44)
_NAME: Final = re.compile(r"(\d{4}-\d\d-\d\d)\.(\d{12})(?:-(\d{12}))?\.parquet")
_HINT: Final = "restore the file, or remove it and push its rows again"


class LogFile(NamedTuple):
    """A file of a log: its day, and the numbers of the first and last write in it. None: it has another name."""

    path: Path
    day: str | None
    first: int
    last: int

    @property
    def level(self) -> int:
        """How often its writes were merged, at 16 files a time."""
        writes, level = self.last - self.first + 1, 0
        while writes >= MERGED_AT_ONCE:
            writes, level = writes // MERGED_AT_ONCE, level + 1
        return level


class Footer(NamedTuple):
    """What the end of a file says: its schema, and the last times in it (microseconds; None: not written)."""

    schema: pl.Schema
    last_event: int | None
    last_created: int | None
    adopted: tuple[str, ...]


def log_files(folder: Path) -> list[LogFile]:
    """List the files that hold the writes of a log, each write once: those with other names, then by number.

    Raises
    ------
    StoreError
        If a file is damaged.
    """
    return _listed(folder)[0]


def next_number(files: Sequence[LogFile]) -> int:
    """Return the number of the next write of a log: how many writes it has had."""
    return files[-1].last + 1 if files and files[-1].day is not None else 0


def footer(path: Path) -> Footer:
    """Read what the end of a file says.

    Raises
    ------
    StoreError
        If the file is damaged.
    """
    return _footer(path, path.stat().st_mtime_ns)


def append(rows: pl.DataFrame, folder: Path, day: date) -> Path:
    """Append a write to a log. The caller holds the lock of the log.

    Raises
    ------
    StoreError
        If the file system refuses the write, or does not sync it; the log is as it was.
    """
    path = folder / f"{day.isoformat()}.{next_number(log_files(folder)):012}.parquet"
    try:
        write_parquet(rows, path, metadata=_last_times(rows))
    except StoreError:
        # A file that has its name already, and could not be synced, is refused too.
        path.unlink(missing_ok=True)
        with suppress(OSError):  # the disk that refused the write may refuse this too
            sync_folder(folder)
        raise
    return path


def compact(
    folder: Path,
    in_order: Callable[[pl.LazyFrame], pl.LazyFrame],
    *,
    complete: bool = False,
    kept_seconds: float | None = None,
) -> None:
    """Merge files of a log. The caller holds the lock of the log.

    Parameters
    ----------
    in_order
        Sorts the rows of a file.
    complete
        True: also merge all files of the last day, and many files with other names.
    kept_seconds
        How long superseded files stay for readers. None: half a minute.

    Raises
    ------
    StoreError
        If a file is damaged, or the file system refuses a write.
    """
    files, superseded = _listed(folder)
    others = [file for file in files if file.day is None]
    if complete and len(others) > MERGED_AT_ONCE:
        _adopt(others, next_number(files), folder, in_order)
        files, superseded = _listed(folder)
    numbered = [file for file in files if file.day is not None]
    has_merged = False
    for (day, _), group in groupby(numbered, key=lambda file: (file.day, str(footer(file.path).schema))):
        of_day = list(group)
        if day == numbered[-1].day and not complete:
            has_merged |= _merge_last(of_day, folder, in_order)
        elif len(of_day) > 1:
            _merge(of_day, folder, in_order)
            has_merged = True
    if kept_seconds is not None:
        _, superseded = _listed(folder)
    if has_merged or complete:
        _remove_old(folder, superseded, KEPT_SECONDS if kept_seconds is None else kept_seconds)


def _remove_old(folder: Path, superseded: Sequence[tuple[str, Path]], kept_seconds: float) -> None:
    """Remove files that were superseded long enough ago."""
    now = time.time()
    ages = {by: now - by.stat().st_mtime for by in {by for _, by in superseded}}
    for name, by in superseded:
        if ages[by] >= kept_seconds:
            (folder / name).unlink(missing_ok=True)
            (folder / name).with_suffix(NUMBERS_SUFFIX).unlink(missing_ok=True)


def last_number(name: str) -> int | None:
    """Return the number of the last write in a file; None: the file has another name."""
    match = _NAME.fullmatch(name)
    return None if match is None else int(match[3] or match[2])


def without_writes(path: Path, numbers: Iterable[int], target: Path) -> Path:
    """Copy a merged file to a folder without the rows of some writes; returns the copy, or `path` if it has none."""
    match = _NAME.fullmatch(path.name)
    if match is None or match[3] is None:
        return path
    left_out = [number for number in numbers if int(match[2]) <= number <= int(match[3])]
    if not left_out:
        return path
    copy = target / path.name
    rows = read_files(path)
    write_parquet(rows.filter(~_numbers(path, rows.height).is_in(left_out)), copy)
    return copy


def _listed(folder: Path) -> tuple[list[LogFile], list[tuple[str, Path]]]:
    """Return the files that count, and the names of superseded ones, each with the file that holds its writes."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - several times as fast
    except FileNotFoundError:
        return [], []
    # Many files are superseded: they cost little more than their names.
    numbered, others = [], []
    for name in names:
        if not name.endswith(".parquet") or name[0] == ".":
            continue
        if len(name) in _LENGTHS and _NAME.fullmatch(name):
            numbered.append((name[11:23], -int(name[-20:-8]), name))
        else:
            others.append(LogFile(folder / name, None, -1, -1))
    files: list[LogFile] = []
    superseded = []
    for first, last, name in sorted(numbered):
        if files and -last <= files[-1].last:
            superseded.append((name, files[-1].path))
        else:
            files.append(LogFile(folder / name, name[:10], int(first), -last))
    if others:
        holders = {name: file.path for file in files for name in footer(file.path).adopted}
        superseded += [(o.path.name, holders[o.path.name]) for o in others if o.path.name in holders]
        others = sorted(file for file in others if file.path.name not in holders)
    return [*others, *files], superseded


def _merge_last(files: list[LogFile], folder: Path, in_order: Callable[[pl.LazyFrame], pl.LazyFrame]) -> bool:
    """Merge the last files of one level as long as there are 16 of them; returns whether any were merged."""
    count = len(files)
    while True:
        level = files[-1].level
        same = len(files)
        while same and files[same - 1].level == level:
            same -= 1
        if len(files) - same < MERGED_AT_ONCE:
            return len(files) < count
        files = [*files[:same], _merge(files[same:], folder, in_order)]


def _merge(
    files: Sequence[LogFile], folder: Path, in_order: Callable[[pl.LazyFrame], pl.LazyFrame]
) -> LogFile:
    first, last = files[0], files[-1]
    merged = LogFile(
        folder / f"{last.day}.{first.first:012}-{last.last:012}.parquet", last.day, first.first, last.last
    )
    adopted = {name for file in files for name in footer(file.path).adopted}
    _write(
        merged.path,
        _numbered(files),
        in_order,
        adopted={name for name in adopted if (folder / name).exists()},
    )
    return merged


def _adopt(
    others: Sequence[LogFile], number: int, folder: Path, in_order: Callable[[pl.LazyFrame], pl.LazyFrame]
) -> None:
    """Merge files with other names, those of one schema into one; each counts as one write."""
    ordered = sorted(others, key=lambda file: (str(footer(file.path).schema), file.path))
    for _, group in groupby(ordered, key=lambda file: str(footer(file.path).schema)):
        same = list(group)
        day = time.strftime("%Y-%m-%d", time.gmtime(max(file.path.stat().st_mtime for file in same)))
        numbered = [LogFile(file.path, day, number + i, number + i) for i, file in enumerate(same)]
        number += len(same)
        path = folder / f"{day}.{numbered[0].first:012}-{numbered[-1].last:012}.parquet"
        _write(path, _numbered(numbered), in_order, adopted={file.path.name for file in same})


def _numbered(files: Sequence[LogFile]) -> pl.DataFrame:
    """Read the rows of files, each with the number of its write."""
    frames = [read_files(file.path) for file in files]
    numbers = [
        pl.repeat(file.first, frame.height, dtype=pl.Int64, eager=True)
        if file.first == file.last
        else _numbers(file.path, frame.height)
        for file, frame in zip(files, frames, strict=True)
    ]
    return pl.concat(frames).with_columns(pl.concat(numbers).alias(_NUMBER))


def _numbers(path: Path, height: int) -> pl.Series:
    """Return for each row of a merged file the number of its write; null if the file of numbers was removed."""
    numbers = path.with_suffix(NUMBERS_SUFFIX)
    if not numbers.exists():
        return pl.repeat(None, height, dtype=pl.Int64, eager=True)
    return read_files(numbers)[_NUMBER]


def _write(
    path: Path, rows: pl.DataFrame, in_order: Callable[[pl.LazyFrame], pl.LazyFrame], *, adopted: set[str]
) -> None:
    ordered = in_order(rows.lazy()).collect()
    write_parquet(ordered.select(_NUMBER), path.with_suffix(NUMBERS_SUFFIX))
    names = {_ADOPTED: msgspec.json.encode(sorted(adopted)).decode()} if adopted else {}
    write_parquet(ordered.drop(_NUMBER), path, metadata=_last_times(ordered) | names)


def _last_times(rows: pl.DataFrame) -> dict[str, str]:
    columns = {_LAST_EVENT: EVENT_TIMESTAMP, _LAST_CREATED: CREATED_TIMESTAMP}
    times = {key: rows[name].dt.epoch("us").max() for key, name in columns.items() if name in rows.columns}
    return {key: str(last) for key, last in times.items() if last is not None}


# The files of the log do not change, unless their owner rewrites one.
@lru_cache(maxsize=100_000)
def _footer(path: Path, _: int) -> Footer:
    schema = parquet_schema(path, hint=_HINT)
    try:
        metadata = pl.read_parquet_metadata(path)
        last_event, last_created = (
            int(metadata[key]) if key in metadata else None for key in (_LAST_EVENT, _LAST_CREATED)
        )
        adopted = msgspec.json.decode(metadata.get(_ADOPTED, "[]"), type=tuple[str, ...])
    except (pl.exceptions.PolarsError, ValueError, msgspec.DecodeError) as error:
        raise StoreError(f"{path}: what its end says cannot be read: {error}", hint=_HINT) from error
    return Footer(schema, last_event, last_created, adopted)
