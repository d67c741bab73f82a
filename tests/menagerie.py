"""A project with a feature of every dtype, two keys of text, every kind of check, and every kind of timing."""

from pathlib import Path

from featurestore.operations.init.init import init

SCHEMAS = '''
from typing import Annotated

import pandera.polars as pa
import polars as pl

TIME = Annotated[pl.Datetime, "us", "UTC"]


class Raw(pa.DataFrameModel):
    """Raw rows; no test reads them."""

    left: pl.String = pa.Field(description="a key")


class Animals(pa.DataFrameModel):
    """Every dtype."""

    left: pl.String = pa.Field(description="a key")
    right: pl.String = pa.Field(description="a key")
    event_timestamp: TIME = pa.Field(description="when")
    created_timestamp: TIME = pa.Field(nullable=True, description="when known")
    flag: pl.Boolean = pa.Field(nullable=True, description="a feature")
    i8: pl.Int8 = pa.Field(nullable=True, description="a feature", metadata={"unit": "1"})
    u64: pl.UInt64 = pa.Field(nullable=True, description="a feature", metadata={"unit": "1"})
    f32: pl.Float32 = pa.Field(nullable=True, description="a feature", metadata={"unit": "1", "nan": "null"})
    f64: pl.Float64 = pa.Field(nullable=True, description="a feature", metadata={"unit": "1"})
    text: pl.String = pa.Field(nullable=True, description="a feature")
    raw: pl.Binary = pa.Field(nullable=True, description="a feature")
    day: pl.Date = pa.Field(nullable=True, description="a feature")
    at_ms: Annotated[pl.Datetime, "ms", "UTC"] = pa.Field(nullable=True, description="a feature")
    at_berlin: Annotated[pl.Datetime, "us", "Europe/Berlin"] = pa.Field(nullable=True, description="a feature")
    money: Annotated[pl.Decimal, 38, 4] = pa.Field(nullable=True, description="a feature", metadata={"unit": "1"})
    many: Annotated[pl.List, pl.Int64] = pa.Field(nullable=True, description="a feature", metadata={"unit": "1"})
    floats: Annotated[pl.List, pl.Float32] = pa.Field(nullable=True, description="a feature", metadata={"unit": "1"})
    words: Annotated[pl.List, pl.String] = pa.Field(nullable=True, description="a feature")
    moments: Annotated[pl.List, pl.Datetime("us", "UTC")] = pa.Field(nullable=True, description="a feature")
    vector: Annotated[pl.Array, pl.Float32, 2] = pa.Field(nullable=True, description="a feature", metadata={"unit": "1"})


class Checked(pa.DataFrameModel):
    """Every kind of check."""

    number: pl.Int16 = pa.Field(ge=-2, le=30_000, description="a key")
    event_timestamp: TIME = pa.Field(description="when")
    low: pl.Int32 = pa.Field(gt=-5, lt=5, ne=0, description="a feature", metadata={"unit": "1"})
    share: pl.Float32 = pa.Field(ge=0.1, lt=0.7, description="a feature", metadata={"unit": "1"})
    wide: pl.Float64 = pa.Field(in_range={"min_value": 0, "max_value": 1, "include_max": False}, description="a feature", metadata={"unit": "1"})
    colour: pl.String = pa.Field(isin=["red", "green", "r|g"], description="a feature")
    code: pl.String = pa.Field(str_matches=r"^[A-Z]{2}\\d+(-x|y)?$", description="a feature")
    size: pl.String = pa.Field(str_length={"min_value": 1, "max_value": 3}, nullable=True, description="a feature")
    start: pl.String = pa.Field(str_startswith="ab", str_contains="c", description="a feature")
    other: pl.String = pa.Field(notin=["a", ""], description="a feature")
    until: pl.Date = pa.Field(description="a feature")
    money: Annotated[pl.Decimal, 10, 2] = pa.Field(ge=0, description="a feature", metadata={"unit": "1"})


class Asked(pa.DataFrameModel):
    """A request."""

    amount: pl.Float64 = pa.Field(ge=0, lt=100, description="a request value", metadata={"unit": "1"})
    label: pl.String = pa.Field(nullable=True, isin=["a", "b"], description="a request value")


class Computed(pa.DataFrameModel):
    """On demand."""

    shifted: pl.Float64 = pa.Field(nullable=True, description="a feature", metadata={"unit": "1"})
    named: pl.String = pa.Field(nullable=True, description="a feature")
'''

DEFINITIONS = '''
from datetime import timedelta

import polars as pl

from featurestore import Entity, Frame, feature_service, feature_view, on_demand_feature_view, source
from schemas.zoo import Animals, Asked, Checked, Computed, Raw

raw = source("raw", Raw, "data/raw/zoo.csv", owner="test")
pair = Entity("pair", ("left", "right"))
number = Entity("number", ("number",))


@feature_view(entity=pair, owner="test", ttl=timedelta(hours=2), delay=timedelta(minutes=3), every=timedelta(minutes=10))
def animals(raw: Frame[Raw]) -> Frame[Animals]:
    """Every dtype."""
    return pl.LazyFrame(schema=Animals.to_schema().dtypes)


@feature_view(entity=number, owner="test", every=timedelta(days=1))
def checked(raw: Frame[Raw]) -> Frame[Checked]:
    """Every kind of check."""
    return pl.LazyFrame(schema=Checked.to_schema().dtypes)


@on_demand_feature_view(sources=(animals["f64", "text"], checked["low"]), owner="test")
def computed(rows: Frame[Asked]) -> Frame[Computed]:
    """On demand."""
    return rows.select(
        shifted=pl.col("f64") / pl.col("amount") + pl.col("low"),
        named=pl.col("text") + pl.col("label").fill_null("?"),
    )


zoo = feature_service("zoo", (animals, checked["colour", "share"], computed), owner="test")
'''


def write_menagerie(folder: Path) -> Path:
    """Write the files of the project."""
    init(folder)
    (folder / "schemas/zoo.py").write_text(SCHEMAS)
    (folder / "feature_repo/zoo.py").write_text(DEFINITIONS)
    return folder
