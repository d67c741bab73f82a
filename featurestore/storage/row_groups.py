"""The row groups of a Parquet file: where they begin, how large they are, and which keys they may hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from featurestore.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import polars as pl


@dataclass(frozen=True)
class Span:
    """Consecutive rows of a file."""

    start: int
    rows: int


def spans(path: Path, *, columns: Sequence[str], keys: pl.Series, limit: int) -> Iterator[Span]:
    """Cut a file into spans of whole row groups, leaving out those that hold none of some keys.

    Parameters
    ----------
    path
        A Parquet file.
    columns
        The columns that will be read: a span holds about `limit` bytes of them, at least one row group.
    keys
        The values wanted of one column (its name is the series'). A row group is left out where its statistics say
        that it holds none of them.
    limit
        Bytes, uncompressed.
    """
    try:
        metadata = pq.read_metadata(path)
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: cannot be read as Parquet: {error}", hint="build it again") from error
    wanted = keys.drop_nulls().unique().sort()
    places = [
        i for i in range(metadata.num_columns) if metadata.schema.column(i).path.split(".")[0] in columns
    ]
    [key] = [i for i in range(metadata.num_columns) if metadata.schema.column(i).path == keys.name]
    start = size = rows = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        held = _may_hold(group.column(key).statistics, wanted)
        if rows and (not held or size >= limit):
            yield Span(start - rows, rows)
            size = rows = 0
        if held:
            size += sum(group.column(i).total_uncompressed_size for i in places)
            rows += group.num_rows
        start += group.num_rows
    if rows:
        yield Span(start - rows, rows)


def _may_hold(statistics: pq.Statistics | None, wanted: pl.Series) -> bool:
    if statistics is None or not statistics.has_min_max:
        return True
    at = wanted.search_sorted(statistics.min, "left")
    return bool(at < wanted.len() and wanted[at] <= statistics.max)
