"""A small project of a shop, as a new user would write it: one source, one dataset, one view, one service."""

from pathlib import Path

import featurestore
from featurestore.operations.init.init import init

FILES = {
    "schemas/shop.py": '''
from typing import Annotated

import pandera.polars as pa
import polars as pl


class RawOrders(pa.DataFrameModel):
    """Orders as they arrive."""

    order: pl.Int64 = pa.Field(unique=True, description="number")
    customer: pl.Int64 = pa.Field(ge=1, description="who ordered")
    ordered_at: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="when")
    loaded_at: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(nullable=True, description="when we learned of it")
    amount: pl.Float64 = pa.Field(nullable=True, ge=0, description="worth", metadata={"unit": "EUR"})
    coupon: pl.String = pa.Field(nullable=True, description="coupon")

    class Config:
        strict = True
        metadata = {"on_invalid": "quarantine", "tolerance": 0.5, "known": ("loaded_at", "ordered_at")}


class LastOrder(pa.DataFrameModel):
    """A customer's last order."""

    customer: pl.Int64 = pa.Field(description="who ordered")
    event_timestamp: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="when")
    created_timestamp: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(nullable=True, description="when known")
    amount: pl.Float32 = pa.Field(nullable=True, description="worth", metadata={"unit": "EUR"})
    coupon: pl.String = pa.Field(nullable=True, description="coupon")
    ordered_at: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="when")


class Basket(pa.DataFrameModel):
    """What is asked about."""

    basket: pl.Float64 = pa.Field(ge=0, lt=10_000, ne=13, description="worth of the basket", metadata={"unit": "EUR"})


class Compared(pa.DataFrameModel):
    """The basket against the last order."""

    ratio: pl.Float32 = pa.Field(nullable=True, description="basket over last order", metadata={"unit": "1"})


class Visits(Basket):
    """Visits and whether they ended in an order."""

    customer: pl.Int64 = pa.Field(nullable=True, description="who came")
    event_timestamp: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="when")
    bought: pl.Boolean = pa.Field(description="label")
''',
    "feature_repo/shop.py": '''
from datetime import timedelta

import polars as pl

from featurestore import (
    Entity, Frame, feature_service, feature_view, on_demand_feature_view, source, training_set,
)
from schemas.shop import Basket, Compared, LastOrder, RawOrders, Visits

orders = source("orders", RawOrders, "data/raw/orders.csv", owner="shop")
customer = Entity("customer", ("customer",))


@feature_view(entity=customer, owner="shop", ttl=timedelta(days=5), delay=timedelta(minutes=1))
def last_order(orders: Frame[RawOrders]) -> Frame[LastOrder]:
    """A customer's last order."""
    return orders.select(
        "customer", "amount", "coupon", "ordered_at",
        event_timestamp="ordered_at", created_timestamp="loaded_at",
    )


@on_demand_feature_view(sources=(last_order["amount"],), owner="shop")
def compared(rows: Frame[Basket]) -> Frame[Compared]:
    """The basket against the last order."""
    return rows.select(ratio=pl.col("basket") / pl.col("amount"))


buying = feature_service("buying", (last_order, compared), owner="shop")


@training_set(service=buying, label="bought", owner="shop")
def visits(orders: Frame[RawOrders]) -> Frame[Visits]:
    """An hour before each order."""
    return orders.select(
        "customer",
        basket="amount",
        event_timestamp=pl.col("ordered_at") - timedelta(hours=1),
        bought=pl.lit(True),
    ).drop_nulls("basket")
''',
}

ORDERS = """order,customer,ordered_at,loaded_at,amount,coupon
1,1,2024-01-01T00:00:00Z,,10.5,
2,1,2024-01-03T00:00:00Z,2024-01-06T00:00:00Z,20.1,SPRING
3,1,2024-01-05T00:00:00Z,,,
4,2,2024-01-09T12:00:00Z,2024-01-09T13:00:00Z,-0.0,
5,3,2024-01-08T00:00:00Z,,7,
6,3,2024-01-08T00:00:00Z,2024-01-09T00:00:00Z,8,
7,0,2024-01-08T00:00:00Z,,7,
"""


def write_files(folder: Path) -> Path:
    """Write the shop's files."""
    init(folder)
    settings = folder / "feature_repo/feature_store.yaml"
    settings.write_text(
        settings.read_text().replace("store.lmdb\n", 'store.lmdb\n  as_of: "2024-01-10T00:00:00Z"\n')
    )
    for name, text in {**FILES, "data/raw/orders.csv": ORDERS}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def move_store(folder: Path, kind: str, url: str) -> None:
    """Move the online store of the project in a folder to a server: ``redis`` or ``postgres``."""
    path = folder / "feature_repo/feature_store.yaml"
    text = path.read_text()
    for old, new in (
        ("LmdbOnlineStore", f"{kind.title()}OnlineStore"),
        ("path: ../data/online/store.lmdb", f"url: {url}"),
    ):
        assert old in text, f"{path} lacks {old}"
        text = text.replace(old, new)
    path.write_text(text)


def build_shop(folder: Path) -> featurestore.Project:
    """Validate and build the shop."""
    project = featurestore.open(folder)
    project.validate("orders")
    project.build("last_order")
    project.check_leaks()
    return project
