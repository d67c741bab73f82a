"""Parquet files by their exact names: by default Polars reads `[`, `?` and `*` in a path as a pattern."""

from collections.abc import Iterable
from pathlib import Path

import polars as pl


def scan_files(paths: Path | str | Iterable[Path | str]) -> pl.LazyFrame:
    """Scan a file, several files that have the columns of the first, or a folder of them; the name of a folder gives no column."""
    return pl.scan_parquet(_listed(paths), glob=False, hive_partitioning=False, credential_provider=None)  # noqa: TID251


def read_files(paths: Path | str | Iterable[Path | str]) -> pl.DataFrame:
    """Read the files that `scan_files` scans."""
    return scan_files(paths).collect()


def schema_of_file(path: Path | str) -> pl.Schema:
    """Read the names and dtypes of the columns of a file."""
    return scan_files(path).collect_schema()


def _listed(paths: Path | str | Iterable[Path | str]) -> list[str]:
    return [str(paths)] if isinstance(paths, Path | str) else [str(path) for path in paths]
