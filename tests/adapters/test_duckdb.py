"""DuckDB's ASOF JOIN as a second opinion, where the semantics coincide: no expiry, no created timestamps."""

from dataclasses import replace

import duckdb
import polars as pl
import pytest
from hypothesis import assume, given
from laws import examples

from featurestore.adapters.duckdb import query
from featurestore.errors import ContractError
from featurestore.testing.strategies import FEATURES, histories
from featurestore.timing.columns import KNOWN_AT
from featurestore.timing.join import point_in_time_join
from featurestore.timing.known_at import known_at

QUERY = """
SELECT r.x, r.s FROM entities a ASOF LEFT JOIN rows r ON same_key AND a.event_timestamp >= r.known_at ORDER BY a.i
"""


@given(histories(dtypes=[pl.Int64(), pl.String()]))
@examples(12)
def test_duckdb_agrees(history):
    """With rows known in the order of their events, a plain as-of join on known_at is the answer."""
    timing = replace(history.timing, ttl=None)
    assume(timing.in_order and timing.every is None)
    rows = history.row_frame.with_columns(known_at(timing).alias(KNOWN_AT)).to_arrow()
    entities = history.entity_frame.with_row_index("i").to_arrow()
    same_key = " AND ".join(f"a.{key} = r.{key}" for key in history.keys) or "true"
    assert len(rows) >= 0
    assert len(entities) >= 0
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("rows", rows)
        connection.register("entities", entities)
        expected = connection.execute(QUERY.replace("same_key", same_key)).fetchall()
    joined = point_in_time_join(
        history.entity_frame.lazy(),
        history.row_frame.lazy(),
        keys=history.keys,
        features=FEATURES,
        timing=timing,
    ).collect()
    assert joined.select(pl.col(FEATURES)).rows() == expected


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """One dataset that is built and one that is not; their folder's name has a quote."""
    folder = tmp_path_factory.mktemp("it's")
    pl.DataFrame({"k": [1, 2]}).write_parquet(folder / "built.parquet")
    (folder / "other.csv").write_text("secret\n1\n")
    return {"built": folder / "built.parquet", "absent": folder / "absent.parquet"}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT k FROM built ORDER BY k",
        "WITH a AS (SELECT k FROM built) SELECT k FROM a UNION ALL SELECT 1 WHERE false ORDER BY k;",
        "FROM built ORDER BY k",
        "VALUES (1), (2)",
        "FROM (PIVOT built ON k USING count(*) GROUP BY k) SELECT k ORDER BY k -- all",
    ],
)
def test_one_select_over_the_datasets_runs(tables, sql):
    """In each form that SQL has for it."""
    assert query(sql, tables).to_series().to_list() == [1, 2]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("COPY (SELECT 1) TO '{folder}/new.csv'", "the query is COPY; expected one SELECT"),
        ("ATTACH '{folder}/new.db'", "the query is ATTACH"),
        ("INSTALL httpfs", "expected one SELECT"),
        ("SET enable_external_access = true", "the query is SET"),
        ("CREATE TABLE new AS SELECT 1", "the query is CREATE"),
        ("EXPORT DATABASE '{folder}/new'", "the query is EXPORT"),
        ("SELECT 1; COPY (SELECT 1) TO '{folder}/new.csv'", "the query is SELECT and COPY"),
        ("COPY (PIVOT built ON k USING count(*)) TO '{folder}/new.csv'", "cannot be parsed"),
        ("CREATE TABLE new AS PIVOT built ON k USING count(*)", "cannot be parsed"),
        ("SELECT 1; SELECT 2", "the query is SELECT and SELECT"),
        (" ", "the query is no statement"),
        ("SELEC 1", "cannot be parsed"),
        ("SELECT * FROM read_csv('{folder}/other.csv')", "the query fails: Permission Error"),
        ("SELECT * FROM '{folder}/other.csv'", "the query fails"),
        ("SELECT content FROM read_text('/etc/hostname')", "the query fails: Permission Error"),
        ("SELECT * FROM glob('/etc/*')", "the query fails: Permission Error"),
        ("SELECT * FROM 'https://localhost:1/x.parquet'", "the query fails"),
        ("SELECT * FROM absent", "the query fails"),
        ("SELECT * FROM variable_of_the_caller", "the query fails"),
    ],
)
def test_whatever_else_is_refused_and_leaves_nothing(tables, sql, message):
    """No file is written, no other file, address or variable is read, and no setting is changed."""
    variable_of_the_caller = pl.DataFrame({"k": [1]})
    folder = tables["built"].parent
    before = sorted(folder.iterdir())
    with pytest.raises(ContractError, match=message):
        query(sql.replace("{folder}", str(folder).replace("'", "''")), tables)
    assert sorted(folder.iterdir()) == before
    assert variable_of_the_caller.height == 1


def test_a_query_that_adds_a_source_may_read_files_and_no_more(tables):
    """`featurestore add` reads the file that its user names; it too only selects."""
    path = str(tables["built"].with_name("other.csv")).replace("'", "''")
    assert query(f"FROM read_csv('{path}')", tables, files=True).rows() == [(1,)]
    with pytest.raises(ContractError, match="the query is COPY"):
        query(f"COPY (SELECT 1) TO '{path}'", tables, files=True)
