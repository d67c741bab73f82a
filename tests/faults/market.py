"""A small project in which each planted fault can show: values, times and keys that are hard to keep."""

import json
from pathlib import Path

import featurestore
from featurestore.operations.init.init import init

NOW = "2024-01-10T00:00:00Z"
EARLIER = "2024-01-07T12:00:00Z"
DEFINITIONS = "feature_repo/market.py"
HELPER = "feature_repo/pricing.py"
SALES = "data/raw/sales.csv"

FILES = {
    "schemas/market.py": '''
from typing import Annotated

import pandera.polars as pa
import polars as pl

Timestamp = Annotated[pl.Datetime, "us", "UTC"]
EUR = {"unit": "EUR"}


class RawSales(pa.DataFrameModel):
    """Sales as they arrive."""

    sale: pl.Int64 = pa.Field(unique=True, description="number")
    region: pl.String = pa.Field(description="where")
    customer: pl.String = pa.Field(description="who bought")
    sold_at: Timestamp = pa.Field(description="when")
    loaded_at: Timestamp = pa.Field(nullable=True, description="when we learned of it")
    amount: pl.Float64 = pa.Field(nullable=True, ge=-1e12, le=1e12, description="worth", metadata=EUR)
    units: pl.Int64 = pa.Field(nullable=True, description="pieces", metadata={"unit": "1"})
    serial: pl.UInt64 = pa.Field(nullable=True, description="serial number", metadata={"unit": "1"})
    price: Annotated[pl.Decimal, 18, 4] = pa.Field(nullable=True, description="price of a piece", metadata=EUR)
    labels: pl.String = pa.Field(nullable=True, description="labels, separated by semicolons")

    class Config:
        metadata = {"known": "sold_at"}


class Account(pa.DataFrameModel):
    """The last sale to a customer."""

    region: pl.String = pa.Field(description="where")
    customer: pl.String = pa.Field(description="who bought")
    event_timestamp: Timestamp = pa.Field(description="when")
    created_timestamp: Timestamp = pa.Field(nullable=True, description="when known")
    amount: pl.Float32 = pa.Field(nullable=True, description="worth, short", metadata=EUR)
    exact: pl.Float64 = pa.Field(nullable=True, ge=-1e12, le=1e12, description="worth", metadata=EUR)
    units: pl.Int64 = pa.Field(nullable=True, description="pieces", metadata={"unit": "1"})
    serial: pl.UInt64 = pa.Field(nullable=True, description="serial number", metadata={"unit": "1"})
    price: Annotated[pl.Decimal, 18, 4] = pa.Field(nullable=True, description="price of a piece", metadata=EUR)
    day: pl.Date = pa.Field(nullable=True, description="day of the sale")
    seen: Annotated[pl.Datetime, "us", "America/New_York"] = pa.Field(nullable=True, description="local time of the sale")
    labels: Annotated[pl.List, pl.String] = pa.Field(nullable=True, description="labels")
    weights: Annotated[pl.List, pl.Float64] = pa.Field(nullable=True, description="weights", metadata={"unit": "kg"})
    known: pl.Boolean = pa.Field(nullable=True, description="whether the amount is known")


class BranchHour(pa.DataFrameModel):
    """The greatest sale of an hour in a region."""

    region: pl.String = pa.Field(description="where")
    event_timestamp: Timestamp = pa.Field(description="when")
    top_units: pl.Int64 = pa.Field(nullable=True, description="most pieces", metadata={"unit": "1"})
    top_amount: pl.Float64 = pa.Field(nullable=True, description="greatest worth", metadata=EUR)


class Basket(pa.DataFrameModel):
    """What is asked about."""

    basket: pl.Float64 = pa.Field(ge=0, lt=10_000, description="worth of the basket", metadata=EUR)


class Compared(pa.DataFrameModel):
    """The basket against the last sale."""

    ratio: pl.Float64 = pa.Field(nullable=True, description="basket over last sale", metadata={"unit": "1"})


class Visits(Basket):
    """Visits and whether they ended in a sale."""

    region: pl.String = pa.Field(description="where")
    customer: pl.String = pa.Field(description="who came")
    referred_by: pl.String = pa.Field(nullable=True, description="who sent them")
    event_timestamp: Timestamp = pa.Field(description="when")
    bought: pl.Boolean = pa.Field(description="label")
''',
    HELPER: '''
"""What sales and baskets are worth."""

import polars as pl

RATE = 1.0


def worth(column):
    """Return a worth in EUR."""
    return pl.col(column) * RATE
''',
    DEFINITIONS: '''
from datetime import timedelta

import polars as pl

from featurestore import (
    Entity, Frame, feature_service, feature_view, on_demand_feature_view, source, training_set,
)
from schemas.market import Account, Basket, BranchHour, Compared, RawSales, Visits

from .pricing import worth

sales = source("sales", RawSales, "data/raw/sales.csv", owner="market")
account_key = Entity("account_key", ("region", "customer"))
region = Entity("region", ("region",))


@feature_view(entity=account_key, owner="market", ttl=timedelta(days=5), delay=timedelta(minutes=1))
def account(sales: Frame[RawSales]) -> Frame[Account]:
    """The last sale to a customer."""
    label = pl.element()
    labels = pl.col("labels").str.split(";").list.eval(pl.when(label != "?").then(label))
    return sales.select(
        "region", "customer", "amount", "units", "serial", "price",
        exact="amount",
        day=pl.col("sold_at").dt.date(),
        seen=pl.col("sold_at").dt.convert_time_zone("America/New_York"),
        labels=pl.when(pl.col("labels") == "-").then(pl.lit([], dtype=pl.List(pl.String))).otherwise(labels),
        weights=pl.when(pl.col("labels") == "-").then(pl.lit([], dtype=pl.List(pl.Float64))).otherwise(
            pl.concat_list("amount", pl.lit(-0.0), pl.lit(0.1))
        ),
        known=pl.col("amount").is_not_null(),
        event_timestamp="sold_at",
        created_timestamp="loaded_at",
    )


@feature_view(entity=region, owner="market", delay=timedelta(minutes=10), every=timedelta(hours=1))
def branch_hour(sales: Frame[RawSales]) -> Frame[BranchHour]:
    """The greatest sale of an hour in a region."""
    return sales.group_by("region", event_timestamp=pl.col("sold_at").dt.truncate("1h")).agg(
        top_units=pl.col("units").max(), top_amount=worth("amount").max()
    )


@on_demand_feature_view(sources=(account["exact"],), owner="market")
def compared(rows: Frame[Basket]) -> Frame[Compared]:
    """The basket against the last sale."""
    return rows.select(ratio=worth("basket") / pl.col("exact"))


referrer = account["exact", "units"].aliased("referrer", keys={"customer": "referred_by"})
# Without `exact`: the service reads it for `compared` alone, so it reads other features than it answers.
stored = account["amount", "units", "serial", "price", "day", "seen", "labels", "weights", "known"]
buying = feature_service(
    "buying", (branch_hour["top_amount", "top_units"], stored, referrer, compared), owner="market"
)


@training_set(service=buying, label="bought", owner="market")
def visits(sales: Frame[RawSales]) -> Frame[Visits]:
    """Each customer soon after each sale, and as long as its values live."""
    times = [timedelta(0), timedelta(minutes=1), timedelta(hours=1), timedelta(days=5), timedelta(days=5, microseconds=1)]
    return sales.join(pl.LazyFrame({"after": times}), how="cross").sort("sale", "after").select(
        "region", "customer",
        referred_by=pl.lit("ada"),
        basket=pl.lit(0.1) + pl.col("sale"),
        event_timestamp=pl.col("sold_at") + pl.col("after"),
        bought=pl.col("sale") % 2 == 0,
    ).filter(
        pl.col("event_timestamp") <= pl.datetime(2024, 1, 10, time_zone="UTC")
    )
''',
}

