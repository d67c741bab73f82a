"""Raw files: CSV and Parquet, on disk or in an installed package."""

from __future__ import annotations

import shutil
import warnings
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import polars as pl

from featurestore.errors import ConfigError, ContractError, MissingDataError
from featurestore.quality.gate.partition import SOURCE_FILE, SOURCE_ROW
from featurestore.storage.csv_files import INCOMPLETE, scan_csv
from featurestore.storage.files import atomic_write, translated_read_errors

if TYPE_CHECKING:
    from featurestore.definitions.source import PackageFile, Source

IN_MEMORY = 256 << 20
# Hive's name of the folder whose partition column is null.
NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"


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
        frames = [_scan(source, file, base if pattern else file.parent) for file in files]
        schemas = [_raw_schema(frame) for frame in frames]
        for file, schema in zip(files, schemas, strict=True):
            if list(schema) != list(schemas[0]):
                raise ContractError(
                    f"{source.name}: {file} has columns {list(schema)}, but {files[0]} has {list(schemas[0])}"
                )
            for name, dtype in schema.items():
                if dtype != schemas[0][name]:
                    raise ContractError(
                        f"{source.name}: {name!r} is {dtype} in {file}, but {schemas[0][name]} in {files[0]}",
                        hint="write all files with the same dtypes",
                    )
        rows = pl.concat(_marked(frames))
        if sum(file.stat().st_size for file in files) > self._in_memory:
            return rows
        with translated_read_errors(source.name, path):
            return rows.collect(engine="streaming")


def _visible(source: Source, base: Path, pattern: str) -> list[Path]:
    """List the files that match a pattern. Hidden files, and files in hidden folders, are not data."""
    files = [file for file in sorted(base.glob(pattern)) if file.is_file()]
    if any(part.startswith(".") for part in Path(pattern).parts):
        return files
    visible = [file for file in files if not any(p.startswith(".") for p in file.relative_to(base).parts)]
    hidden = [file for file in files if file not in set(visible)]
    if hidden:
        warnings.warn(
            f"{source.name}: {len(hidden):,} hidden files are not read, such as {hidden[0]}", stacklevel=3
        )
    return visible


def _raw_schema(rows: pl.LazyFrame) -> pl.Schema:
    columns = rows.collect_schema().items()
    return pl.Schema({n: d for n, d in columns if n not in (SOURCE_FILE, SOURCE_ROW, INCOMPLETE)})


def _marked(frames: list[pl.LazyFrame]) -> list[pl.LazyFrame]:
    """Give all files the mark of incomplete rows if one of them has it."""
    is_marked = [INCOMPLETE in frame.collect_schema() for frame in frames]
    if not any(is_marked):
        return frames
    mark = pl.lit(value=False).alias(INCOMPLETE)
    return [
        (frame if known else frame.with_columns(mark)).select(pl.exclude(INCOMPLETE), INCOMPLETE)
        for frame, known in zip(frames, is_marked, strict=True)
    ]


def _partition(path: Path) -> dict[str, pl.Expr]:
    pairs = (part.partition("=") for part in path.parts[:-1] if "=" in part)
    return {
        name: pl.lit(None if value == NULL_PARTITION else unquote(value), dtype=pl.String)
        for name, _, value in pairs
    }


def _scan(source: Source, path: Path, base: Path) -> pl.LazyFrame:
    if path.stat().st_size == 0:
        raise ContractError(f"{source.name}: {path} is empty", hint="replace the file with a complete copy")
    with translated_read_errors(source.name, path):
        if path.suffix == ".parquet":
            rows = pl.scan_parquet(path, hive_partitioning=False)
        else:
            rows = scan_csv(path, f"{source.name}: {path}", list(source.null_values))
        columns = rows.collect_schema()
    relative = path.relative_to(base)
    partitions = _partition(relative)
    if taken := [name for name in partitions if name in columns]:
        raise ContractError(
            f"{source.name}: {path} has a column {taken[0]!r}, and its folder names this column too",
            hint="remove the column from the file, or rename the folder",
        )
    numbered = rows.with_row_index(SOURCE_ROW, offset=1)
    return numbered.select(
        pl.lit(relative.as_posix()).alias(SOURCE_FILE),
        pl.all(),
        *(e.alias(n) for n, e in partitions.items()),
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
