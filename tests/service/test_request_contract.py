"""A request that breaks its contract is refused with one message: in serving, in training and in Feast's API."""

import json
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import pandera.polars as pa
import polars as pl
import pytest
from serving import ROW, running

import featurestore
from featurestore.definitions.contract import contract_of
from featurestore.errors import ContractError
from featurestore.service.lookup.request_types import published_type

NOW = datetime(2024, 1, 10, tzinfo=UTC)
ALLOWED = "allowed are basket: Float64, not_null, finite, not_equal_to(13), greater_than_or_equal_to(0), less_than(10000)"
# A basket, and the rule of the shop's schema that it breaks.
WRONG = [
    (-1.0, "basket.greater_than_or_equal_to(0)"),
    (10_000.0, "basket.less_than(10000)"),
    (13.0, "basket.not_equal_to(13)"),
    (None, "basket.not_null"),
]


def message(basket, rule, row=1):
    return f"the request breaks schema Basket:\n  row {row}: {rule}, given {basket}"


@pytest.mark.parametrize(("basket", "rule"), WRONG)
def test_the_message_is_the_same_everywhere(shop, basket, rule):
    """Frames, Python values, HTTP, Feast's wire and training refuse a value with one message."""
    shop.materialize()
    rows = [ROW, ROW | {"basket": basket}]
    dated = pl.DataFrame(rows).with_columns(event_timestamp=pl.lit(NOW))
    for ask in (
        lambda: shop.get_online(rows, "buying"),
        lambda: shop.reader("buying").read(rows, as_of=NOW),
        lambda: shop.historical(dated, "buying"),
        lambda: shop.historical(dated, ["compared:ratio"]),
    ):
        with pytest.raises(ContractError) as caught:
            ask()
        assert (caught.value.message, caught.value.hint) == (message(basket, rule), ALLOWED)
    with running(shop.settings.root) as client:
        answer = client.vectors(*rows)
        assert answer.status_code == 422
        problem = answer.json()["error"]
        assert (problem["kind"], problem["message"]) == ("ContractError", message(basket, rule))
        assert problem["hint"] == ALLOWED
        columns = {name: [row[name] for row in rows] for name in ROW}
        for named in ({"feature_service": "buying"}, {"features": ["compared:ratio"]}):
            answer = client.post("/get-online-features", {**named, "entities": columns})
            assert answer.status_code == 422
            assert message(basket, rule) in json.loads(answer.json())["message"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_the_message_is_the_same_in_feasts_api(shop):
    """This holds online and offline."""
    from feast import FeatureStore  # noqa: PLC0415 - after the filters above

    shop.apply()
    shop.materialize()
    store = FeatureStore(repo_path=str(shop.settings.feast_repo))
    service = store.get_feature_service("buying")
    rows = [ROW, ROW | {"basket": -1.0}]
    dated = pl.DataFrame(rows).with_columns(event_timestamp=pl.lit(NOW)).to_pandas()
    for ask in (
        lambda: store.get_online_features(features=service, entity_rows=rows),
        lambda: store.get_historical_features(entity_df=dated, features=service).to_arrow(),
    ):
        with pytest.raises(ContractError) as caught:
            ask()
        assert caught.value.message == message(-1.0, "basket.greater_than_or_equal_to(0)")


def test_a_training_set_with_values_that_serving_refuses_is_an_error(shop_files):
    """This holds even if the schema of the training set accepts the value."""
    schemas, orders = shop_files / "schemas/shop.py", shop_files / "data/raw/orders.csv"
    loose = 'class Visits(pa.DataFrameModel):\n    basket: pl.Float64 = pa.Field(description="worth")\n    #'
    schemas.write_text(schemas.read_text().replace("class Visits(Basket):", loose))
    orders.write_text(orders.read_text().replace("20.1", "13"))
    shop = featurestore.open(shop_files)
    shop.validate("orders")
    shop.build("last_order")
    with pytest.raises(ContractError, match=r"Basket:\n  row 1: basket.not_equal_to\(13\), given 13.0"):
        shop.training_set("visits")
    assert not shop.layout.training("visits").exists()


def test_nan_is_null_where_the_schema_says_so(shop_files):
    """The function of the on-demand view gets null, in serving and in training."""
    schemas, views = shop_files / "schemas/shop.py", shop_files / "feature_repo/shop.py"
    text = schemas.read_text().replace("pa.Field(ge=0, lt", "pa.Field(nullable=True, ge=0, lt")
    meaning = 'description="worth of the basket", metadata={"unit": "EUR"'
    schemas.write_text(text.replace(meaning, f'{meaning}, "nan": "null"'))
    views.write_text(views.read_text().replace('pl.col("basket") /', 'pl.col("basket").fill_null(16.0) /'))
    shop = featurestore.open(shop_files)
    shop.validate("orders")
    shop.build("last_order")
    shop.materialize()
    row = ROW | {"basket": float("nan")}
    assert shop.reader("buying").read([row], as_of=NOW).values[0][-1] == 2.0
    assert shop.get_online([row], "buying")["ratio"].to_list() == [2.0]
    dated = pl.DataFrame([row]).with_columns(event_timestamp=pl.lit(NOW))
    assert shop.historical(dated, "buying")["ratio"].to_list() == [2.0]


def test_refused_values_are_not_in_the_log(shop, capfdbinary):
    """A log line has the kind of the error, and no value of keys or requests."""
    shop.materialize()
    with running(shop.settings.root, log_requests=True) as client:
        client.vectors({"customer": 424242, "basket": -777.0})
    lines = [line for line in capfdbinary.readouterr().err.splitlines() if line.startswith(b"{")]
    [entry] = [line for line in map(json.loads, lines) if line["event"] == "request"]
    assert (entry["status"], entry["error"]) == (422, "ContractError")
    assert not any(b"424242" in line or b"777" in line for line in lines)


def test_values_at_the_bounds_are_accepted(shop):
    """A request without rows is accepted, too."""
    shop.materialize()
    rows = [ROW | {"basket": basket} for basket in (0.0, 9_999.999)]
    assert shop.reader("buying").read(rows, as_of=NOW).statuses == [[1, 2, 1, 1]] * 2
    assert shop.get_online(rows, "buying").height == 2
    assert shop.reader("buying").read([], as_of=NOW).values == []


class Asked(pa.DataFrameModel):
    """All checks that JSON Schema expresses, and some that it does not."""

    worth: pl.Float64 = pa.Field(ge=0, lt=360, ne=3)
    code: pl.String = pa.Field(nullable=True, str_matches="[A-Z]{2}$", str_length={"min_value": 1})
    kind: pl.Int32 = pa.Field(isin=[2, 1])
    small: pl.Int8 = pa.Field(nullable=True, ignore_na=False, in_range={"min_value": 0, "max_value": 5})
    short: pl.Float32 = pa.Field(nullable=True, gt=0.1)
    digits: pl.String = pa.Field(str_matches=r"\d+")
    at: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(ge=NOW)


def test_a_contract_as_json_schema():
    """Ranges, members, lengths, patterns and nulls are published where JSON Schema means the same."""
    published = {c.name: msgspec.json.schema(published_type(c)) for c in contract_of(Asked).columns}
    assert published == {
        "worth": {"type": "number", "minimum": 0, "exclusiveMaximum": 360, "not": {"enum": [3]}},
        "code": {"anyOf": [{"type": "string", "minLength": 1, "pattern": "^[A-Z]{2}$"}, {"type": "null"}]},
        "kind": {"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1, "enum": [1, 2]},
        "small": {"type": "integer", "minimum": 0, "maximum": 5},
        "short": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "digits": {"type": "string"},
        "at": {"type": "string", "format": "date-time"},
    }
