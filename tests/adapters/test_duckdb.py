"""DuckDB's ASOF JOIN as a second opinion, where the semantics coincide: no expiry, no created timestamps."""

from dataclasses import replace

import duckdb
import polars as pl
from hypothesis import assume, given
from laws import examples

from featurestore.testing.strategies import FEATURES, histories
from featurestore.timing.columns import KNOWN_AT
from featurestore.timing.join import point_in_time_join
from featurestore.timing.known_at import known_at

QUERY = """
SELECT r.x, r.s FROM entities a ASOF LEFT JOIN rows r ON same_key AND a.event_timestamp >= r.known_at ORDER BY a.i
"""


@given(histories(dtypes=[pl.Int64(), pl.String()]))
@examples(60)
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
