"""Small Feast repositories in the shapes that public ones have, each with a few rows."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from featurestore.adapters.feast.library import load_feast

# The tests that read these repositories import Feast next.
load_feast()
DAY = datetime(2026, 1, 10, tzinfo=UTC)
IMPORTS = """\
from datetime import timedelta

import pandas as pd
from feast import (
    BatchFeatureView, BigQuerySource, Entity, FeatureService, FeatureView, Field, FileSource, KafkaSource, LabelView, PushSource, RequestSource,
    ValueType,
)
from feast.data_format import DeltaFormat, JsonFormat
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Array, Bool, Float32, Float64, Int32, Int64, String, UnixTimestamp
"""
SETTINGS = """\
project: {name}
registry: data/registry.db
provider: local
online_store:
    type: sqlite
    path: data/online_store.db
entity_key_serialization_version: 3
"""


def hours(*offsets: float) -> list[datetime]:
    """Return timestamps at hours after the first day."""
    return [DAY + timedelta(hours=offset) for offset in offsets]


def write(
    folder: Path, modules: dict[str, str], files: dict[str, pl.DataFrame], settings: str = SETTINGS
) -> Path:
    """Write a repository: settings, modules and Parquet files."""
    for name, text in {"feature_store.yaml": settings.replace("{name}", folder.name), **modules}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name, rows in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rows.write_parquet(path)
    return folder


def rows(key: str = "driver_id", keys: tuple = (1, 1, 2), **columns) -> pl.DataFrame:
    """Return rows of a key, an hour apart."""
    times = hours(*range(len(keys)))
    return pl.DataFrame({key: keys, "event_timestamp": times, **columns})


def one_view(**options: str) -> str:
    """Return a module with one entity, one file and one view of it, with options of the view."""
    words = {
        "name": '"stats"',
        "entities": "[driver]",
        "source": "source",
        "ttl": "timedelta(days=1)",
        **options,
    }
    return (
        IMPORTS
        + 'driver = Entity(name="driver", join_keys=["driver_id"], value_type=ValueType.INT64)\n'
        + 'source = FileSource(name="rides", path="data/rides.parquet", timestamp_field="event_timestamp")\n'
        + f"stats = FeatureView({', '.join(f'{key}={value}' for key, value in words.items())})\n"
    )


def plain(folder: Path) -> Path:
    """One view whose schema Feast infers, with no created timestamps."""
    return write(
        folder, {"repo.py": one_view()}, {"data/rides.parquet": rows(trips=[1, 2, 3], rate=[0.5, 0.1, 0.2])}
    )


def credit(folder: Path) -> Path:
    """Two entities, text keys, created timestamps of a nightly load, mapped names, a service of both, a class that decides."""
    module = (
        IMPORTS
        + """
zipcode = Entity(name="zipcode", join_keys=["zipcode"], value_type=ValueType.INT64, description="a postal area")
person = Entity(name="person", join_keys=["dob_ssn"], value_type=ValueType.STRING)
zip_source = FileSource(path="data/zip.parquet", timestamp_field="event_timestamp", created_timestamp_column="created_timestamp",
    field_mapping={"pop": "population"})
loans = FileSource(name="loans", path="data/loans.parquet", timestamp_field="event_timestamp")
zip_view = FeatureView(name="zipcode_features", entities=[zipcode], ttl=timedelta(days=3650), source=zip_source, owner="risk",
    schema=[Field(name="zipcode", dtype=Int64), Field(name="city", dtype=String), Field(name="population", dtype=Int64)])
loan_view = FeatureView(name="credit_history", entities=[person], ttl=timedelta(days=90), source=loans,
    schema=[Field(name="due", dtype=Float32, tags={"unit": "USD"}), Field(name="missed", dtype=Int64)], tags={"team": "risk"})
request = RequestSource(name="loan", schema=[Field(name="amount", dtype=Int64)])


@on_demand_feature_view(sources=[loan_view, request], schema=[Field(name="ratio", dtype=Float64)])
def burden(inputs: pd.DataFrame) -> pd.DataFrame:
    out = pd.DataFrame()
    out["ratio"] = (inputs["due"] + inputs["amount"]).clip(lower=0.0)
    return out


