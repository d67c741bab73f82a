"""The vectors of a reader equal those of `get_online`, and those of the fold."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from laws import examples

from featurestore.adapters.lmdb import LmdbStore
from featurestore.definitions.feature_service import feature_service
from featurestore.definitions.fingerprint import fingerprint
from featurestore.errors import ConfigError, ContractError, MissingDataError, SkewError
from featurestore.ports import ViewState
from featurestore.testing import oracle
from featurestore.testing.strategies import FEATURES, histories
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.epoch import microseconds
from featurestore.timing.fold import known_rows, newest_rows
from featurestore.timing.join import Status, status_column
from featurestore.values.codec import ROW_FORMAT, encode_rows
from featurestore.vectors.reader import VectorReader

NOW = datetime(2024, 1, 10, tzinfo=UTC)
ROWS = [{"customer": customer, "basket": 10.0} for customer in (3, 1, 2, 9)]


@given(histories())
@examples(60)
def test_a_vector_is_what_the_fold_holds(history):
    """A reader and the fold agree in values and statuses, at any timestamp and for any key."""
    service = feature_service("service", (history.view,), owner="test")
    with tempfile.TemporaryDirectory() as folder:
        store = LmdbStore(Path(folder) / "store", create=True)
        for entity_row in history.entity_rows:
            timestamp = entity_row[EVENT_TIMESTAMP]
            fresh = known_rows(history.row_frame.lazy(), history.timing, until=timestamp)
            newest = newest_rows(fresh, history.keys, history.timing).collect()
            state = ViewState(
                definition=fingerprint(history.view).digest,
                source="s",
                watermark=microseconds(timestamp),
                row_format=ROW_FORMAT,
            )
            store.write(
                "history",
                encode_rows(newest, history.keys, history.view.feature_schema),
                state,
                replace=True,
            )
            vectors = VectorReader(service, store).read([entity_row], as_of=timestamp)
            expected = oracle.historical([entity_row], history.rows, history.keys, FEATURES, history.timing)
            read = [list(zip(vectors.values[0], map(Status, vectors.statuses[0]), strict=True))]
            assert oracle.bits(read) == oracle.bits(expected)


def test_the_same_as_the_frame(shop):
    """A reader returns the features of `get_online`, on-demand features included, in the service's order."""
    shop.materialize()
    vectors = shop.reader("buying").read(ROWS, as_of=NOW)
    frame = shop.get_online(ROWS, "buying", statuses=True)
    assert vectors.features == ("amount", "coupon", "ordered_at", "ratio")
    assert vectors.values == [list(row) for row in frame.select(vectors.features).rows()]
    assert vectors.statuses == [
        list(row) for row in frame.select(map(status_column, vectors.features)).rows()
    ]
    some = shop.reader(["last_order:coupon", "last_order:amount"]).read(ROWS, as_of=NOW)
    assert some.values == [list(row) for row in frame.select("coupon", "amount").rows()]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({}, "a row lacks the key 'customer'"),
        ({"customer": "1"}, "key 'customer' is '1', expected Int64"),
        ({"customer": True}, "key 'customer' is True, expected Int64"),
        ({"customer": 2**63}, "key 'customer' is 9223372036854775808, expected Int64"),
        ({"customer": 1.0}, "key 'customer' is 1.0, expected Int64"),
    ],
)
def test_a_wrong_key_is_an_error_never_a_miss(shop, row, message):
    """A reader refuses keys of another type; it converts nothing."""
    shop.materialize()
    with pytest.raises(ContractError, match=message):
        shop.reader(["last_order"]).read([row], as_of=NOW)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ROWS[0], "the rows are of type dict; expected a list of dictionaries"),
        (pl.DataFrame(ROWS), "the rows are of type DataFrame; expected a list of dictionaries"),
        ([*ROWS, (3, 10.0)], "row 5 is of type tuple; expected a list of dictionaries"),
        (None, "the rows are of type NoneType; expected a list of dictionaries"),
    ],
)
def test_rows_are_dictionaries(shop, rows, message):
    """A frame or a single row is named as such: the reader takes the plain form only."""
    shop.materialize()
    with pytest.raises(ContractError, match=message):
        shop.reader("buying").read(rows, as_of=NOW)


@pytest.mark.parametrize(
    "as_of", [NOW.replace(tzinfo=None), "2024-01-10T00:00:00Z", NOW.date(), 5, None], ids=repr
)
def test_a_time_that_names_no_timestamp_is_refused(shop, as_of):
    """A reader takes a datetime with a time zone; the message says so."""
    shop.materialize()
    with pytest.raises(ConfigError, match="expected a datetime with a time zone"):
        shop.reader(["last_order"]).read(ROWS, as_of=as_of)


def test_a_store_that_cannot_answer_is_refused(shop):
    """A reader refuses a store that is not materialized, or whose watermark is after the timestamp."""
    shop.store(create=True)
    with pytest.raises(MissingDataError, match="run: featurestore materialize"):
        shop.reader(["last_order"]).read(ROWS, as_of=NOW)
    shop.materialize()
    with pytest.raises(SkewError, match="holds rows that were not known then"):
        shop.reader(["last_order"]).read(ROWS, as_of=datetime(2024, 1, 9, tzinfo=UTC))
