"""Files are written aside and renamed, so that a failed step leaves the last good data in place."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

import msgspec
import polars as pl

from featurestore.errors import ContractError, FeatureStoreError, MissingDataError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

T = TypeVar("T")

# Part of what makes equal frames equal files, together with the locked Polars version.
COMPRESSION_LEVEL = 3
ROW_GROUP_ROWS = 128 * 1024
FULL = os.strerror(errno.ENOSPC)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Write to a path, or to a folder.

    Raises
    ------
    StoreError
        If the file system refuses; a full disk is worth another try.
    """
    try:
        yield
    # Polars says so of what its own files could not take.
    except (OSError, pl.exceptions.ComputeError) as error:
        if isinstance(error, FeatureStoreError):
            raise
        full = FULL in str(error)
        hint = "free disk space, then try again" if full else "check the folder and its permissions"
        raise StoreError(f"{path}: cannot be written: {error}", hint=hint, retry=full) from error


@contextmanager
def aside(path: Path) -> Iterator[Path]:
    """Give a path to write to; on success it takes the place of `path`, on failure it vanishes; raises as `writing` does."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with writing(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield partial
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def write_parquet(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame; equal frames give equal bytes."""
    sink_parquet(frame.lazy(), path)


def sink_parquet(frame: pl.LazyFrame, path: Path) -> None:
    """Write what a query gives as it comes; the same rows in the same order give the same bytes."""
    with aside(path) as partial:
        frame.sink_parquet(
            partial, compression="zstd", compression_level=COMPRESSION_LEVEL, row_group_size=ROW_GROUP_ROWS
        )


def scan_parquet(path: Path, *, made_by: str) -> pl.LazyFrame:
    """Scan a Parquet file; raises as `required` does."""
    return pl.scan_parquet(required(path, made_by=made_by))


def required(path: Path, *, made_by: str) -> Path:
    """Return the path of a Parquet file that must be there, whole.

    Raises
    ------
    MissingDataError
        If it is not there; names the command that makes it.
    StoreError
        If it is no Parquet file, or not all of one.
    """
    if not path.exists():
        raise MissingDataError(f"{path}: not there yet", hint=f"run: {made_by}")
    parquet_schema(path, hint=f"run: {made_by}")
    return path


def parquet_schema(path: Path, *, hint: str) -> pl.Schema:
    """Read the schema of a Parquet file that is there.

    Raises
    ------
    StoreError
        If it is no Parquet file, or not all of one; with the hint.
    """
    try:
        return pl.Schema(pl.read_parquet_schema(path))
    except pl.exceptions.PolarsError as error:
        raise StoreError(f"{path}: cannot be read as Parquet: {error}", hint=hint) from error


@contextmanager
def readable(name: str, path: Path) -> Iterator[None]:
    """Say of what cannot be read as data whose it is.

    Raises
    ------
    ContractError
        If Polars cannot read it.
    """
    try:
        yield
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise ContractError(
            f"{name}: {path} cannot be read: {reason}", hint="bring the file in again"
        ) from error


def write_text(text: str, path: Path) -> None:
    """Write text as UTF-8."""
    write_bytes(text.encode(), path)


def write_bytes(content: bytes, path: Path) -> None:
    """Write bytes as they are."""
    with aside(path) as partial:
        partial.write_bytes(content)


def write_record(record: msgspec.Struct, path: Path, *, indent: int = 2) -> None:
    """Write a record as JSON, indented (0: on one line), keys in the order of the fields."""
    text = msgspec.json.format(msgspec.json.encode(record), indent=indent or -1)
    write_text(f"{text.decode()}\n", path)


def append_line(record: msgspec.Struct, path: Path) -> None:
    """Append a record to a file of JSON lines, on disk before it returns; what an interrupted append left is ended first.

    Raises as `writing` does.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            whole = file.tell() == 0 or os.pread(file.fileno(), 1, file.tell() - 1) == b"\n"
            file.write((b"" if whole else b"\n") + msgspec.json.encode(record) + b"\n")
            file.flush()
            os.fsync(file.fileno())


def read_lines(path: Path, kind: type[T]) -> list[T]:
    """Read a file of JSON lines; a line that an interrupted append left is passed over."""
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    found = []
    for line in lines:
        with suppress(msgspec.DecodeError):
            found.append(msgspec.json.decode(line, type=kind))
    return found


def read_record(path: Path, kind: type[T], *, made_by: str) -> T:
    """Read a record.

    Raises
    ------
    MissingDataError
        If it is not there.
    StoreError
        If it cannot be read as `kind`.
    """
    if not path.exists():
        raise MissingDataError(f"{path}: not there yet", hint=f"run: {made_by}")
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.DecodeError as error:
        raise StoreError(f"{path}: cannot be read: {error}", hint=f"run again: {made_by}") from error
