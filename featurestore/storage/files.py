"""Write files in one step, so that a failed run leaves the last good data in place."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

import msgspec
import polars as pl

from featurestore.errors import ContractError, FeatureStoreError, MissingDataError, StoreError
from featurestore.storage.durable import PARTIAL, keep_name, make_folder, partial_of, replace
from featurestore.storage.parquet import scan_files, schema_of_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

T = TypeVar("T")

# Fixed, together with the version of Polars, so that equal frames give equal files.
COMPRESSION_LEVEL = 3
ROW_GROUP_ROWS = 128 * 1024
FULL = os.strerror(errno.ENOSPC)
PRIVATE_FOLDER = 0o700
# The folders in which this process has looked for temporary files and folders of killed processes.
_TIDY: set[Path] = set()


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
def atomic_write(path: Path, *, private: bool = True, synced: bool = True) -> Iterator[Path]:
    """Write a file in one step: readers see the old content or the new, never a part.

    Yields a temporary path in the same folder. If the block succeeds, the temporary file is synced
    to disk and replaces `path`, and the folder is synced: the new content outlasts a power loss. If
    the block fails, the temporary file is removed and `path` stays as it is. Temporary files of
    killed processes are removed.

    Parameters
    ----------
    private
        True: a folder that is made is open to its owner alone, and the file is as open as its folder.
        False: the umask decides, as for code.
    synced
        False: nothing is synced, because the content can be made again.

    Raises
    ------
    StoreError
        As `translated_write_errors`.
    """
    partial = partial_of(path)
    with translated_write_errors(path):
        make_folder(path.parent, mode=PRIVATE_FOLDER if private else 0o777)
        remove_abandoned(path.parent)
        # The lock tells other processes that this one lives.
        mode = file_mode(path.parent) if private else 0o666
        descriptor = _locked(lambda: os.open(partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode), partial)
        try:
            yield partial
            if synced:
                os.fsync(descriptor)
                replace(partial, path)
            else:
                partial.replace(path)
        except pl.exceptions.ComputeError:
            # Polars does not always say that the disk is full: a write of our own does.
            os.pwrite(descriptor, bytes(1 << 16), os.fstat(descriptor).st_size)
            raise
        finally:
            partial.unlink(missing_ok=True)
            os.close(descriptor)


def file_mode(folder: Path) -> int:
    """Return the permissions of a new file of data: its folder's, without those to execute."""
    return folder.stat().st_mode & 0o666


@contextmanager
def temporary_folder(folder: Path) -> Iterator[None]:
    """Make a folder for the time of the block; one that a killed process left is removed by the next that makes one beside it.

    Raises
    ------
    StoreError
        As `translated_write_errors`, if it cannot be made.
    """

    def opened() -> int:
        make_folder(folder, mode=PRIVATE_FOLDER)
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    with translated_write_errors(folder):
        make_folder(folder.parent, mode=PRIVATE_FOLDER)
        remove_abandoned(folder.parent)
        descriptor = _locked(opened, folder)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _locked(opened: Callable[[], int], partial: Path) -> int:
    """Open what is not complete, and lock it: the lock tells other processes that this one lives."""
    while True:
        descriptor = opened()
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.path.lexists(partial):
            return descriptor
        os.close(descriptor)  # another process took it for abandoned before it was locked


def remove_abandoned(folder: Path) -> None:
    """Remove the temporary files and folders that killed processes left in a folder, the first time that this process writes there."""
    if folder in _TIDY:
        return
    _TIDY.add(folder)
    with os.scandir(folder) as entries:
        left = [entry for entry in entries if entry.name[0] == "." and entry.name.endswith(PARTIAL)]
    for entry in left:
        if not entry.is_symlink():
            remove_if_abandoned(folder / entry.name)


def remove_if_abandoned(path: Path) -> None:
    """Remove a temporary file or folder if the process that locked it has ended."""
    with suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
        except BlockingIOError:
            return
        finally:
            os.close(descriptor)


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


def scan_required(path: Path, *, made_by: str) -> pl.LazyFrame:
    """Scan a Parquet file that must exist and be complete. Raises as `require_parquet` does."""
    return scan_files(require_parquet(path, made_by=made_by))


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
        return schema_of_file(path)
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


def write_text(text: str, path: Path, *, private: bool = False) -> None:
    """Write text as UTF-8, in one step. Parameters as of `atomic_write`."""
    write_bytes(text.encode(), path, private=private)


def write_bytes(content: bytes, path: Path, *, private: bool = False, synced: bool = True) -> None:
    """Write bytes, in one step. Parameters as of `atomic_write`."""
    with atomic_write(path, private=private, synced=synced) as partial:
        partial.write_bytes(content)


def write_record(record: msgspec.Struct, path: Path, *, indent: int = 2) -> None:
    """Write a record as JSON, in one step.

    Parameters
    ----------
    indent
        Spaces of each level. 0 writes one line.
    """
    text = msgspec.json.format(msgspec.json.encode(record), indent=indent or -1)
    write_text(f"{text.decode()}\n", path, private=True)


def append_record(record: msgspec.Struct, path: Path) -> None:
    """Append a record to a file of JSON lines, and sync it to disk.

    If an interrupted append left an incomplete line, a line break ends that line first.

    Raises
    ------
    StoreError
        As `translated_write_errors`.
    """
    with translated_write_errors(path):
        make_folder(path.parent, mode=PRIVATE_FOLDER)
        mode = file_mode(path.parent)
        with open(path, "ab+", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            is_complete = file.tell() == 0 or os.pread(file.fileno(), 1, file.tell() - 1) == b"\n"
            file.write((b"" if is_complete else b"\n") + msgspec.json.encode(record) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        keep_name(path)


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