scoring = FeatureService(name="scoring", features=[zip_view, loan_view[["missed"]], burden], tags={"stage": "prod"})
"""
    )
    zips = rows(
        "zipcode", (10, 10, 20), city=["A", "A", "B"], pop=[1, 2, 3], created_timestamp=hours(9, 9, 1)
    )
    loans = rows("dob_ssn", ("x", "y", "x"), due=[1.1, 2.2, None], missed=[0, 1, 2])
    return write(folder, {"features.py": module}, {"data/zip.parquet": zips, "data/loans.parquet": loans})


def backfilled(folder: Path) -> Path:
    """All rows written by one late backfill, twice for an event, as in Feast's own quickstart."""
    module = one_view().replace(
        '"event_timestamp")', '"event_timestamp", created_timestamp_column="created")'
    )
    data = pl.DataFrame({
        "driver_id": [1, 1, 1, 2],
        "event_timestamp": hours(0, 1, 1, 1),
        "created": hours(100, 100, 101, 100),
        "trips": [1, 2, 3, 4],
    })  # fmt: skip
    return write(folder, {"repo.py": module}, {"data/rides.parquet": data})


def embeddings(folder: Path) -> Path:
    """Two keys, lists of floats, booleans, timestamps and dates without a zone, categories."""
    module = (
        IMPORTS
        + """
user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.STRING)
item = Entity(name="item", join_keys=["item_id"], value_type=ValueType.INT64)
source = FileSource(name="clicks", path="data/clicks.parquet", timestamp_field="ts")
clicks = FeatureView(name="user_item", entities=[user, item], source=source, schema=[
    Field(name="vector", dtype=Array(Float32)), Field(name="liked", dtype=Bool), Field(name="seen", dtype=UnixTimestamp),
    Field(name="genre", dtype=String)])
"""
    )
    naive = [time.replace(tzinfo=None) for time in hours(0, 1, 2)]
    data = pl.DataFrame({
        "user_id": ["a", "b", "a"],
        "item_id": [1, 1, 1],
        "ts": pl.Series(naive, dtype=pl.Datetime("ns")),
        "vector": pl.Series([[0.5, 1.5], [2.5], None], dtype=pl.List(pl.Float32)),
        "liked": [True, False, None],
        "seen": naive,
        "genre": pl.Series(["x", "y", "x"], dtype=pl.Categorical),
    })  # fmt: skip
    return write(folder, {"repo.py": module}, {"data/clicks.parquet": data})


def aliases(folder: Path) -> Path:
    """One view read twice by a service, under other names and keys."""
    module = (
        IMPORTS
        + """
location = Entity(name="location", join_keys=["location_id"], value_type=ValueType.INT64)
source = FileSource(name="weather", path="data/weather.parquet", timestamp_field="event_timestamp")
temperature = FeatureView(name="temperature", entities=[location], source=source, schema=[Field(name="degrees", dtype=Int64)])
trip = FeatureService(name="trip", features=[
    temperature.with_name("origin").with_join_key_map({"location_id": "origin_id"}),
    temperature.with_name("destination").with_join_key_map({"location_id": "destination_id"}),
])
"""
    )
    return write(
        folder, {"repo.py": module}, {"data/weather.parquet": rows("location_id", degrees=[1, 2, 3])}
    )


def streams(folder: Path) -> Path:
    """A push source, a Kafka source with its batch file, and a service of both views with equal names."""
    module = one_view(
        source='PushSource(name="pushed", batch_source=source)', schema='[Field(name="trips", dtype=Int64)]'
    )
    module += """
kafka = KafkaSource(name="kafka", kafka_bootstrap_servers="localhost:9", topic="rides", timestamp_field="event_timestamp",
    message_format=JsonFormat(schema_json="trips integer"), batch_source=source)
live = FeatureView(name="live", entities=[driver], source=kafka, schema=[Field(name="trips", dtype=Int64)])
both = FeatureService(name="both", features=[stats, live])
"""
    return write(folder, {"repo.py": module}, {"data/rides.parquet": rows(trips=[1, 2, 3])})


