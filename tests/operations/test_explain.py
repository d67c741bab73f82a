"""An explanation names the row that answers, and for every other row the reason why it does not."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from laws import examples

from featurestore.definitions.feature_service import feature_service
from featurestore.errors import ContractError
from featurestore.ports import ViewRows
from featurestore.testing import oracle
from featurestore.testing.strategies import FEATURES, histories
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.plain import in_utc_zone
from featurestore.vectors.explain import explain


def test_each_row_is_told_what_it_was(shop):
    """On January 5th, order 1 is older, order 3 answers, and order 2, an earlier event, is not known yet."""
    entity_rows = pl.DataFrame({"customer": [1], "event_timestamp": [datetime(2024, 1, 5, 1, tzinfo=UTC)]})
    rows = shop.explain(entity_rows, ["last_order:amount"])["last_order"]
    assert rows.select("verdict", "amount").rows() == [
        ("older", 10.5),
        ("not yet known", pytest.approx(20.1)),
        ("answer", None),
    ]
    later = entity_rows.with_columns(event_timestamp=datetime(2024, 2, 1, tzinfo=UTC))
    assert shop.explain(later, ["last_order:amount"])["last_order"]["verdict"].to_list() == [
        "older",
        "older",
        "expired",
    ]
    before = entity_rows.with_columns(event_timestamp=datetime(2023, 1, 1, tzinfo=UTC))
    assert shop.explain(before, ["last_order:amount"])["last_order"]["verdict"].unique().to_list() == [
        "later"
    ]
    with pytest.raises(ContractError, match="takes one entity row, not 2"):
        shop.explain(pl.concat([entity_rows, later]), ["last_order:amount"])


@given(histories())
@examples(20)
def test_the_answer_is_that_of_the_fold(history):
    """For any history and timestamp, exactly the row that the fold holds is the answer."""
    service = feature_service("service", (history.view,), owner="test")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.parquet"
        history.row_frame.write_parquet(file)
        views = [ViewRows(history.view[FEATURES], (file,))]
        for entity_rows in history.entity_frame.iter_slices(1):
            row = entity_rows.row(0, named=True)
            held = oracle.store_at(row[EVENT_TIMESTAMP], history.rows, history.keys, history.timing)
            expected = held.get(tuple(row[key] for key in history.keys))
            rows = explain(entity_rows, service, views)["history"]
            answers = in_utc_zone(rows.filter(pl.col("verdict").is_in(["answer", "expired"])))
            columns = (EVENT_TIMESTAMP, *FEATURES)
            expected_rows = [tuple(expected[c] for c in columns)] if expected else []
            assert oracle.bits([tuple(row[c] for c in columns) for row in answers.to_dicts()]) == oracle.bits(
                expected_rows
            )
