"""Feast's wire format: the answers of Feast's own server, and Feast's own client."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
import requests
import yaml
from servers import free_port
from serving import in_thread, running

pytestmark = [
    # Feast 0.67 and what it imports warn about themselves.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
NOW = datetime(2024, 1, 10, tzinfo=UTC)  # the shop's clock
CUSTOMERS = {"customer": [1, 2, 3, 9]}
BASKETS = {**CUSTOMERS, "basket": [10.0, 0.5, 16.0, 1.0]}
FIELDS = ["last_order:ordered_at", "last_order:coupon", "last_order:amount"]


@contextmanager
def feast_server(repository):
    """Run Feast's own feature server over our online store, and return its URL."""
    from feast import FeatureStore  # noqa: PLC0415 - after the filters above, and only where it is used
    from feast.feature_server import get_app  # noqa: PLC0415

    port = free_port()
    app = get_app(FeatureStore(repo_path=str(repository)))
    with in_thread(app, port, log_level="critical", ws="none") as url:
        yield url


def columns_of(answer):
    """Return the columns of an answer by name, because Feast returns the features of a view in any order.

    Feast calls a computed null PRESENT, where our answer is NULL_VALUE.
    """
    assert set(answer) == {"results", "metadata"}
    columns = dict(zip(answer["metadata"]["feature_names"], answer["results"], strict=True))
    if "ratio" in columns:
        assert columns["ratio"].pop("statuses")
    return columns


@pytest.fixture
def applied(shop):
    shop.apply()
    shop.materialize()
    return shop


def test_the_answers_are_those_of_feasts_server(applied):
    """Values, statuses, event timestamps and names are the same JSON."""
    requested = [
        {"features": FIELDS, "entities": CUSTOMERS},
        {"features": ["last_order:amount"], "entities": CUSTOMERS, "full_feature_names": True},
        {"feature_service": "buying", "entities": BASKETS},
        {"features": ["compared:ratio", "last_order:amount"], "entities": BASKETS},
        {"features": FIELDS, "entities": {"customer": [3]}, "allow": "unknown fields"},
    ]
    with feast_server(applied.settings.feast_repo) as theirs, running(applied.settings.root) as ours:
        for body in requested:
            expected = requests.post(f"{theirs}/get-online-features", json=body, timeout=60)
            answer = ours.post("/get-online-features", body)
            assert (answer.status_code, expected.status_code) == (200, 200)
            assert columns_of(answer.json()) == columns_of(expected.json())


def test_feasts_remote_online_store_as_the_client(applied, tmp_path):
    """An application with Feast's SDK changes the URL of its online store and gets our values."""
    from feast import FeatureStore  # noqa: PLC0415

    settings = yaml.safe_load((applied.settings.feast_repo / "feature_store.yaml").read_text())
    settings["registry"]["path"] = str((applied.settings.feast_repo / settings["registry"]["path"]).resolve())
    with running(applied.settings.root) as server:
        settings["online_store"] = {"type": "remote", "path": server.url}
        (tmp_path / "client").mkdir()
        (tmp_path / "client/feature_store.yaml").write_text(yaml.safe_dump(settings))
        store = FeatureStore(repo_path=str(tmp_path / "client"))
        rows = [dict(zip(BASKETS, values, strict=True)) for values in zip(*BASKETS.values(), strict=True)]
        features = store.get_online_features(features=store.get_feature_service("buying"), entity_rows=rows)
        ours = applied.get_online(rows, "buying")
        for name in ("amount", "coupon", "ratio"):
            assert features.to_dict()[name] == ours[name].to_list()

        # Training learns what the client writes.
        frame = pl.DataFrame(
            {"customer": [9], "amount": [3.5], "coupon": ["NEW"]}, schema_overrides={"amount": pl.Float32}
        ).with_columns(
            pl.lit(NOW - timedelta(hours=1)).alias("event_timestamp"),
            pl.lit(NOW).alias("created_timestamp"),
            ordered_at=pl.lit(NOW),
        )
        store.write_to_online_store("last_order", df=frame.to_pandas())
        assert applied.get_online([{"customer": 9}], ["last_order:coupon"])["coupon"].to_list() == ["NEW"]
        entities = pl.DataFrame({"customer": [9], "event_timestamp": [NOW]})
        assert applied.historical(entities, ["last_order:coupon"])["coupon"].to_list() == ["NEW"]


