"""Raw files: CSV and Parquet, on disk or in an installed package."""

from __future__ import annotations

import shutil
import warnings
import zipfile
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import polars as pl
from polars.io.plugins import register_io_source

from featurestore.errors import ConfigError, ContractError, MissingDataError
from featurestore.quality.gate.partition import SOURCE_FILE, SOURCE_ROW
from featurestore.storage.csv_files import INCOMPLETE, scan_csv
from featurestore.storage.files import atomic_write, translated_read_errors
from featurestore.storage.parquet import scan_files
from featurestore.values.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from featurestore.definitions.source import PackageFile, Source

IN_MEMORY = 256 << 20
MAX_SCANS = 128  # files that one query scans
# Hive's name of the folder whose partition column is null.
NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class _RawFile:
    """A raw file.

    Attributes
    ----------
    path
        Its path.
    place
        Its path relative to the fixed part of the pattern.
    rows
        Its rows, as the file has them.
    schema
        Its columns, with those of its folders.
    partitions
        The values of its folders by column. None: Hive's null partition.
    is_marked
        Whether a column marks rows that may be incomplete.
    """

    path: Path
    place: str
    rows: pl.LazyFrame
    schema: dict[str, pl.DataType]
    partitions: dict[str, str | None]
    is_marked: bool

    @property
    def placed(self) -> pl.LazyFrame:
        """The rows, each with its place and the values of its folders."""
        folders = (pl.lit(value, dtype=pl.String).alias(name) for name, value in self.partitions.items())
        numbered = self.rows.with_row_index(SOURCE_ROW, offset=1)
        return numbered.select(pl.lit(self.place).alias(SOURCE_FILE), pl.all(), *folders)

    def in_order(self, names: list[str]) -> _RawFile:
        """Return the file with its columns in an order."""
        if list(self.schema) == names:
            return self
        own = [name for name in names if name not in self.partitions]
        mark = [INCOMPLETE] if self.is_marked else []
        return replace(self, rows=self.rows.select(*own, *mark))


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
        pattern become text columns; the folder of Hive's null partition is null. Hidden files are left out, with a
        warning. ``source_file`` (relative to the fixed part) and ``source_row``
        (from 1, within its file) identify each row. Files that together exceed the memory limit of
        the reader are scanned instead of read.

        Raises
        ------
        MissingDataError
            If no file exists.
        ContractError
            If a file is empty, ends in the middle of a row, names a column twice, has other columns or dtypes than
            the first file, or cannot be read.
        """
        base, pattern = source.location(path)
        files = _visible(source, base, pattern) if pattern else [path]
        if not files or not files[0].exists():
            command = (
                f"featurestore ingest {source.name}" if source.origin else "dvc pull, or copy the file there"
            )
            raise MissingDataError(f"{source.name}: raw file {path} does not exist", hint=f"run: {command}")
        if files[0].is_dir():
            raise ContractError(
                f"{source.name}: {path} is a folder, expected a file",
                hint=f"name its files in the source, such as {source.path}/*.csv",
            )
        raw = [_scan(source, file, base if pattern else file.parent) for file in files]
        first = raw[0].schema
        for file, schema in ((rows.path, rows.schema) for rows in raw if rows.schema != first):
            if schema.keys() != first.keys():
                raise ContractError(
                    f"{source.name}: {file} has columns {list(schema)}, but {files[0]} has {list(first)}",
                    hint="write all files with the same columns",
                )
            name = next(name for name, dtype in schema.items() if dtype != first[name])
            raise ContractError(
                f"{source.name}: {name!r} is {schema[name]} in {file}, but {first[name]} in {files[0]}",
                hint="write all files with the same dtypes",
            )
        raw = [file.in_order(list(first)) for file in raw]
        is_small = sum(file.stat().st_size for file in files) <= self._in_memory
        if is_small and all(file.path.suffix == ".parquet" and not file.is_marked for file in raw):
            with translated_read_errors(source.name, path):
                return _read_parquet(raw)
        frames = _marked(raw)
        if not is_small:
            return pl.concat(frames) if len(frames) <= MAX_SCANS else _scan_in_turn(frames)
        with translated_read_errors(source.name, path):
            parts = [part for some in _some(frames) for part in pl.collect_all(some, engine="streaming")]
        return pl.concat(parts, rechunk=len(parts) > MAX_SCANS)


def _visible(source: Source, base: Path, pattern: str) -> list[Path]:
    """List the files that match a pattern. Hidden files, and files in hidden folders, are not data."""
    files = [file for file in sorted(base.glob(pattern)) if file.is_file()]
    if any(part.startswith(".") for part in Path(pattern).parts):
        return files
    is_hidden = {file: any(p.startswith(".") for p in file.relative_to(base).parts) for file in files}
    if hidden := [file for file in files if is_hidden[file]]:
        warnings.warn(
            f"{source.name}: left out {counted(len(hidden), 'hidden file')}, such as {hidden[0]}",
            stacklevel=3,
        )
    return [file for file in files if not is_hidden[file]]


def _marked(raw: list[_RawFile]) -> list[pl.LazyFrame]:
    """Give all files the mark of incomplete rows if one of them has it."""
    if not any(file.is_marked for file in raw):
        return [file.placed for file in raw]
    mark = pl.lit(value=False).alias(INCOMPLETE)
    return [
        (file.placed if file.is_marked else file.placed.with_columns(mark)).select(
            pl.exclude(INCOMPLETE), INCOMPLETE
        )
        for file in raw
    ]


def _read_parquet(raw: list[_RawFile]) -> pl.DataFrame:
    """Read Parquet files of equal columns by one query: a query of each file takes longer than its few rows."""
    rows = scan_files([file.path for file in raw], path_column=SOURCE_FILE).collect()
    # Files without rows have no run.
    runs = rows[SOURCE_FILE].rle().struct.unnest()
    by_path = {str(file.path): file for file in raw}
    files = [by_path[path] for path in runs["value"]]
    file_columns = {SOURCE_FILE: [file.place for file in files]} | {
        name: [file.partitions[name] for file in files] for name in raw[0].partitions
    }
    file_numbers = pl.int_range(runs.height, eager=True).repeat_by(runs["len"]).explode()
    row_numbers = pl.int_ranges(1, runs["len"] + 1, dtype=pl.get_index_type(), eager=True).explode()
    added = pl.DataFrame(file_columns, schema=dict.fromkeys(file_columns, pl.String))[file_numbers]
    placed = rows.drop(SOURCE_FILE).hstack(added).with_columns(row_numbers.alias(SOURCE_ROW))
    frame = placed.select(SOURCE_FILE, SOURCE_ROW, *raw[0].schema)
    return frame.rechunk() if len(raw) > MAX_SCANS else frame


def _some(frames: list[pl.LazyFrame]) -> Iterator[list[pl.LazyFrame]]:
    return (frames[start : start + MAX_SCANS] for start in range(0, len(frames), MAX_SCANS))


def _scan_in_turn(frames: list[pl.LazyFrame]) -> pl.LazyFrame:
    """Scan many files, some at a time: what one query of Polars does for its files grows with their number squared."""

    def batches(
        columns: list[str] | None, predicate: pl.Expr | None, limit: int | None, size: int | None
    ) -> Iterator[pl.DataFrame]:
        for some in _some(frames):
            rows = pl.concat(some)
            rows = rows if columns is None else rows.select(columns)
            rows = rows if limit is None else rows.head(limit)
            for batch in rows.collect_batches(chunk_size=size):
                limit = None if limit is None else limit - batch.height
                yield batch if predicate is None else batch.filter(predicate)

    return register_io_source(batches, schema=frames[0].collect_schema())


def _partition(path: Path) -> dict[str, str | None]:
    pairs = (part.partition("=") for part in path.parts[:-1] if "=" in part)
    return {name: None if value == NULL_PARTITION else unquote(value) for name, _, value in pairs}


def _scan(source: Source, path: Path, base: Path) -> _RawFile:
    if path.stat().st_size == 0:
        raise ContractError(f"{source.name}: {path} is empty", hint="replace the file with a complete copy")
    with translated_read_errors(source.name, path):
        if path.suffix == ".parquet":
            rows = scan_files(path)
        else:
            rows = scan_csv(path, f"{source.name}: {path}", list(source.null_values))
        columns = rows.collect_schema()
    relative = path.relative_to(base)
    partitions = _partition(relative)
    if reserved := [name for name in (SOURCE_FILE, SOURCE_ROW) if name in columns]:
        raise ContractError(
            f"{source.name}: {path} has a column {reserved[0]!r}, which names the place of a row in quarantine",
            hint="rename the column",
        )
    if taken := [name for name in partitions if name in columns]:
        raise ContractError(
            f"{source.name}: {path} has a column {taken[0]!r}, and its folder names this column too",
            hint="remove the column from the file, or rename the folder",
        )
    schema = {name: dtype for name, dtype in columns.items() if name != INCOMPLETE}
    schema |= dict.fromkeys(partitions, pl.String())
    return _RawFile(path, relative.as_posix(), rows, schema, partitions, INCOMPLETE in columns)


def _locate(origin: PackageFile) -> Path:
    spec = find_spec(origin.package)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(
            f"package {origin.package!r} is not installed", hint=f"pip install {origin.package}"
        )
    path = Path(next(iter(spec.submodule_search_locations))) / origin.member
    if not path.is_file():
        raise ConfigError(
            f"package {origin.package!r} has no file {origin.member!r}",
            hint=f"name a file below {path.parents[len(Path(origin.member).parts) - 1]}, or install another version of the package",
        )
    return path
