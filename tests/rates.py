"""The shop (tests/shop.py) with exchange rates: a view without an entity, alone and beside one with an entity."""

from pathlib import Path

from shop import write_files

import featurestore

FILES = {
    "schemas/rates.py": '''
from typing import Annotated

import pandera.polars as pa
import polars as pl

Timestamp = Annotated[pl.Datetime, "us", "UTC"]


class RawRates(pa.DataFrameModel):
    """Exchange rates as they are published."""

    published_at: Timestamp = pa.Field(description="when")
    loaded_at: Timestamp = pa.Field(nullable=True, description="when we learned of it")
    usd: pl.Float64 = pa.Field(nullable=True, gt=0, description="dollars for a euro", metadata={"unit": "USD/EUR"})


class Rates(pa.DataFrameModel):
    """The exchange rates that hold."""

    event_timestamp: Timestamp = pa.Field(description="when")
    created_timestamp: Timestamp = pa.Field(nullable=True, description="when known")
    usd: pl.Float64 = pa.Field(nullable=True, gt=0, description="dollars for a euro", metadata={"unit": "USD/EUR"})
    day: pl.Date = pa.Field(description="day of publication")


class Price(pa.DataFrameModel):
    """What is asked about."""

    price: pl.Float64 = pa.Field(ge=0, description="price of the basket", metadata={"unit": "EUR"})


class InDollars(pa.DataFrameModel):
    """A price in dollars."""

    dollars: pl.Float64 = pa.Field(nullable=True, description="the price in dollars", metadata={"unit": "USD"})


class Days(pa.DataFrameModel):
    """Days, and whether the rate rose."""

    event_timestamp: Timestamp = pa.Field(description="when")
    rose: pl.Boolean = pa.Field(description="label")
''',
    "feature_repo/rates.py": '''
from datetime import timedelta

import polars as pl

from featurestore import Frame, feature_service, feature_view, on_demand_feature_view, source, training_set
from feature_repo.shop import last_order
from schemas.rates import Days, InDollars, Price, Rates, RawRates

raw_rates = source("raw_rates", RawRates, "data/raw/rates.csv", owner="shop")


@feature_view(entity=None, owner="shop", ttl=timedelta(days=3), delay=timedelta(minutes=1))
def rates(raw_rates: Frame[RawRates]) -> Frame[Rates]:
    """The exchange rates that hold."""
    return raw_rates.select(
        "usd",
        event_timestamp="published_at",
        created_timestamp="loaded_at",
        day=pl.col("published_at").dt.date(),
    )


@on_demand_feature_view(sources=(rates["usd"],), owner="shop")
def in_dollars(rows: Frame[Price]) -> Frame[InDollars]:
    """A price in dollars."""
    return rows.select(dollars=pl.col("price") * pl.col("usd"))


exchange = feature_service("exchange", (rates,), owner="shop")
abroad = feature_service("abroad", (last_order, rates, in_dollars), owner="shop")


@training_set(service=exchange, label="rose", owner="shop")
def days(raw_rates: Frame[RawRates]) -> Frame[Days]:
    """An hour after each publication."""
    return raw_rates.select(
        event_timestamp=pl.col("published_at") + timedelta(hours=1), rose=pl.col("usd") > 1.1
    ).drop_nulls()
''',
    "data/raw/rates.csv": """published_at,loaded_at,usd
2024-01-01T00:00:00Z,,1.10
2024-01-04T00:00:00Z,2024-01-06T00:00:00Z,1.25
2024-01-05T00:00:00Z,,1.05
2024-01-08T00:00:00Z,,1.5
2024-01-08T00:00:00Z,2024-01-09T00:00:00Z,1.75
""",
}


def write_rates(folder: Path) -> Path:
    """Write the files of the shop with exchange rates."""
    write_files(folder)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


def build_rates(folder: Path) -> featurestore.Project:
    """Validate, build and materialize everything."""
    project = featurestore.open(write_rates(folder))
    for name in ("orders", "raw_rates"):
        project.validate(name)
    for name in ("last_order", "rates"):
        project.build(name)
    for name in ("visits", "days"):
        project.training_set(name)
    project.materialize()
    return project
