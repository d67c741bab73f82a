"""Write files in one step, so that a failed run leaves the last good data in place."""

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

# Fixed, together with the version of Polars, so that equal frames give equal files.
COMPRESSION_LEVEL = 3
ROW_GROUP_ROWS = 128 * 1024
FULL = os.strerror(errno.ENOSPC)


@contextmanager
def translated_write_errors(path: Path) -> Iterator[None]:
    """Translate the errors of a block that writes to a file or a folder.

    Raises
    ------
    StoreError
        If the file system refuses a write. ``retry`` is True if the disk is full.
    """
    try:
        yield
    # Polars raises ComputeError if it cannot write a file.
    except (OSError, pl.exceptions.ComputeError) as error:
        if isinstance(error, FeatureStoreError):
            raise
        is_full = FULL in str(error)
        hint = "free disk space, then try again" if is_full else "check the folder and its permissions"
        raise StoreError(f"{path}: cannot be written: {error}", hint=hint, retry=is_full) from error


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Write a file in one step: readers see the old content or the new, never a part.

    Yields a temporary path in the same folder. If the block succeeds, the temporary file is synced
    to disk and replaces `path`. If the block fails, the temporary file is removed and `path` stays
    as it is.

    Raises
    ------
    StoreError
        As `translated_write_errors`.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with translated_write_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield partial
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def write_parquet(frame: pl.DataFrame, path: Path, *, metadata: dict[str, str] | None = None) -> None:
    """Write a frame in one step. Equal frames and metadata give equal bytes."""
    sink_parquet(frame.lazy(), path, metadata=metadata)


def sink_parquet(frame: pl.LazyFrame, path: Path, *, metadata: dict[str, str] | None = None) -> None:
    """Stream the result of a query to a file, in one step.

    Equal rows in equal order, with equal metadata, give equal bytes.

    Parameters
    ----------
    metadata
        Pairs of text that are written into the file's footer.
    """
    with atomic_write(path) as partial:
        frame.sink_parquet(
            partial,
            compression="zstd",
            compression_level=COMPRESSION_LEVEL,
            row_group_size=ROW_GROUP_ROWS,
            metadata=metadata,
        )


def scan_parquet(path: Path, *, made_by: str) -> pl.LazyFrame:
    """Scan a Parquet file. Raises as `require_parquet` does."""
    return pl.scan_parquet(require_parquet(path, made_by=made_by))


def require_parquet(path: Path, *, made_by: str) -> Path:
    """Return the path of a Parquet file that must exist and be complete.

    Parameters
    ----------
    made_by
        The command that writes the file.

    Raises
    ------
    MissingDataError
        If the file does not exist. The hint names the command.
    StoreError
        If the file is damaged or is not a Parquet file.
    """
    _require_existing(path, made_by)
    parquet_schema(path, hint=f"run: {made_by}")
    return path


def parquet_schema(path: Path, *, hint: str) -> pl.Schema:
    """Read the schema of an existing Parquet file.

    Raises
    ------
    StoreError
        If the file is damaged or is not a Parquet file.
    """
    try:
        return pl.Schema(pl.read_parquet_schema(path))
    except pl.exceptions.PolarsError as error:
        raise StoreError(f"{path}: cannot be read as Parquet: {error}", hint=hint) from error


@contextmanager
def translated_read_errors(name: str, path: Path) -> Iterator[None]:
    """Translate the errors of a block that reads raw data.

    Parameters
    ----------
    name
        The dataset whose data are read; the message names it.
    path
        The file that is read.

    Raises
    ------
    ContractError
        If Polars cannot read the file.
    """
    try:
        yield
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise ContractError(
            f"{name}: {path} cannot be read: {reason}", hint="bring the file in again"
        ) from error


def write_text(text: str, path: Path) -> None:
    """Write text as UTF-8, in one step."""
    write_bytes(text.encode(), path)


def write_bytes(content: bytes, path: Path) -> None:
    """Write bytes, in one step."""
    with atomic_write(path) as partial:
        partial.write_bytes(content)


def write_record(record: msgspec.Struct, path: Path, *, indent: int = 2) -> None:
    """Write a record as JSON, in one step.

    Parameters
    ----------
    indent
        Spaces of each level. 0 writes one line.
    """
    text = msgspec.json.format(msgspec.json.encode(record), indent=indent or -1)
    write_text(f"{text.decode()}\n", path)


def append_record(record: msgspec.Struct, path: Path) -> None:
    """Append a record to a file of JSON lines, and sync it to disk.

    If an interrupted append left an incomplete line, a line break ends that line first.

    Raises
    ------
    StoreError
        As `translated_write_errors`.
    """
    with translated_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            is_complete = file.tell() == 0 or os.pread(file.fileno(), 1, file.tell() - 1) == b"\n"
            file.write((b"" if is_complete else b"\n") + msgspec.json.encode(record) + b"\n")
            file.flush()
            os.fsync(file.fileno())


def read_records(path: Path, kind: type[T]) -> list[T]:
    """Read a file of JSON lines. A line that an interrupted append left incomplete is skipped."""
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    records = []
    for line in lines:
        with suppress(msgspec.DecodeError):
            records.append(msgspec.json.decode(line, type=kind))
    return records


def read_record(path: Path, kind: type[T], *, made_by: str) -> T:
    """Read a record from a JSON file.

    Parameters
    ----------
    made_by
        The command that writes the file.

    Raises
    ------
    MissingDataError
        If the file does not exist. The hint names the command.
    StoreError
        If the content is not a record of `kind`.
    """
    _require_existing(path, made_by)
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except msgspec.DecodeError as error:
        raise StoreError(f"{path}: cannot be read: {error}", hint=f"run again: {made_by}") from error


def _require_existing(path: Path, made_by: str) -> None:
    if not path.exists():
        raise MissingDataError(f"{path}: does not exist yet", hint=f"run: {made_by}")