def warehouse(folder: Path) -> Path:
    """Tables of a database, a Delta table, a bucket, a missing file, a CSV file; services that lose some or all of them."""
    module = (
        one_view(schema='[Field(name="trips", dtype=Int64)]')
        + """
def view(name, source):
    return FeatureView(name=name, entities=[driver], source=source, schema=[Field(name=f"{name}_x", dtype=Int64)])

table = view("table", BigQuerySource(name="orders", table="shop.orders", timestamp_field="ts"))
delta = view("delta", FileSource(name="d", path="data/delta", timestamp_field="ts", file_format=DeltaFormat()))
bucket = view("bucket", FileSource(name="b", path="s3://bucket/x.parquet", timestamp_field="ts"))
missing = view("missing", FileSource(name="m", path="data/missing.parquet", timestamp_field="ts"))
text = view("text", FileSource(name="c", path="data/text.csv", timestamp_field="ts"))
some = FeatureService(name="some", features=[stats, table])
none = FeatureService(name="none", features=[bucket])
"""
    )
    write(folder, {"repo.py": module}, {"data/rides.parquet": rows(trips=[1, 2, 3])})
    (folder / "data/text.csv").write_text("driver_id,ts,text_x\n1,2026-01-10T00:00:00Z,5\n")
    (folder / "data/delta").mkdir()
    return folder


def kinds(folder: Path) -> Path:
    """A BatchFeatureView with and without a function, a LabelView, a view without an entity."""
    module = (
        one_view(schema='[Field(name="trips", dtype=Int64)]')
        + """
batch = BatchFeatureView(name="batch", entities=[driver], source=source, ttl=timedelta(days=1), mode="pandas",
    schema=[Field(name="trips", dtype=Int64)])
computed = BatchFeatureView(name="computed", entities=[driver], source=source, mode="pandas", udf=lambda rows: rows,
    udf_string="lambda rows: rows", schema=[Field(name="trips", dtype=Int64)])
labels = LabelView(name="labels", entities=[driver], schema=[Field(name="good", dtype=Int64)], labeler_field="good",
    source=PushSource(name="labels_push", batch_source=FileSource(name="labels_file", path="data/labels.parquet",
        timestamp_field="event_timestamp")))
world = FeatureView(name="world", entities=[], source=source, schema=[Field(name="trips", dtype=Int64)])
"""
    )
    files = {"data/rides.parquet": rows(trips=[1, 2, 3]), "data/labels.parquet": rows(good=[1, 0, 1])}
    return write(folder, {"repo.py": module}, files)


def untidy(folder: Path) -> Path:
    """NaN, missing keys, keys as floats, two values at one time, names that Python refuses, a wrong type, a wider float."""
    module = (
        IMPORTS
        + """
driver = Entity(name="driver-entity", join_keys=["driver_id"])
source = FileSource(path="data/rides.v2.parquet", timestamp_field="event_timestamp")
stats = FeatureView(name="class", entities=[driver], source=source, ttl=timedelta(hours=1), description='Says "hello"\\nto all.',
    schema=[Field(name="7d count", dtype=Int64), Field(name="rate", dtype=Float32), Field(name="share", dtype=Int64),
            Field(name="absent", dtype=Int64), Field(name="note", dtype=Int64)])
service = FeatureService(name="pl", features=[stats[["rate"]]])
"""
    )
    data = pl.DataFrame({
        "driver_id": [1.0, 1.0, 2.0, 2.0, None, 3.0],
        "event_timestamp": hours(0, 1, 1, 1, 2, 3),
        "7d count": [1.0, float("nan"), 3.0, 4.0, 5.0, 6.0],
        "rate": [0.1, 0.2, float("nan"), 0.4, 0.5, 0.6],
        "share": [0.5, 1.0, 2.0, 2.0, 2.0, 2.0],
        "note": ["a", None, "c", "c", "c", "c"],
        "__index_level_0__": [0, 1, 2, 3, 4, 5],
    })  # fmt: skip
    return write(folder, {"repo.py": module}, {"data/rides.v2.parquet": data})