def test_errors_reach_feasts_client_as_feasts_own(applied, tmp_path):
    """Feast's client turns the body of an error into Feast's exception."""
    from feast.errors import FeastError, FeatureServiceNotFoundException  # noqa: PLC0415

    with running(applied.settings.root) as server:
        answer = server.post("/get-online-features", {"feature_service": "none", "entities": CUSTOMERS})
        assert answer.status_code == 404
        assert isinstance(FeastError.from_error_detail(answer.json()), FeatureServiceNotFoundException)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"features": FIELDS, "entities": {}}, "lack 'customer'"),
        ({"features": FIELDS, "entities": {"customer": [1], "origin": ["JFK"]}}, "1 column not needed"),
        ({"features": ["compared:ratio"], "entities": {"customer": [1], "basket": [1, 2]}}, "lengths"),
        ({"features": FIELDS, "entities": {"customer": ["1"]}}, "expected Int64"),
        ({"features": FIELDS, "entities": {"customer": [1, 2**63]}}, "'customer', expected Int64"),
        ({"features": FIELDS, "entities": {"customer": [1, 2**63]}}, "at `$[1]`"),
        ({"features": FIELDS, "entities": {"customer": 1}}, "'customer': Expected `array`"),
        (
            {"features": ["compared:ratio"], "entities": {"customer": [1, 1], "basket": [1, 2**53 + 1]}},
            "row 1: ",
        ),
        ({"features": [], "entities": {"customer": [1]}}, "the request names no features"),
        ({"features": FIELDS}, "missing required field `entities`"),
    ],
)
def test_a_wrong_request_gets_422(client, body, message):
    """The answer says what is wrong."""
    answer = client.post("/get-online-features", body)
    assert answer.status_code == 422
    assert message in answer.text


def test_a_request_without_rows_gets_all_names(client):
    """The columns are empty."""
    answer = client.post("/get-online-features", {"features": FIELDS, "entities": {"customer": []}}).json()
    assert answer["metadata"]["feature_names"] == ["customer", "ordered_at", "coupon", "amount"]
    assert all(column["values"] == column["statuses"] == [] for column in answer["results"])


def test_a_pushed_row_is_served_at_once(client, shop):
    """Training knows the row from then on."""
    now = shop.settings.now()
    columns = {
        "customer": [7],
        "event_timestamp": ["2024-01-09T23:00:00"],
        "amount": [4.5],
        "coupon": [None],
        "ordered_at": [1704841200],
    }
    pushed = client.post("/push", {"push_source_name": "last_order", "df": columns, "to": "online"})
    assert (pushed.status_code, pushed.text) == (200, "")
    assert client.vectors({"customer": 7, "basket": 9.0}).json()["values"] == [
        [4.5, None, "2024-01-09T23:00:00Z", 2.0]
    ]
    rows = pl.DataFrame({"customer": [7], "event_timestamp": [now]})
    assert shop.historical(rows, ["last_order:amount"])["amount"].to_list() == [4.5]


def test_a_wrong_push_changes_nothing(client, shop):
    """Rows may break the contract, be for training only, name an unknown view, or have unknown columns."""
    row = {"customer": [7], "event_timestamp": ["2024-01-09"], "amount": [1.0], "coupon": [None]}
    complete = {**row, "event_timestamp": ["2024-01-09T00:00:00Z"], "ordered_at": [1704841200]}
    answers = [
        client.post("/push", {"push_source_name": view, "df": df, "to": to})
        for view, df, to in (
            ("last_order", row, "online"),
            ("last_order", {**complete, "customer": [None]}, "online"),
            ("last_order", {**complete, "colour": ["red"]}, "online"),
            ("last_order", {**complete, "amount": []}, "online"),
            ("last_order", complete, "offline"),
            ("first_order", complete, "online"),
        )
    ]
    assert [answer.status_code for answer in answers] == [422, 422, 422, 422, 422, 404]
    assert client.vectors({"customer": 7, "basket": 9.0}).json()["statuses"] == [[3, 3, 3, 2]]
    assert list(shop.layout.pushed("last_order").glob("*")) == []


def test_a_row_alone_has_the_columns_that_it_has_beside_others(client):
    """Several features of one view, then one of another: where all are present, and where one is missing."""
    features = ["last_order:amount", "last_order:ordered_at", "compared:ratio"]

    def columns(**entities):
        answer = client.post("/get-online-features", {"features": features, "entities": entities}).json()
        assert answer["metadata"]["feature_names"] == ["customer", *names]
        return [{name: values[:1] for name, values in column.items()} for column in answer["results"]]

    names = [name.partition(":")[2] for name in features]
    alone = columns(customer=[3], basket=[16.0])
    assert [column["statuses"] for column in alone] == [["PRESENT"]] * 4
    assert columns(customer=[3, 99], basket=[16.0, 1.0]) == alone
