"""Entity rows from the forms that users have: a frame of any library, a file, or SQL; at once, or a batch at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.adapters.entity_files import ScannedRows, is_file, scan_file, unreadable
from featurestore.errors import ContractError
from featurestore.values.accepted import value_check
from featurestore.values.frames import frame_of_any
from featurestore.values.key_columns import frame_of_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


@dataclass(frozen=True)
class EntityRows:
    """Entity rows in one of the forms that users have.

    Attributes
    ----------
    source
        A frame of Polars, pandas, pyarrow or DuckDB, a list of dictionaries, the path of a file (Parquet,
        CSV, JSON lines), or a SQL statement for DuckDB.
    schema
        The columns that the request needs, and their dtypes: columns of text files are cast to them.
    tables
        The datasets that SQL can name, and their Parquet files.
    check
        Called with the name of each dataset that SQL reads. It raises if the rows may not be used.
    """

    source: Any
    schema: Mapping[str, pl.DataType]
    tables: Mapping[str, Path]
    check: Callable[[str], object] = lambda _: None

    def frame(self) -> pl.DataFrame:
        """Read all rows.

        Raises
        ------
        ContractError
            If the source has another type, or cannot be read.
        MissingPackageError
            If the source is SQL, and DuckDB is not installed.
        """
        if self._is_sql:
            from featurestore.adapters.duckdb import query  # noqa: PLC0415 - only SQL needs DuckDB

            return query(self.source, self.tables, self.check)
        scanned = self._scanned
        try:
            return scanned.typed(scanned.rows.collect())
        except (OSError, pl.exceptions.PolarsError) as error:
            raise unreadable(scanned.title, error) from error

    def batches(self, rows: int, *, memory: int) -> Iterator[pl.DataFrame]:
        """Read the rows in batches, in order: at least one batch, which has no rows if there are none. Raises as `frame`.

        Parameters
        ----------
        rows
            Rows of a batch; the last one may have fewer.
        memory
            MiB that a SQL query may take, before it writes to disk.
        """
        if self._is_sql:
            from featurestore.adapters.duckdb import query_batches  # noqa: PLC0415 - only SQL needs DuckDB

            yield from _rebatched(
                query_batches(self.source, self.tables, self.check, rows=rows, memory=memory), rows
            )
            return
        scanned = self._scanned
        first = 0
        try:
            for batch in _rebatched(_parts(scanned.rows, rows), rows):
                yield scanned.typed(batch, first)
                first += batch.height
        except (OSError, pl.exceptions.PolarsError) as error:
            raise unreadable(scanned.title, error) from error

    def count(self) -> int:
        """Count the rows. Raises as `frame`."""
        if self._is_sql:
            from featurestore.adapters.duckdb import count_rows  # noqa: PLC0415 - only SQL needs DuckDB

            return count_rows(self.source, self.tables)
        scanned = self._scanned
        try:
            return int(scanned.rows.select(pl.len()).collect().item())
        except (OSError, pl.exceptions.PolarsError) as error:
            raise unreadable(scanned.title, error) from error

    @property
    def _is_sql(self) -> bool:
        return isinstance(self.source, str) and not is_file(self.source)

    @cached_property
    def _scanned(self) -> ScannedRows:
        if is_file(self.source):
            return scan_file(self.source, self.schema)
        expected = "a frame, the path of a file, SQL"
        frame = _frame_given(self.source, self.schema, "entity rows", expected)
        return ScannedRows(frame.lazy(), "entity rows")


def frame_of(
    source: Any, tables: Mapping[str, Path], check: Callable[[str], object] = lambda _: None
) -> pl.DataFrame:
    """Read all entity rows, as `EntityRows.frame` does; columns of text files stay text."""
    return EntityRows(source, {}, tables, check).frame()


def _parts(rows: pl.LazyFrame, size: int) -> Iterator[pl.DataFrame]:
    yield pl.DataFrame(schema=rows.collect_schema())
    yield from rows.collect_batches(chunk_size=size, maintain_order=True)


def _rebatched(parts: Iterable[pl.DataFrame], size: int) -> Iterator[pl.DataFrame]:
    """Cut and combine frames to batches of a size; the last one may be smaller, and only a single one is empty."""
    waiting: pl.DataFrame | None = None
    is_first = True
    for part in parts:
        waiting = part if waiting is None else pl.concat([waiting, part])
        while waiting.height >= size:
            yield waiting[:size].rechunk()
            is_first = False
            waiting = waiting[size:]
    if waiting is not None and (waiting.height or is_first):
        yield waiting.rechunk()


def rows_given(rows: Any, schema: Mapping[str, pl.DataType], owner: str) -> pl.DataFrame:
    """Convert the rows of a request to a frame.

    Parameters
    ----------
    schema
        The dtypes of keys and request values. Polars infers the dtypes of other columns.
    owner
        What the rows are for, for messages.

    Raises
    ------
    ContractError
        If they are neither a frame nor a list of dictionaries, a value does not fit its dtype exactly, or another column
        has values of several types.
    """
    return _frame_given(rows, schema, f"rows for {owner}", "a frame").lazy().collect()


def _frame_given(
    rows: Any, schema: Mapping[str, pl.DataType], title: str, expected: str
) -> pl.DataFrame | pl.LazyFrame:
    if (frame := frame_of_any(rows)) is not None:
        return frame
    is_list = isinstance(rows, Sequence) and not isinstance(rows, pl.Series)
    if not is_list or not all(isinstance(row, Mapping) for row in rows):
        raise ContractError(
            f"{title} are {rows!r:.60} ({type(rows).__name__}); expected {expected} or a list of dictionaries",
            hint='example: [{"customer": 1}], a dictionary for each row',
        )
    names = {name: None for row in rows for name in row}
    columns = {}
    try:
        for name in names:
            values = [row.get(name) for row in rows]
            if name in schema:
                check = value_check("value", name, schema[name])
                columns[name] = pl.Series(name, map(check, values), dtype=schema[name])
            else:
                columns[name] = pl.Series(name, values, strict=True)
    except ContractError as error:
        raise ContractError(f"{title}: {error.message}", hint=error.hint) from error
    except (TypeError, pl.exceptions.PolarsError) as error:
        raise ContractError(
            f"{title}: {str(error).splitlines()[0]}",
            hint="give each column values of one type, such as the dtype of the key in its schema",
        ) from error
    return frame_of_columns(list(columns.values()), len(rows))
