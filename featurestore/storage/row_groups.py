"""The row groups of a Parquet file: where each begins, its size, and the keys that it can hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from featurestore.errors import StoreError, package_needed_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import polars as pl
    import pyarrow.parquet as pq


@dataclass(frozen=True)
class Span:
    """Consecutive rows of a file."""

    start: int
    rows: int


def spans(path: Path, *, columns: Sequence[str], keys: pl.Series | None, limit: int) -> Iterator[Span]:
    """Split a file into spans of complete row groups that can hold the given keys.

    Parameters
    ----------
    path
        A Parquet file.
    columns
        The columns that will be read. A span holds about `limit` bytes of them, and at least one
        row group.
    keys
        The values to find in the column with the name of the series. A row group is left out if its
        statistics show that it holds none of them. None: every row group can hold the key.
    limit
        Bytes, uncompressed.

    Raises
    ------
    StoreError
        If the file cannot be read as Parquet.
    MissingPackageError
        If pyarrow is not installed.
    """
    metadata = _metadata(path)
    indices = _indices(metadata, columns)
    may_hold = _holder(metadata, keys)
    start = size = rows = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        is_candidate = may_hold(group)
        if rows and (not is_candidate or size >= limit):
            yield Span(start - rows, rows)
            size = rows = 0
        if is_candidate:
            size += sum(group.column(i).total_uncompressed_size for i in indices)
            rows += group.num_rows
        start += group.num_rows
    if rows:
        yield Span(start - rows, rows)


def row_bytes(files: Sequence[Path], columns: Sequence[str]) -> tuple[int, int]:
    """Return the bytes of some columns of all rows of some files, uncompressed, and the number of rows.

    Raises
    ------
    StoreError
        If a file cannot be read as Parquet.
    MissingPackageError
        If pyarrow is not installed.
    """
    size = rows = 0
    for metadata in map(_metadata, files):
        rows += metadata.num_rows
        indices = _indices(metadata, columns)
        for number in range(metadata.num_row_groups):
            group = metadata.row_group(number)
            size += sum(group.column(i).total_uncompressed_size for i in indices)
    return size, rows


def _metadata(path: Path) -> pq.FileMetaData:
    with package_needed_by("a historical join"):
        import pyarrow.parquet as pq  # noqa: PLC0415 - a serving machine has no pyarrow, and joins nothing
    try:
        return pq.read_metadata(path)
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{path}: cannot be read as Parquet: {error}", hint="run: featurestore build"
        ) from error


def _indices(metadata: pq.FileMetaData, columns: Sequence[str]) -> list[int]:
    return [i for i in range(metadata.num_columns) if metadata.schema.column(i).path.split(".")[0] in columns]


def _holder(metadata: pq.FileMetaData, keys: pl.Series | None) -> Callable[[pq.RowGroupMetaData], bool]:
    if keys is None:
        return lambda _: True
    values = keys.drop_nulls()
    values = values if values.is_sorted() else values.sort()
    [column] = [i for i in range(metadata.num_columns) if metadata.schema.column(i).path == keys.name]
    return lambda group: _may_hold(group.column(column).statistics, values)


def _may_hold(statistics: pq.Statistics | None, values: pl.Series) -> bool:
    if statistics is None or not statistics.has_min_max:
        return True
    first = values.search_sorted(statistics.min, "left")
    return bool(first < values.len() and values[first] <= statistics.max)
