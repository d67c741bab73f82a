"""The README's shop, grown: helpers by relative import, constants, an upstream dataset, an on-demand view."""

from dataclasses import dataclass
from pathlib import Path

from featurestore.definitions.catalog import Catalog, load_catalog
from featurestore.definitions.fingerprint import (
    Difference,
    Fingerprint,
    code_files,
    differences,
    fingerprint_of,
)

FILES = {
    "pyproject.toml": '[tool.featurestore]\ndefinitions = "feature_repo"\n',
    "schemas/__init__.py": '"""Schemas."""\n',
    "schemas/terms.py": 'MAX_AMOUNT = 10_000\nEUR = {"unit": "EUR"}\n',
    "schemas/orders.py": '''
from typing import Annotated

import pandera.polars as pa
import polars as pl
from pandera.polars import PolarsData

from schemas.terms import EUR, MAX_AMOUNT

Moment = Annotated[pl.Datetime, "us", "UTC"]
SLACK_DAYS = 30


class RawOrders(pa.DataFrameModel):
    """Orders as they arrive."""

    order: pl.Int64 = pa.Field(unique=True, description="order number")
    customer: pl.String = pa.Field(description="who ordered")
    ordered_at: Moment = pa.Field(description="when it was ordered")
    loaded_at: Moment = pa.Field(description="when we learned of it")
    amount: pl.Float64 = pa.Field(ge=0, le=MAX_AMOUNT, description="worth", metadata=EUR)

    @pa.dataframe_check
    def loaded_soon(cls, data: PolarsData) -> pl.LazyFrame:
        """An order is loaded within a month."""
        return data.lazyframe.select(
            (pl.col("loaded_at") - pl.col("ordered_at")).dt.total_days() < SLACK_DAYS
        )

    class Config:
        strict = True
        metadata = {"on_invalid": "quarantine", "tolerance": 0.3, "expect": {"rows": (1, 1_000)}}


class Orders(pa.DataFrameModel):
    """Orders in euros."""

    customer: pl.String = pa.Field(description="who ordered")
    ordered_at: Moment = pa.Field(description="when it was ordered")
    loaded_at: Moment = pa.Field(description="when we learned of it")
    euros: pl.Float64 = pa.Field(ge=0, description="worth")


class CustomerSpending(pa.DataFrameModel):
    """What a customer spent."""

    customer: pl.String = pa.Field(description="who ordered")
    event_timestamp: Moment = pa.Field(description="an order")
    created_timestamp: Moment = pa.Field(description="when we learned of it")
    orders_30d: pl.Int32 = pa.Field(ge=1, description="orders of the last 30 days")
    spent_30d: pl.Float32 = pa.Field(ge=0, description="worth of these orders")


class Basket(pa.DataFrameModel):
    """What is asked about."""

    basket: pl.Float64 = pa.Field(ge=0, description="worth of the basket")


class Compared(pa.DataFrameModel):
    """The basket against past orders."""

    ratio: pl.Float32 = pa.Field(nullable=True, description="basket over spending")


class Visits(Basket):
    """Visits and whether they ended in an order."""

    customer: pl.String = pa.Field(description="who came")
    event_timestamp: Moment = pa.Field(description="when")
    bought: pl.Boolean = pa.Field(description="label")
''',
    "feature_repo/__init__.py": '"""Definitions."""\n',
    "feature_repo/helper.py": '''
"""Helpers."""

import polars as pl

from lib.rates import converted

FACTOR = 2
UNUSED = 1


def scaled(value: pl.Expr) -> pl.Expr:
    """Scale a value."""
    return converted(value) * FACTOR


def unused(value):
    return value
''',
    "lib/rates.py": """
import polars as pl

RATES = {"EUR": 1.0, "USD": 0.9}


def converted(value):
    return value * RATES["EUR"]
""",
    "feature_repo/orders.py": '''
from datetime import timedelta

import polars as pl

from featurestore import (
    Entity, Frame, dataset, feature_service, feature_view, on_demand_feature_view, source, training_set,
)
from schemas.orders import Basket, Compared, CustomerSpending, Orders, RawOrders, Visits

from . import helper
from .helper import scaled

PERIOD = "30d"

raw_orders = source("raw_orders", RawOrders, "data/raw/orders.csv", owner="shop", null_values=("-",))
customer = Entity("customer", ("customer",), "who orders")


@dataset(owner="shop")
def orders(raw_orders: Frame[RawOrders]) -> Frame[Orders]:
    """Orders in euros."""
    worth = scaled(pl.col("amount"))
    return raw_orders.select("customer", "ordered_at", "loaded_at", euros=worth)


@feature_view(entity=customer, owner="shop", ttl=timedelta(days=5), delay=timedelta(minutes=1))
def customer_spending(orders: Frame[Orders]) -> Frame[CustomerSpending]:
    """What a customer spent in the last 30 days."""
    # the window slides
    total = pl.col("euros").sum()
    return (
        orders.sort("customer", "ordered_at")
        .rolling("ordered_at", period=PERIOD, group_by="customer")
        .agg(orders_30d=pl.len(), spent_30d=total, created_timestamp=pl.col("loaded_at").max())
        .rename({"ordered_at": "event_timestamp"})
    )


@on_demand_feature_view(sources=(customer_spending["spent_30d"],), owner="shop")
def compared(rows: Frame[Basket]) -> Frame[Compared]:
    """The basket against past orders."""
    return rows.select(ratio=helper.scaled(pl.col("basket")) / pl.col("spent_30d"))


buying = feature_service("buying", (customer_spending, compared), owner="shop")


@training_set(service=buying, label="bought", owner="shop")
def visits(orders: Frame[Orders]) -> Frame[Visits]:
    """An hour before each order."""
    return orders.select(
        "customer", basket="euros", event_timestamp=pl.col("ordered_at") - timedelta(hours=1), bought=pl.lit(True)
    )
''',
}

EVERY = ("raw_orders", "orders", "customer_spending", "compared", "buying", "visits")


@dataclass(frozen=True)
class Shop:
    """One state of the project, loaded."""

    root: Path
    catalog: Catalog

    def definition(self, name: str):
        catalog = self.catalog
        tables = (catalog.nodes, catalog.on_demand, catalog.services, catalog.training_sets)
        return next(table[name] for table in tables if name in table)

    def fingerprint(self, name: str) -> Fingerprint:
        return fingerprint_of(self.definition(name), self.catalog)

    def code_files(self, name: str) -> list[str]:
        return [path.relative_to(self.root).as_posix() for path in code_files(self.definition(name))]


def write(root: Path, changes: dict[str, str] | None = None) -> Path:
    """Write the shop's files, some of them changed or added."""
    for name, text in {**FILES, **(changes or {})}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def load(root: Path, *, fingerprints: bool = True) -> Shop:
    """Load the shop, and take the fingerprints."""
    shop = Shop(root, load_catalog(root, "feature_repo"))
    for name in EVERY if fingerprints else ():
        shop.fingerprint(name)
    return shop


def replaced(name: str, old: str, new: str) -> dict[str, str]:
    """Change one place of one file."""
    assert FILES[name].count(old) == 1, (name, old, FILES[name].count(old))
    return {name: FILES[name].replace(old, new)}


def changed(before: Shop, after: Shop, name: str) -> tuple[Difference, ...]:
    """Name what differs between two states of one definition."""
    return differences(before.fingerprint(name), after.fingerprint(name))
