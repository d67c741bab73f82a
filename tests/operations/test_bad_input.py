"""Bad input raises one clear message, and the rows in place do not change."""

from datetime import UTC, datetime

import polars as pl
import pytest

from featurestore.errors import (
    ContractError,
    DefinitionError,
    FeatureStoreError,
    MissingDataError,
    StoreError,
    UnknownNameError,
)
from featurestore.storage.fingerprint import file_fingerprint

HEADER = "order,customer,ordered_at,loaded_at,amount,coupon"
ROW = "1,1,2024-01-01T00:00:00Z,,10.5,"


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (None, MissingDataError, "raw file .*orders.csv does not exist"),
        ("", ContractError, "orders.csv is empty"),
        (f"{HEADER}\n", ContractError, "orders: refused: it has no rows"),
        (f"{HEADER}\n{ROW}\n2,1,2024-0", ContractError, r"ends in the middle of a row \(3 of 6 fields\)"),
        (
            f"{HEADER.replace('amount', 'ammount')}\n{ROW}\n",
            ContractError,
            "lacks 'amount' and has unexpected 'ammount'\n  hint: 'ammount' may be 'amount' renamed",
        ),
        (
            f"{HEADER}\none,1,2024-01-01T00:00:00Z,,10.5,\n",
            ContractError,
            r"order.dtype\(Int64\), such as 'one'",
        ),
        (f"{HEADER}\n{ROW},7,8,9\n", ContractError, "cannot be read"),
    ],
    ids=["missing", "empty", "no rows", "truncated", "renamed", "wrong type", "too many fields"],
)
def test_a_bad_raw_file_is_refused_and_nothing_is_lost(shop, content, error, message):
    """One message says what is wrong and where; the dataset in place does not change."""
    good = file_fingerprint(shop.layout.dataset("orders"))
    verdict = shop.layout.verdict("orders").read_text()
    path = shop.settings.root / "data/raw/orders.csv"
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(error, match=message):
        shop.validate("orders")
    assert file_fingerprint(shop.layout.dataset("orders")) == good
    assert shop.layout.verdict("orders").read_text() == verdict


def test_what_was_refused_can_be_looked_at(shop):
    """The broken rows and the verdict of a refused dataset are kept apart from the rows in place."""
    path = shop.settings.root / "data/raw/orders.csv"
    path.write_text(f"{HEADER}\none,1,2024-01-01T00:00:00Z,,10.5,\n")
    with pytest.raises(ContractError):
        shop.validate("orders")
    rows = pl.read_parquet(shop.layout.refused("orders") / "rows.parquet")
    assert rows["broken_rules"].to_list() == [["order.dtype(Int64)"]]


@pytest.mark.parametrize(
    ("verb", "message"),
    [
        (lambda p: p.build("last_ordr"), "no dataset named 'last_ordr'\n  hint: did you mean 'last_order'"),
        (
            lambda p: p.historical(pl.DataFrame(), "bying"),
            "no feature service named 'bying'\n  hint: did you mean 'buying'",
        ),
        (lambda p: p.training_set("visit"), "did you mean 'visits'"),
        (lambda p: p.materialize(["orders"]), "no feature view named 'orders'"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(shop, verb, message):
    """The error of an unknown name suggests the nearest name."""
    with pytest.raises(UnknownNameError, match=message):
        verb(shop)


@pytest.mark.parametrize(
    ("verb", "message"),
    [
        (lambda p: p.training_set(["visits"]), r"name is \['visits'\] .list.; expected text"),
        (lambda p: p.validate(5), "name is 5 .int.; expected text"),
        (lambda p: p.get_online("buying", [{"customer": 1}]), "features: a list is neither"),
        (lambda p: p.reader(None), "features: a NoneType is neither"),
    ],
)
def test_a_name_that_is_no_text_is_refused(shop, verb, message):
    """A list in place of a name, or rows in place of features, is refused before anything is read."""
    with pytest.raises(DefinitionError, match=message):
        verb(shop)


TIMESTAMP = datetime(2024, 1, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"event_timestamp": [TIMESTAMP], "basket": [1.0]}, "lack 'customer'"),
        ({"customer": [1], "basket": [1.0]}, "lack 'event_timestamp'"),
        (
            {"customer": [1], "basket": [1.0], "event_timestamp": [TIMESTAMP.replace(tzinfo=None)]},
            "'event_timestamp' has no time zone",
        ),
        (
            {"customer": [1], "basket": [1.0], "event_timestamp": [None]},
            "'event_timestamp' is missing in 1 row",
        ),
        (
            {"customer": ["1"], "basket": [1.0], "event_timestamp": [TIMESTAMP]},
            "'customer' is String, expected Int64",
        ),
        (
            {"customer": [1.5], "basket": [1.0], "event_timestamp": [TIMESTAMP]},
            "'customer' is Float64, expected Int64",
        ),
        (
            {"customer": [1], "basket": [1.0], "event_timestamp": [TIMESTAMP], "amount": [1.0]},
            "column 'amount' has the name of a feature",
        ),
    ],
)
def test_entity_rows_that_cannot_be_used_are_refused(shop, rows, message):
    """The error of bad entity rows names the column."""
    with pytest.raises(ContractError, match=message):
        shop.historical(pl.DataFrame(rows), "buying")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"customer": "1", "basket": 1.0}, "'customer' is '1', expected Int64"),
        ({"customer": 2**70, "basket": 1.0}, "customer"),
        ({"customer": 1}, "lack 'basket'"),
        ({"customer": [1], "basket": 1.0}, "value 'customer' is \\[1\\], expected Int64"),
    ],
)
def test_a_lookup_with_a_wrong_key_is_refused(shop, row, message):
    """A key of another type is an error; it is never `NOT_FOUND`."""
    shop.materialize()
    with pytest.raises(FeatureStoreError, match=message):
        shop.get_online([row], "buying")


def test_two_values_for_one_version_are_a_broken_contract(shop):
    """A build refuses rows that are equal in key and version, and differ in values."""
    path = shop.settings.root / "data/raw/orders.csv"
    path.write_text(
        path.read_text().replace("7,0,2024-01-08", "7,3,2024-01-08").replace("Z,,7,\n", "Z,,9,\n", 1)
    )
    shop.validate("orders")
    good = file_fingerprint(shop.layout.features("last_order"))
    with pytest.raises(ContractError, match=r"unique\(customer, event_timestamp, created_timestamp\)"):
        shop.build("last_order")
    assert file_fingerprint(shop.layout.features("last_order")) == good


def test_a_damaged_file_names_the_command_that_makes_it(shop):
    """A truncated Parquet file is a failed store for every command that reads it."""
    path = shop.layout.dataset("orders")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(
        StoreError,
        match=r"orders.parquet: cannot be read as Parquet(.|\n)*run: featurestore validate orders",
    ):
        shop.build("last_order")
    features = shop.layout.features("last_order")
    features.write_bytes(features.read_bytes()[:100])
    for read in (shop.materialize, lambda: shop.historical(features=["last_order"])):
        with pytest.raises(StoreError, match=r"part-0.parquet: cannot be read as Parquet"):
            read()


def test_a_damaged_online_store_says_what_to_do(shop):
    """The error of a damaged online store names the folder and the command to run."""
    shop.settings.online.mkdir(parents=True)
    (shop.settings.online / "data.mdb").write_bytes(b"nothing")
    with pytest.raises(
        StoreError, match=r"the online store is damaged(.|\n)*run: featurestore materialize --full"
    ):
        shop.get_online([{"customer": 1, "basket": 1.0}], "buying")