def packages(folder: Path) -> Path:
    """Modules in folders that import each other, a broken script that .feastignore leaves out, Parquet files in a folder."""
    parts = one_view(schema='[Field(name="trips", dtype=Int64)]').split("stats = ")
    modules = {
        "base/entities.py": parts[0].replace("rides.parquet", "rides"),
        "views/rides.py": f"{IMPORTS}from base.entities import driver, source\nstats = {parts[1]}",
        "services.py": "from feast import FeatureService\nfrom views.rides import stats\n\n"
        'rating = FeatureService(name="rating", features=[stats], description="How a driver does.", owner="fleet")\n',
        "scripts/train.py": "raise SystemExit('not a definition')\n",
        ".feastignore": "scripts\n",
    }
    files = {
        "data/rides/day=1/a.parquet": rows(trips=[1, 2, 3]),
        "data/rides/day=2/b.parquet": rows(trips=[4, 5, 6], keys=(7, 8, 9)),
    }
    return write(folder, modules, files)


def python_mode(folder: Path) -> Path:
    """On-demand views in Python, in pandas with arithmetic, and of request values alone."""
    module = (
        one_view(schema='[Field(name="trips", dtype=Int64), Field(name="rate", dtype=Float32)]')
        + """
request = RequestSource(name="now", schema=[Field(name="extra", dtype=Float64)])

@on_demand_feature_view(sources=[stats], schema=[Field(name="doubled", dtype=Int64)], mode="python")
def doubled(inputs: dict) -> dict:
    return {"doubled": [value * 2 for value in inputs["trips"]]}

@on_demand_feature_view(sources=[stats, request], schema=[Field(name="total", dtype=Float64), Field(name="mean", dtype=Float64)])
def total(inputs: pd.DataFrame) -> pd.DataFrame:
    df = pd.DataFrame()
    df["total"] = -inputs["trips"] * 1.5 + inputs["rate"] - inputs["extra"]
    df["mean"] = df["total"] * 3
    return df
"""
    )
    data = rows(trips=[1, 2, 3], rate=pl.Series([0.1, None, 0.3], dtype=pl.Float32))
    return write(folder, {"repo.py": module}, {"data/rides.parquet": data})


def clashes(folder: Path) -> Path:
    """Features of two views with one name, read by on-demand views; a key with two dtypes; a request value named as a feature."""
    module = (
        one_view(schema='[Field(name="trips", dtype=Float64)]')
        + """
other = FeatureView(name="other", entities=[driver], schema=[Field(name="trips", dtype=Float64)],
    source=FileSource(name="other_file", path="data/other.parquet", timestamp_field="event_timestamp"))
request = RequestSource(name="now", schema=[Field(name="trips", dtype=Float64)])

@on_demand_feature_view(sources=[stats], schema=[Field(name="more", dtype=Float64)])
def more(inputs: pd.DataFrame) -> pd.DataFrame:
    df = pd.DataFrame()
    df["more"] = inputs["trips"] + 1
    return df

@on_demand_feature_view(sources=[other], schema=[Field(name="more", dtype=Float64)])
def again(inputs: pd.DataFrame) -> pd.DataFrame:
    df = pd.DataFrame()
    df["more"] = inputs["trips"] + 2
    return df

@on_demand_feature_view(sources=[stats, request], schema=[Field(name="twice", dtype=Float64)])
def twice(inputs: pd.DataFrame) -> pd.DataFrame:
    df = pd.DataFrame()
    df["twice"] = inputs["trips"] * 2
    return df

computed = FeatureService(name="computed", features=[more, again, twice])
keys = FeatureService(name="keys", features=[stats, other])
"""
    )
    narrow = rows(trips=[1.0, 2.0, 3.0]).with_columns(pl.col("driver_id").cast(pl.Int32))
    return write(
        folder,
        {"repo.py": module},
        {"data/rides.parquet": rows(trips=[1.0, 2.0, 3.0]), "data/other.parquet": narrow},
    )


SHAPES = (
    clashes,
    plain, credit, backfilled, embeddings, aliases, streams, warehouse, kinds, untidy, packages, python_mode,
)  # fmt: skip
