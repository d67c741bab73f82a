"""Parquet files by their exact names: by default Polars reads `[`, `?` and `*` in a path as a pattern."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

# What a footer has for one column of one row group: 80 to 125 bytes by Polars, PyArrow and DuckDB, with statistics.
_CHUNK_BYTES = 100
_TAIL_BYTES = 8  # the length of the footer, and the magic number
MAX_READS = 32  # of one row group


def scan_files(paths: Path | str | Iterable[Path | str], *, path_column: str | None = None) -> pl.LazyFrame:
    """Scan a file, several files that have the columns of the first, or a folder of them; the name of a folder gives no column.

    Parameters
    ----------
    path_column
        The name of a column to add: the path of each row's file. None: no column is added.
    """
    return pl.scan_parquet(  # noqa: TID251
        _listed(paths),
        glob=False,
        hive_partitioning=False,
        credential_provider=None,
        include_file_paths=path_column,
    )


def read_files(paths: Path | str | Iterable[Path | str]) -> pl.DataFrame:
    """Read the files that `scan_files` scans."""
    return scan_files(paths).collect()


def schema_of_file(path: Path | str) -> pl.Schema:
    """Read the names and dtypes of the columns of a file."""
    return scan_files(path).collect_schema()


def slices(path: Path, limit: int) -> Iterator[pl.LazyFrame]:
    """Split the rows of a Parquet file into consecutive parts, which several threads can read at once.

    A query over the whole file reads row groups ahead and holds them. A query of a part holds the rows of the part.

    Parameters
    ----------
    limit
        Rows of a part. Each part reads its whole row group, so a large row group has at most about `MAX_READS` parts,
        which then have more rows.
    """
    rows = scan_files(path)
    height = rows.select(pl.len()).collect().item()
    size = max(limit, height // _row_groups(path, len(rows.collect_schema())) // MAX_READS)
    return (rows.slice(start, size) for start in range(0, height, size))


def _row_groups(path: Path, columns: int) -> int:
    """Estimate the number of row groups from the length of the footer: PyArrow has it, but its import takes 40 MB."""
    with path.open("rb") as file:
        file.seek(-_TAIL_BYTES, os.SEEK_END)
        footer = int.from_bytes(file.read(4), "little")
    texts = sum(len(key) + len(value) for key, value in pl.read_parquet_metadata(path).items())
    return max(1, (footer - texts) // (_CHUNK_BYTES * max(columns, 1)))


def _listed(paths: Path | str | Iterable[Path | str]) -> list[str]:
    return [str(paths)] if isinstance(paths, Path | str) else [str(path) for path in paths]
