"""Raw files: CSV and Parquet, on disk or inside an installed package."""

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
from featurestore.storage.files import aside, readable

if TYPE_CHECKING:
    from featurestore.definitions.source import PackageFile, Source

TAIL_BYTES = 1 << 16
IN_MEMORY = 256 << 20


class FileReader:
    """Reads the raw files of sources.

    Parameters
    ----------
    in_memory
        Bytes of files that are read at once; more are scanned.
    """

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self._in_memory = in_memory

    def fetch(self, source: Source, target: Path) -> None:
        """Copy a package's data file to `target`, unpacking a zip of one member.

        Raises
        ------
        ConfigError
            If the package is not installed or lacks the file.
        """
        if source.origin is None:
            raise ConfigError(
                f"source {source.name!r} has no origin to fetch from",
                hint=f"put the file at {source.path} yourself",
            )
        packed = _locate(source.origin)
        try:
            with aside(target) as partial:
                if packed.suffix == ".zip":
                    with (
                        zipfile.ZipFile(packed) as archive,
                        archive.open(archive.namelist()[0]) as member,
                        partial.open("wb") as out,
                    ):
                        shutil.copyfileobj(member, out)
                else:
                    shutil.copyfile(packed, partial)
        except zipfile.BadZipFile as error:
            raise ContractError(
                f"{packed}: {error}", hint="the archive is damaged; install the package again"
            ) from error

    def scan(self, source: Source, path: Path) -> pl.DataFrame | pl.LazyFrame:
        """Read a raw file, or all files that a pattern names, in the order of their names; columns of CSV are text.

        Folders named ``column=value`` below the fixed part of a pattern become text columns. ``source_file`` (relative to
        that part) and ``source_row`` (from 1, in its file) say where each row comes from. Files that together are
        larger than the reader holds in memory are scanned instead.

        Raises
        ------
        MissingDataError
            If there is no file.
        ContractError
            If one is empty, ends in the middle of a row, has other columns than the first, or cannot be read at all.
        """
        base, pattern = source.location(path)
        files = sorted(base.glob(pattern)) if pattern else [path]
        if not files or not files[0].exists():
            command = f"featurestore ingest {source.name}" if source.origin else "dvc pull, or put it there"
            raise MissingDataError(f"{source.name}: raw file {path} is not there", hint=f"run: {command}")
        frames = [_scan(source, file, base if pattern else file.parent) for file in files]
        columns = [frame.collect_schema().names() for frame in frames]
        for file, found in zip(files, columns, strict=True):
            if found != columns[0]:
                raise ContractError(
                    f"{source.name}: {file} has columns {_told(found)}, but {files[0]} has {_told(columns[0])}"
                )
        rows = pl.concat(frames)
        if sum(file.stat().st_size for file in files) > self._in_memory:
            return rows
        with readable(source.name, path):
            return rows.collect(engine="streaming")


def _told(columns: list[str]) -> list[str]:
    return [name for name in columns if name not in (SOURCE_FILE, SOURCE_ROW)]


def _partition(path: Path) -> dict[str, pl.Expr]:
    pairs = (part.partition("=") for part in path.parts[:-1] if "=" in part)
    return {name: pl.lit(unquote(value)) for name, _, value in pairs}


def _scan(source: Source, path: Path, base: Path) -> pl.LazyFrame:
    if path.stat().st_size == 0:
        raise ContractError(f"{source.name}: {path} is empty", hint="bring the file in again")
    with readable(source.name, path):
        if path.suffix == ".parquet":
            rows = pl.scan_parquet(path, hive_partitioning=False)
        else:
            refuse_truncated(path, f"{source.name}: {path}")
            rows = pl.scan_csv(path, infer_schema=False, null_values=list(source.null_values))
        rows.collect_schema()
    place = path.relative_to(base)
    numbered = rows.with_row_index(SOURCE_ROW, offset=1)
    return numbered.select(
        pl.lit(place.as_posix()).alias(SOURCE_FILE),
        pl.all(),
        *(e.alias(n) for n, e in _partition(place).items()),
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


def refuse_truncated(path: Path, told: str) -> None:
    """Refuse a CSV file that ends in the middle of a row.

    Parameters
    ----------
    told
        What the message calls it.

    Raises
    ------
    ContractError
        If its last row is too short and not ended, or no reader of CSV could make sense of it.
    """
    try:
        last, fields, ended = _last_row(path)
    except csv.Error as error:
        raise ContractError(
            f"{told} cannot be read as CSV: {error}", hint="bring the file in again"
        ) from error
    if last is not None and len(last) < fields and not ended:
        raise ContractError(
            f"{told} is truncated: it ends in the middle of a row ({len(last)} of {fields} fields)",
            hint="bring the file in again",
        )


def _last_row(path: Path) -> tuple[list[str] | None, int, bool]:
    """Read the last row of a CSV file, how many fields the first has, and whether the last is ended."""
    with path.open("rb") as file:
        header = file.readline()
        file.seek(max(len(header), path.stat().st_size - TAIL_BYTES))
        tail = file.read().decode("utf-8", errors="replace")
    fields = len(next(csv.reader([header.decode("utf-8", errors="replace")]), []))
    # The end of the last row only: a quoted field may hold line breaks.
    last = next((row for row in reversed(list(csv.reader(tail.splitlines()[-1:]))) if row), None)
    return last, fields, tail.endswith("\n")