# Two sales each of `cy` (late), `dee` (corrected), `eve` (a missing load time counts as the event). At NOW, `ada` is as
# old as values live, `bob` a microsecond older, `ivy` becomes known, and `joy` is known a microsecond later.
SALES_ROWS = """sale,region,customer,sold_at,loaded_at,amount,units,serial,price,labels
1,north,ada,2024-01-05T00:00:00Z,,10.1,3,1,1.0050,a;b
2,north,bob,2024-01-04T23:59:59.999999Z,,20.2,4,2,2.5,a
3,a,b|c,2024-01-06T08:00:00Z,,30.3,5,3,3.5,?
4,a|b,c,2024-01-06T09:00:00Z,,40.4,6,4,4.5,a;?
5,x,y,2024-01-06T10:00:00Z,,50.5,7,5,5.5,x
6,y,x,2024-01-06T11:00:00Z,,60.6,8,6,6.5,y
7,north,cy,2024-01-06T12:00:00Z,2024-01-08T00:00:00Z,70.7,9,7,7.5,old
8,north,cy,2024-01-07T09:00:00Z,2024-01-07T09:30:00Z,80.8,10,8,8.5,new
9,north,dee,2024-01-07T10:00:00Z,2024-01-08T00:00:00.000001Z,91.9,12,9,9.5,first
10,north,dee,2024-01-07T10:00:00Z,2024-01-08T00:00:00.000002Z,90.9,11,10,10.5,corrected
11,north,eve,2024-01-08T06:00:00Z,2024-01-07T06:00:00Z,101.1,13,11,11.5,less
12,north,eve,2024-01-08T06:00:00Z,,102.2,14,12,12.5,more
13,north,fay,2024-01-08T07:00:00Z,,-0.0,9007199254740993,18446744073709551615,12345678901234.5678,-
14,north,gil,2024-01-09T23:30:00Z,,,,,,
15,north,hal,2024-01-09T01:00:00Z,2024-01-11T00:00:00Z,110.1,15,13,13.5,later
16,north,ivy,2024-01-09T23:59:00Z,,16777216.5,16,14,14.5,edge
17,north,joy,2024-01-09T23:59:00.000001Z,,120.2,17,15,15.5,not yet
18,north,kim,2024-01-06T05:00:00Z,,130.3,18,16,16.5,gone
19,south,lea,2024-01-09T21:55:00Z,,0.1,19,17,17.5,early
20,south,lea,2024-01-09T23:05:00Z,,0.30000000000000004,20,18,18.5,late
24,north,abe,2024-01-05T00:00:00.000001Z,,160.6,23,21,21.5,edge
21,north,Ada,2024-01-09T05:00:00Z,,140.4,21,19,19.5,upper
22,north,moe,2024-01-07T00:00:00.000001Z,2024-01-08T00:00:00Z,150.5,22,20,20.5,late;?
23,north,nil,2024-01-09T23:00:00Z,,,,,,
"""

