"""DuckDB: SQL over the datasets of a project, under their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import polars as pl

from featurestore.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def query(sql: str, tables: Mapping[str, Path]) -> pl.DataFrame:
    """Run a SQL query over datasets.

    Parameters
    ----------
    sql
        One statement. It can name every dataset that is built.
    tables
        The Parquet file of each dataset.

    Raises
    ------
    ContractError
        If the statement fails. The message contains that of DuckDB.
    """
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, path in tables.items():
            if path.exists():
                quoted = str(path).replace("'", "''")
                connection.execute(f"CREATE VIEW \"{name}\" AS SELECT * FROM read_parquet('{quoted}')")  # noqa: S608 - our own names
        try:
            relation = connection.sql(sql)
            if relation is None:
                raise ContractError("the query returns no rows", hint="write a SELECT")
            table = relation.to_arrow_table()
        except duckdb.Error as error:
            raise ContractError(
                f"the query fails: {error}", hint=f"it can name {', '.join(sorted(tables))}"
            ) from error
    return pl.DataFrame(table)
