"""The example that `init` writes: a small shop from raw files to a training set and a service."""

from __future__ import annotations

from typing import Final

_SCHEMAS: Final = '''\
"""Contracts of the shop: one class for each dataset."""

from typing import Annotated

import pandera.polars as pa
import polars as pl

Timestamp = Annotated[pl.Datetime, "us", "UTC"]


class RawOrders(pa.DataFrameModel):
    """Orders as they arrive."""

    order: pl.Int64 = pa.Field(unique=True, description="order number")
    customer: pl.String = pa.Field(description="customer who ordered")
    ordered_at: Timestamp = pa.Field(description="time of the order")
    loaded_at: Timestamp = pa.Field(description="time at which the order reached us")
    amount: pl.Float64 = pa.Field(ge=0, description="value of the order", metadata={"unit": "EUR"})

    class Config:
        """Bad rows go to quarantine, up to a tenth of all."""

        strict = True
        metadata = {"on_invalid": "quarantine", "tolerance": 0.1, "known": "loaded_at"}


class RawCustomers(pa.DataFrameModel):
    """Customers as they register."""

    customer: pl.String = pa.Field(unique=True, description="customer name")
    country: pl.String = pa.Field(isin=["AT", "DE", "FR"], description="country of residence")
    joined_at: Timestamp = pa.Field(description="time of registration")

    class Config:
        """Every row must be good."""

        strict = True
        metadata = {"known": "joined_at"}


class CustomerOrder(pa.DataFrameModel):
    """An order as an event of its customer."""

    customer: pl.String = pa.Field(description="customer who ordered")
    event_timestamp: Timestamp = pa.Field(description="time of the order")
    created_timestamp: Timestamp = pa.Field(description="time at which the order reached us")
    order: pl.Int64 = pa.Field(description="order number")
    amount: pl.Float64 = pa.Field(ge=0, description="value of the order", metadata={"unit": "EUR"})


class Spending(pa.DataFrameModel):
    """What a customer spent."""

    customer: pl.String = pa.Field(description="customer who ordered")
    orders_30d: pl.Int32 = pa.Field(ge=0, description="orders of the last 30 days")
    spent_30d: pl.Float32 = pa.Field(ge=0, description="value of these orders", metadata={"unit": "EUR"})


class LastOrder(pa.DataFrameModel):
    """A customer's last order."""

    customer: pl.String = pa.Field(description="customer who ordered")
    event_timestamp: Timestamp = pa.Field(description="time of the order")
    created_timestamp: Timestamp = pa.Field(description="time at which the order reached us")
    last_amount: pl.Float32 = pa.Field(ge=0, description="value of the order", metadata={"unit": "EUR"})


class Residence(pa.DataFrameModel):
    """Where a customer lives."""

    customer: pl.String = pa.Field(description="customer name")
    event_timestamp: Timestamp = pa.Field(description="time of registration")
    country: pl.String = pa.Field(description="country of residence")


class Purchases(pa.DataFrameModel):
    """Orders, and whether they are large."""

    customer: pl.String = pa.Field(description="customer who ordered")
    event_timestamp: Timestamp = pa.Field(description="a moment before the order")
    is_large: pl.Boolean = pa.Field(description="label: the order is worth at least 30 EUR")
'''
_DEFINITIONS: Final = '''\
"""Two sources, three feature views, a service and a training set of a small shop."""

from datetime import timedelta

import polars as pl

from featurestore import Entity, Frame, feature_service, feature_view, source, training_set, windows
from schemas.shop import CustomerOrder, LastOrder, Purchases, RawCustomers, RawOrders, Residence, Spending

orders = source("orders", RawOrders, "data/raw/orders.csv", owner="shop")
customers = source("customers", RawCustomers, "data/raw/customers.csv", owner="shop")
customer = Entity("customer", ("customer",), "a customer of the shop")


@feature_view(
    entity=customer,
    owner="shop",
    schema=Spending,
    identity=("order",),
    windows={
        "orders_30d": windows.count(over="30d"),
        "spent_30d": windows.sum("amount", over="30d"),
    },
)
def spending(orders: Frame[RawOrders]) -> Frame[CustomerOrder]:
    """What a customer spent in the last 30 days; an order counts once it is loaded."""
    return orders.select(
        "customer", "order", "amount", event_timestamp="ordered_at", created_timestamp="loaded_at"
    )


@feature_view(entity=customer, owner="shop")
def last_order(orders: Frame[RawOrders]) -> Frame[LastOrder]:
    """The value of a customer's last order."""
    return orders.select(
        "customer",
        event_timestamp="ordered_at",
        created_timestamp="loaded_at",
        last_amount="amount",
    )


@feature_view(entity=customer, owner="shop")
def residence(customers: Frame[RawCustomers]) -> Frame[Residence]:
    """Where a customer lives, known since the registration."""
    return customers.select("customer", "country", event_timestamp="joined_at")


buying = feature_service("buying", (spending, last_order, residence), owner="shop")


@training_set(service=buying, label="is_large", owner="shop")
def purchases(orders: Frame[RawOrders]) -> Frame[Purchases]:
    """The moment before each order, and whether the order is large."""
    return orders.select(
        "customer",
        event_timestamp=pl.col("ordered_at") - timedelta(microseconds=1),
        is_large=pl.col("amount") >= 30,
    )
'''
_TEST: Final = '''\
"""The features of the shop mean what their names say. Run after `featurestore run`: python -m pytest"""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl

import featurestore

PROJECT = featurestore.open(Path(__file__).parents[1])


def test_the_definitions_fit_together():
    """Two sources, three views, a training set and a service are checked without data."""
    assert PROJECT.check() == 7


def test_an_order_counts_from_the_moment_it_is_loaded():
    """Bob ordered on January 3; the order was loaded on January 5."""
    moments = [datetime(2026, 1, day, tzinfo=UTC) for day in (4, 6)]
    rows = pl.DataFrame({"customer": ["bob", "bob"], "event_timestamp": moments})
    assert PROJECT.historical(rows, ["spending:orders_30d"])["orders_30d"].to_list() == [0, 1]


def test_training_and_serving_agree():
    """Every cell of the online store equals the point-in-time join."""
    assert PROJECT.audit().mismatches == 0
'''
_CI: Final = """\
# Checks definitions and features on every push. Give DVC the credentials of your remote before `dvc pull`.
name: features
on: [push, pull_request]
jobs:
  features:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.11"
      - run: python -m pip install featurestore pytest
      - run: featurestore check
      - run: dvc pull
      - run: featurestore run
      - run: python -m pytest tests
"""
_README: Final = """\
# {name}

Features of a small shop. `data/raw/` holds its orders and customers, `schemas/` their contracts, `{definitions}/` the feature views.

    featurestore run                                  # validate, build, register, join, materialize, prove, report
    featurestore get-online buying customer=ada       # features as serving reads them
    python -m pytest tests                            # what the features mean

Add data of your own with `featurestore add FILE`. Share them: `dvc remote add --default store PATH`, then commit and run
`dvc push`. A colleague runs `git clone`, `dvc pull` and `featurestore run`.
"""
_ORDERS: Final = """\
order,customer,ordered_at,loaded_at,amount
1,ada,2026-01-02T09:00:00Z,2026-01-02T09:01:00Z,20
2,bob,2026-01-03T10:00:00Z,2026-01-05T00:00:00Z,35.5
3,ada,2026-01-04T11:00:00Z,2026-01-04T11:01:00Z,12
4,cid,2026-01-05T12:00:00Z,2026-01-05T12:01:00Z,40
5,ada,2026-01-06T08:30:00Z,2026-01-06T08:31:00Z,31
6,bob,2026-01-07T17:00:00Z,2026-01-07T17:05:00Z,8.25
7,cid,2026-01-08T09:45:00Z,2026-01-08T09:46:00Z,15
8,eve,2026-01-09T20:00:00Z,2026-01-10T06:00:00Z,52
9,ada,2026-01-11T10:10:00Z,2026-01-11T10:11:00Z,18.4
10,bob,2026-01-12T13:00:00Z,2026-01-12T13:01:00Z,30
11,eve,2026-01-13T15:20:00Z,2026-01-13T15:21:00Z,-5
12,cid,2026-01-14T11:00:00Z,2026-01-14T11:01:00Z,22
"""
_CUSTOMERS: Final = """\
customer,country,joined_at
ada,FR,2025-11-03T08:00:00Z
bob,DE,2025-12-24T18:00:00Z
cid,AT,2026-01-05T11:50:00Z
eve,DE,2026-01-09T19:30:00Z
"""
EXAMPLE_DATA: Final = ("data/raw/orders.csv", "data/raw/customers.csv")
EXAMPLE: Final = {
    "schemas/shop.py": _SCHEMAS,
    "feature_repo/shop.py": _DEFINITIONS,
    "tests/test_features.py": _TEST,
    ".github/workflows/features.yml": _CI,
    "README.md": _README,
    **dict(zip(EXAMPLE_DATA, (_ORDERS, _CUSTOMERS), strict=True)),
}