# Pushed on the day: a customer, an event that is older than the stored one, and a correction; then a correction of that.
MIA = {
    "region": "south",
    "customer": "mia",
    "event_timestamp": "2024-01-09T20:00:00.000001Z",
    "amount": 0.1,
    "exact": 0.1,
    "units": 2**62 + 1,
    "serial": 2**63 + 1,
    "price": "0.0001",
    "day": "2024-01-09",
    "seen": "2024-01-09T20:00:00.000001Z",
    "labels": ["pushed", None],
    "weights": [-0.0, None],
    "known": True,
}
NULLS = dict.fromkeys(MIA)
OLD = {
    **NULLS,
    "region": "x",
    "customer": "y",
    "event_timestamp": "2024-01-01T00:00:00Z",
    "units": 1,
    "known": False,
}
GIL = {**NULLS, "region": "north", "customer": "gil", "event_timestamp": "2024-01-09T23:30:00Z", "units": 2}
PUSHED = {"pushed.jsonl": (MIA, OLD, GIL), "corrected.jsonl": ({**GIL, "units": 4},)}
# What a service asks for. `nobody` is not known, `kim` is deleted.
CUSTOMERS = [
    *(
        ("north", name)
        for name in [
            "ada",
            "abe",
            "bob",
            "cy",
            "dee",
            "eve",
            "fay",
            "gil",
            "hal",
            "ivy",
            "joy",
            "kim",
            "Ada",
            "moe",
            "nil",
        ]
    ),
    ("a", "b|c"),
    ("a|b", "c"),
    ("x", "y"),
    ("y", "x"),
    ("south", "lea"),
    ("south", "mia"),
    ("south", "nobody"),
]
REQUESTS = [
    {"region": region, "customer": customer, "referred_by": referrer, "basket": 0.1 + position}
    for position, (region, customer) in enumerate(CUSTOMERS)
    for referrer in ("ada", customer)
]


def write_market(folder: Path) -> Path:
    """Write the files of the project, and those that are pushed."""
    init(folder)
    settings = folder / "feature_repo/feature_store.yaml"
    settings.write_text(settings.read_text().replace("store.lmdb\n", f'store.lmdb\n  as_of: "{NOW}"\n'))
    pushed = {name: "".join(json.dumps(row) + "\n" for row in rows) for name, rows in PUSHED.items()}
    for name, text in {**FILES, SALES: SALES_ROWS, **pushed}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"))
    return folder


def make_market(folder: Path) -> Path:
    """Make the project as of some days ago: built, trained, materialized and released."""
    project = featurestore.open(write_market(folder))
    project.validate("sales")
    project.build("account")
    project.build("branch_hour")
    project.apply()
    project.training_set("visits")
    project.materialize(until=EARLIER)
    project.check_leaks()
    project.release()
    return folder
