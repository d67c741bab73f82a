"""Entity rows from the forms that users have: a frame of any library, a Parquet file, or SQL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.errors import ContractError
from featurestore.values.accepted import value_check
from featurestore.values.key_columns import frame_of_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def frame_of(
    source: Any, tables: Mapping[str, Path], check: Callable[[str], object] = lambda _: None
) -> pl.DataFrame:
    """Read entity rows.

    Parameters
    ----------
    source
        A Polars frame, an object that exports an Arrow stream (of pandas, pyarrow or DuckDB), the
        path of a Parquet file, or a SQL statement for DuckDB.
    tables
        The datasets that SQL can name, and their Parquet files.
    check
        Called with the name of each dataset that SQL reads. It raises if the rows may not be used.

    Raises
    ------
    ContractError
        If `source` has another type, or cannot be read.
    MissingPackageError
        If `source` is SQL, and DuckDB is not installed.
    """
    if isinstance(source, pl.DataFrame | pl.LazyFrame):
        return source.lazy().collect()
    if hasattr(source, "__arrow_c_stream__"):
        # pandas exports an index that was not reset as a column.
        return _without_pandas_floats(pl.DataFrame(source).select(pl.exclude("^__index_level_.*$")))
    if isinstance(source, str) and not source.endswith(".parquet"):
        from featurestore.adapters.duckdb import query  # noqa: PLC0415 - only SQL needs DuckDB

        return query(source, tables, check)
    if isinstance(source, str | Path):
        try:
            return pl.read_parquet(source)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise ContractError(f"entity rows {source}: cannot be read as Parquet: {error}") from error
    raise ContractError(
        f"entity rows cannot be a {type(source).__name__}",
        hint="pass a frame, the path of a Parquet file, or SQL over the project's datasets",
    )


def _without_pandas_floats(frame: pl.DataFrame) -> pl.DataFrame:
    """Cast floats to integers where pandas, which has no missing integers, made floats of them."""
    integers = [
        name
        for name, dtype in frame.schema.items()
        if isinstance(dtype, pl.Float64)
        and frame[name].null_count()
        and frame[name].cast(pl.Int64, strict=False).cast(pl.Float64).eq_missing(frame[name]).all()
    ]
    return frame.with_columns(pl.col(name).cast(pl.Int64) for name in integers)


def rows_given(
    rows: pl.DataFrame | pl.LazyFrame | Sequence[Mapping[str, Any]],
    schema: Mapping[str, pl.DataType],
    service: str,
) -> pl.DataFrame:
    """Convert the rows of a request to a frame.

    Parameters
    ----------
    schema
        The dtypes of keys and request values. Polars infers the dtypes of other columns.

    Raises
    ------
    ContractError
        If a value does not fit its dtype exactly, or another column has values of several types.
    """
    if isinstance(rows, pl.DataFrame | pl.LazyFrame):
        return rows.lazy().collect()
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
        raise ContractError(f"rows for service {service!r}: {error.message}", hint=error.hint) from error
    except (TypeError, pl.exceptions.PolarsError) as error:
        raise ContractError(f"rows for service {service!r}: {str(error).splitlines()[0]}") from error
    return frame_of_columns(list(columns.values()), len(rows))
