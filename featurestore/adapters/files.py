"""Raw files: CSV and Parquet, on disk or in an installed package."""

from __future__ import annotations

import csv
import shutil
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import polars as pl

from featurestore.errors import ConfigError, ContractError, MissingDataError
from featurestore.quality.gate.partition import SOURCE_FILE, SOURCE_ROW
from featurestore.storage.files import atomic_write, translated_read_errors

if TYPE_CHECKING:
    from featurestore.definitions.source import PackageFile, Source

TAIL_BYTES = 1 << 16
IN_MEMORY = 256 << 20


class FileReader:
    """Read the raw files of sources.

    Parameters
    ----------
    in_memory
        Files of at most this many bytes together are read into memory. Larger ones are scanned.
    """

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._in_memory = in_memory

    def fetch(self, source: Source, target: Path) -> None:
        """Copy the data file of a package to `target`. A zip archive of one member is unpacked.

        Raises
        ------
        ConfigError
            If the source has no origin, or the package is not installed or lacks the file.
        ContractError
            If the archive is damaged.
        """
        if source.origin is None:
            raise ConfigError(
                f"source {source.name!r} has no origin to fetch from",
                hint=f"copy the file to {source.path}",
            )
        archive_path = _locate(source.origin)
        try:
            with atomic_write(target) as partial:
                if archive_path.suffix == ".zip":
                    with (
                        zipfile.ZipFile(archive_path) as archive,
                        archive.open(archive.namelist()[0]) as member,
                        partial.open("wb") as out,
                    ):
                        shutil.copyfileobj(member, out)
                else:
                    shutil.copyfile(archive_path, partial)
        except zipfile.BadZipFile as error:
            raise ContractError(
                f"{archive_path}: {error}", hint="the archive is damaged; install the package again"
            ) from error

    def scan(self, source: Source, path: Path) -> pl.DataFrame | pl.LazyFrame:
        """Read a raw file, or all files that match a pattern, in the order of their names.

        The columns of CSV files are text. Folders named ``column=value`` below the fixed part of a
        pattern become text columns. ``source_file`` (relative to the fixed part) and ``source_row``
        (from 1, within its file) identify each row. Files that together exceed the memory limit of
        the reader are scanned instead of read.

        Raises
        ------
        MissingDataError
            If no file exists.
        ContractError
            If a file is empty, ends in the middle of a row, has other columns than the first file,
            or cannot be read.
        """
        base, pattern = source.location(path)
        files = sorted(base.glob(pattern)) if pattern else [path]
        if not files or not files[0].exists():
            command = (
                f"featurestore ingest {source.name}" if source.origin else "dvc pull, or copy the file there"
            )
            raise MissingDataError(f"{source.name}: raw file {path} does not exist", hint=f"run: {command}")
        frames = [_scan(source, file, base if pattern else file.parent) for file in files]
        columns = [frame.collect_schema().names() for frame in frames]
        for file, names in zip(files, columns, strict=True):
            if names != columns[0]:
                raise ContractError(
                    f"{source.name}: {file} has columns {_raw_names(names)}, but {files[0]} has {_raw_names(columns[0])}"
                )
        rows = pl.concat(frames)
        if sum(file.stat().st_size for file in files) > self._in_memory:
            return rows
        with translated_read_errors(source.name, path):
            return rows.collect(engine="streaming")


def _raw_names(columns: list[str]) -> list[str]:
    return [name for name in columns if name not in (SOURCE_FILE, SOURCE_ROW)]


def _partition(path: Path) -> dict[str, pl.Expr]:
    pairs = (part.partition("=") for part in path.parts[:-1] if "=" in part)
    return {name: pl.lit(unquote(value)) for name, _, value in pairs}


def _scan(source: Source, path: Path, base: Path) -> pl.LazyFrame:
    if path.stat().st_size == 0:
        raise ContractError(f"{source.name}: {path} is empty", hint="replace the file with a complete copy")
    with translated_read_errors(source.name, path):
        if path.suffix == ".parquet":
            rows = pl.scan_parquet(path, hive_partitioning=False)
        else:
            refuse_truncated(path, f"{source.name}: {path}")
            rows = pl.scan_csv(path, infer_schema=False, null_values=list(source.null_values))
        rows.collect_schema()
    relative = path.relative_to(base)
    numbered = rows.with_row_index(SOURCE_ROW, offset=1)
    return numbered.select(
        pl.lit(relative.as_posix()).alias(SOURCE_FILE),
        pl.all(),
        *(e.alias(n) for n, e in _partition(relative).items()),
    )


def _locate(origin: PackageFile) -> Path:
    spec = find_spec(origin.package)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(
            f"package {origin.package!r} is not installed", hint=f"pip install {origin.package}"
        )
    path = Path(next(iter(spec.submodule_search_locations))) / origin.member
    if not path.is_file():
        raise ConfigError(f"package {origin.package!r} has no file {origin.member!r}")
    return path


def refuse_truncated(path: Path, title: str) -> None:
    """Refuse a CSV file that ends in the middle of a row.

    Parameters
    ----------
    path
        The file.
    title
        The name of the file in messages.

    Raises
    ------
    ContractError
        If the last row has too few fields and no line break, or the file is not CSV.
    """
    try:
        last, fields, is_ended = _last_row(path)
    except csv.Error as error:
        raise ContractError(
            f"{title} cannot be read as CSV: {error}", hint="replace the file with a complete copy"
        ) from error
    if last is not None and len(last) < fields and not is_ended:
        raise ContractError(
            f"{title} is truncated: it ends in the middle of a row ({len(last)} of {fields} fields)",
            hint="replace the file with a complete copy",
        )


def _last_row(path: Path) -> tuple[list[str] | None, int, bool]:
    """Return the last row, the width of the first row, and whether a line break ends the file."""
    with path.open("rb") as file:
        header = file.readline()
        file.seek(max(len(header), path.stat().st_size - TAIL_BYTES))
        tail = file.read().decode("utf-8", errors="replace")
    fields = len(next(csv.reader([header.decode("utf-8", errors="replace")]), []))
    # Only the last line: a quoted field of the last row may contain line breaks.
    last = next((row for row in reversed(list(csv.reader(tail.splitlines()[-1:]))) if row), None)
    return last, fields, tail.endswith("\n")
