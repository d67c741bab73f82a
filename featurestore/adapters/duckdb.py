"""DuckDB: SQL over the datasets of a project, under their names."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from glob import escape
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.errors import ContractError, package_needed_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

with package_needed_by("SQL over datasets"):
    import duckdb


def query(
    sql: str,
    tables: Mapping[str, Path],
    check: Callable[[str], object] = lambda _: None,
    *,
    files: bool = False,
) -> pl.DataFrame:
    """Run a SQL query over datasets. It reads, and changes nothing.

    Parameters
    ----------
    sql
        One SELECT. It can name every dataset that is built.
    tables
        The Parquet file of each dataset.
    check
        Called with the name of each dataset that the statement reads. It raises if the rows may not be used.

    files
        True: the query may also read files and databases, with DuckDB's functions. Otherwise it reads the datasets
        alone, and no file, address or variable.

    Raises
    ------
    ContractError
        If the query is not one SELECT, or fails. The message contains that of DuckDB.
    """
    with _result(sql, tables, check, files=files) as result:
        return pl.DataFrame(result.to_arrow_table())


def query_batches(
    sql: str, tables: Mapping[str, Path], check: Callable[[str], object], *, rows: int, memory: int
) -> Iterator[pl.DataFrame]:
    """Run a SQL query as `query` does, and return its result a batch of rows at a time; the first batch has no rows.

    Parameters
    ----------
    rows
        Rows of a batch.
    memory
        MiB that the query may take, before it writes to disk.
    """
    with _result(sql, tables, check, memory=memory) as result:
        reader = result.to_arrow_reader(rows)
        yield pl.DataFrame(reader.schema.empty_table())
        for batch in reader:
            yield pl.DataFrame(batch)


def count_rows(sql: str, tables: Mapping[str, Path]) -> int:
    """Count the rows that a SQL query returns. Raises as `query` does."""
    [count] = query(f"SELECT count(*) FROM ({sql.rstrip().rstrip(';')}\n)", tables).row(0)  # noqa: S608 - one SELECT, which reads only
    return int(count)


@contextmanager
def _result(
    sql: str,
    tables: Mapping[str, Path],
    check: Callable[[str], object],
    *,
    files: bool = False,
    memory: int = 0,
) -> Iterator[duckdb.DuckDBPyRelation]:
    known = f"it can name {', '.join(sorted(tables))}"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET python_enable_replacements = false")
        if memory:
            connection.execute(f"SET memory_limit = '{memory}MiB'")
        _require_select(sql, connection, known)
        read = _names_in(sql, connection)
        for name in tables:
            if name.lower() in read:
                check(name)
        for name, path in tables.items():
            if path.exists():
                quoted = escape(str(path)).replace("'", "''")
                connection.execute(f"CREATE VIEW \"{name}\" AS SELECT * FROM read_parquet('{quoted}')")  # noqa: S608 - our own names
        if not files:
            # DuckDB asks both for the pattern, which is the exact path with its characters escaped, and for the file.
            paths = {text for path in tables.values() for text in (str(path), escape(str(path)))}
            connection.execute("SET allowed_paths = $paths", {"paths": list(paths)})
            connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        try:
            yield connection.sql(sql)
        except (duckdb.Error, OSError) as error:
            raise ContractError(f"the query fails: {error}", hint=known) from error


def _require_select(sql: str, connection: duckdb.DuckDBPyConnection, known: str) -> None:
    try:
        kinds = _kinds(sql, connection)
        # A PIVOT is several statements for DuckDB, as is a COPY of one; only a SELECT is valid in parentheses.
        if kinds == ["MULTI"]:
            kinds = _kinds(f"FROM ({sql.rstrip().rstrip(';')}\n)", connection)
    except duckdb.Error as error:
        raise ContractError(f"the query cannot be parsed: {error}", hint=known) from error
    if kinds not in (["SELECT"], ["MULTI"]):
        statements = " and ".join(kinds) or "no statement"
        raise ContractError(
            f"the query is {statements}; expected one SELECT over the datasets of the project", hint=known
        )


def _kinds(sql: str, connection: duckdb.DuckDBPyConnection) -> list[str]:
    return [statement.type.name for statement in connection.extract_statements(sql)]


def _names_in(sql: str, connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Return the names of the tables that a statement reads, in small letters.

    DuckDB describes what it parsed of a SELECT. Of other statements, each word may be a name.
    """
    # All rows are fetched: an unfinished result would block the next statement.
    [(described,)] = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()
    parsed = json.loads(described)
    if parsed["error"]:
        return {word.lower() for word in re.findall(r'"[^"]+"|\w+', sql)} | set(
            re.findall(r'"([^"]+)"', sql.lower())
        )
    return {name.lower() for name in _tables(parsed)}


def _tables(parsed: Any) -> Iterator[str]:
    if isinstance(parsed, dict):
        if parsed.get("type") == "BASE_TABLE":
            yield parsed["table_name"]
        parsed = list(parsed.values())
    if isinstance(parsed, list):
        for part in parsed:
            yield from _tables(part)
