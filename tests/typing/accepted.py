"""A user's project that must type-check in mypy's strict mode. `test_typing.py` checks it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, assert_type

import pandera.polars as pa
import polars as pl

import featurestore
from featurestore import (
    ContractError,
    Entity,
    FeatureStoreError,
    Frame,
    MissingDataError,
    PackageFile,
    Project,
    UnknownNameError,
    dataset,
    feature_service,
    feature_view,
    on_demand_feature_view,
    source,
    training_set,
)
from featurestore.definitions.dataset import Dataset
from featurestore.definitions.feature_service import FeatureService, TrainingSet
from featurestore.definitions.feature_view import FeatureView, Selection
from featurestore.definitions.on_demand import OnDemandFeatureView
from featurestore.definitions.source import Source
from featurestore.quality.gate.verdict import Verdict
from featurestore.vectors.reader import VectorReader, Vectors

Timestamp = Annotated[pl.Datetime, "us", "UTC"]


class RawOrders(pa.DataFrameModel):
    """Orders as they arrive."""

    customer: pl.Int64 = pa.Field(ge=1, description="who ordered")
    ordered_at: Timestamp = pa.Field(description="when")
    amount: pl.Float64 = pa.Field(nullable=True, description="worth", metadata={"unit": "EUR"})


class Orders(RawOrders):
    """Orders of known worth."""

    @pa.check("amount")
    @classmethod
    def amount_is_in_cents(cls, data: pa.PolarsData) -> pl.LazyFrame:
        """An amount has two digits after the point."""
        amount = pl.col(data.key)
        return data.lazyframe.select(amount == amount.round(2))


class LastOrder(pa.DataFrameModel):
    """A customer's last order."""

    customer: pl.Int64 = pa.Field(description="who ordered")
    event_timestamp: Timestamp = pa.Field(description="when")
    amount: pl.Float64 = pa.Field(description="worth", metadata={"unit": "EUR"})


class Basket(pa.DataFrameModel):
    """What a customer is about to order."""

    basket: pl.Float64 = pa.Field(description="worth", metadata={"unit": "EUR"})


class Ratio(pa.DataFrameModel):
    """The basket over the last order."""

    ratio: pl.Float64 = pa.Field(nullable=True, description="ratio", metadata={"unit": "1"})


class Visits(Basket):
    """Visits, and whether they ended in an order."""

    customer: pl.Int64 = pa.Field(description="who came")
    event_timestamp: Timestamp = pa.Field(description="when")
    bought: pl.Boolean = pa.Field(description="label")


raw_orders = source("raw_orders", RawOrders, "data/raw/orders.csv", owner="shop")
packaged = source(
    "packaged",
    RawOrders,
    "data/raw/packaged.csv",
    owner="shop",
    origin=PackageFile("shop_data", "orders.csv"),
    null_values=("NA", "-"),
)
customer = Entity("customer", ("customer",), description="who orders")


@dataset(owner="shop")
def orders(raw_orders: Frame[RawOrders]) -> Frame[Orders]:
    """Orders of known worth."""
    return raw_orders.filter(pl.col("amount").is_not_null())


@feature_view(
    entity=customer,
    owner="shop",
    ttl=timedelta(days=5),
    delay=timedelta(minutes=1),
    every=timedelta(hours=1),
    tags={"team": "shop"},
    by_key=True,
)
def last_order(orders: Frame[Orders]) -> Frame[LastOrder]:
    """A customer's last order."""
    return orders.select("customer", "amount", event_timestamp="ordered_at")


@on_demand_feature_view(sources=(last_order["amount"],), owner="shop")
def compared(rows: Frame[Basket]) -> Frame[Ratio]:
    """The basket over the last order."""
    return rows.select(ratio=pl.col("basket") / pl.col("amount"))


buying = feature_service("buying", (last_order, compared), owner="shop")
partial = feature_service(
    "partial", (last_order["amount"], last_order.aliased("other", {"customer": "other"})), owner="shop"
)


@training_set(service=buying, label="bought", owner="shop")
def visits(orders: Frame[Orders], last_order: Frame[LastOrder]) -> Frame[Visits]:
    """An hour before each order: two inputs, joined."""
    first = last_order.group_by("customer").agg(pl.len().alias("orders"))
    rows = orders.select("customer", "ordered_at", basket="amount").join(first, on="customer")
    return rows.select(
        "customer",
        "basket",
        event_timestamp=pl.col("ordered_at") - timedelta(hours=1),
        bought=pl.lit(value=True),
    )


assert_type(raw_orders, Source)
assert_type(orders, Dataset)
assert_type(last_order, FeatureView)
assert_type(last_order["amount"], Selection)
assert_type(last_order["amount", "amount"], Selection)
assert_type(compared, OnDemandFeatureView)
assert_type(buying, FeatureService)
assert_type(visits, TrainingSet)


def build(folder: str | Path) -> Verdict:
    """Check, validate, build and materialize."""
    project = featurestore.open(folder)
    assert_type(project, Project)
    assert_type(project.check(), int)
    verdict = project.validate("raw_orders")
    assert_type(verdict, Verdict)
    assert_type(verdict.rows_quarantined, int)
    project.build("orders")
    project.build("last_order")
    project.materialize(until=datetime(2024, 1, 10, tzinfo=UTC))
    project.materialize(["last_order"], until="2024-01-10", full=True)
    return verdict


def retrieve(project: Project) -> pl.DataFrame:
    """Join features to entity rows of each kind."""
    entity_rows = pl.DataFrame({"customer": [1], "event_timestamp": [datetime(2024, 1, 9, tzinfo=UTC)]})
    project.historical(entity_rows, "partial", statuses=True, times=True)
    project.historical("data/visits.parquet", ["last_order:amount"], full_names=True)
    project.historical(features=buying, start="2024-01-01", end=datetime(2024, 1, 10, tzinfo=UTC))
    assert_type(project.dataset("orders"), pl.LazyFrame)
    written = project.historical(entity_rows, buying, as_of="now", sink=Path("vectors.parquet"))
    assert written.rows == len(written.columns)
    return project.historical(entity_rows, buying)


def serve(project: Project, now: datetime) -> list[dict[str, Any]]:
    """Look up vectors as plain values."""
    reader = project.reader(buying)
    assert_type(reader, VectorReader)
    vectors = reader.read([{"customer": 1, "basket": 10.0}], as_of=now)
    assert_type(vectors, Vectors)
    assert_type(vectors.features, tuple[str, ...])
    assert_type(vectors.values, list[list[Any]])
    assert_type(vectors.statuses, list[list[int]])
    assert_type(vectors.events, list[list[int | None]])
    return [dict(zip(vectors.features, row, strict=True)) for row in vectors.values]


def handle(project: Project) -> str:
    """Catch each branch of the errors, and read their facts."""
    try:
        project.build("orders")
    except (UnknownNameError, ContractError) as error:
        return str(error)
    except MissingDataError as error:
        return error.hint or ""
    except FeatureStoreError as error:
        assert_type(error.exit_code, int)
        raise
    return ""
