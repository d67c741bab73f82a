"""Samples of the server's docs are plausible, keep their contract, and hold no row of the data."""

import shutil
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated

import msgspec
import pandera.polars as pa
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import examples

from featurestore.adapters.bodies import CSV, JSON_LINES, scan_body
from featurestore.definitions.contract import contract_of
from featurestore.definitions.source import source
from featurestore.quality.gate.inspection import inspect
from featurestore.service.api.examples import dataset_bodies, lookup_rows, push_request, write_request
from featurestore.service.api.openapi import docs_page, openapi
from featurestore.service.api.routes import DOCUMENTED
from featurestore.service.api.sample_rows import sample_row
from featurestore.service.api.sample_text import matching_text
from featurestore.service.lookup.active_release import ActiveRelease
from featurestore.service.runtime.options import Options
from featurestore.vectors.pushed_rows import pushed_rows

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
Timestamp = Annotated[pl.Datetime, "us", "UTC"]


class Parcels(pa.DataFrameModel):
    """Rules of one column: patterns, lists, lengths, bounds, and code."""

    code: pl.String = pa.Field(unique=True, str_matches="^[A-Z]{2}-[0-9]{4}$")
    kind: pl.String = pa.Field(isin=["letter", "box"])
    label: pl.String = pa.Field(str_length={"min_value": 12, "max_value": 14}, str_startswith="PX")
    email: pl.String = pa.Field(str_contains="@")
    weight: pl.Float32 = pa.Field(gt=0, lt=0.01)
    stars: pl.Int8 = pa.Field(in_range={"min_value": 1, "max_value": 5, "include_min": False})
    share: pl.Float64 = pa.Field(ge=0, le=1)
    version: pl.Int64 = pa.Field(eq=7)
    floor: pl.UInt8 = pa.Field(notin=[12, 13, 1])
    even: pl.Int32
    sent: Timestamp = pa.Field(ge=datetime(2030, 1, 1, tzinfo=UTC))

    @pa.check("even")
    def is_even(cls, data):
        """Even, above 100."""
        return data.lazyframe.select((pl.col(data.key) % 2 == 0) & (pl.col(data.key) > 100))


class Trips(pa.DataFrameModel):
    """Rules over several columns."""

    started_at: Timestamp
    ended_at: Timestamp
    low: pl.Float64 = pa.Field(ge=0, le=100)
    high: pl.Float64 = pa.Field(ge=0, le=100)
    hour: pl.Int64 = pa.Field(ge=0, le=23)
    minute: pl.Int64 = pa.Field(ge=0, le=59)
    clock: pl.Int64 = pa.Field(ge=0, le=2359)
    cancelled: pl.Boolean
    reason: pl.String = pa.Field(nullable=True)

    @pa.dataframe_check
    def in_order(cls, data):
        """It ends later, and low is below high."""
        return data.lazyframe.select(
            (pl.col("ended_at") > pl.col("started_at")) & (pl.col("low") < pl.col("high"))
        )

    @pa.dataframe_check
    def clock_in_its_parts(cls, data):
        """Hour and minute make the clock."""
        return data.lazyframe.select(pl.col("hour") * 100 + pl.col("minute") == pl.col("clock"))

    @pa.dataframe_check
    def reason_if_cancelled(cls, data):
        """A reason is given only for what is cancelled."""
        return data.lazyframe.select(pl.col("cancelled") == pl.col("reason").is_not_null())


class Kinds(pa.DataFrameModel):
    """Columns of all kinds that CSV can hold, with raw dates in a format of their own."""

    day: pl.Date = pa.Field(metadata={"format": "%d/%m/%Y"})
    at: Timestamp
    local: Annotated[pl.Datetime, "ms", None]
    price: Annotated[pl.Decimal, 10, 2] = pa.Field(ge=Decimal("0.01"))
    grade: Annotated[pl.Enum, ["a", "b"]]
    small: Annotated[pl.Decimal, 3, 2]
    rate: pl.Float64 = pa.Field(ge=Decimal("0.5"), le=float("inf"))
    later: pl.Date = pa.Field(ge=date(2031, 5, 1))
    never: Annotated[pl.Enum, []] = pa.Field(nullable=True)
    flag: pl.Boolean
    nothing: pl.String = pa.Field(nullable=True, str_matches="^$")


class Nested(pa.DataFrameModel):
    """Columns that only JSON can hold."""

    tags: pl.List(pl.String)
    point: Annotated[pl.Array, pl.Float32, 2]


class Impossible(pa.DataFrameModel):
    """No row keeps it."""

    low: pl.Int64 = pa.Field(ge=5, le=4)


@pytest.mark.parametrize("model", [Parcels, Trips, Kinds, Nested])
def test_a_sample_keeps_every_rule(model):
    """The gate of datasets passes it, so its values have the right dtypes, bounds, patterns and relations."""
    contract = contract_of(model)
    row = sample_row(contract, NOW)
    frame = pl.DataFrame([row], schema=contract.schema)
    verdict = inspect(frame, contract, dataset="sample").verdict
    assert (verdict.decision, verdict.rules) == ("passed", ())


@pytest.mark.parametrize("model", [Parcels, Trips, Kinds, Nested])
def test_the_text_of_a_sample_keeps_every_rule(model, tmp_path):
    """CSV and JSON lines are read and validated as the server does; CSV is left out where it cannot hold a column."""
    node = source("samples", model, "samples.csv", owner="shop", null_values=("NA",))
    bodies = dataset_bodies(node, NOW)
    assert set(bodies) == ({JSON_LINES} if model is Nested else {CSV, JSON_LINES})
    for media, text in bodies.items():
        path = tmp_path / "body"
        path.write_text(text)
        verdict = inspect(scan_body(path, media, node), node.contract, dataset="sample").verdict
        assert (media, verdict.decision, verdict.rules, verdict.rows_in) == (media, "passed", (), 1)


def test_a_sample_is_plausible():
    """Values look like what the column is named for, and times are of yesterday, in their order."""
    parcel = sample_row(contract_of(Parcels), NOW)
    assert (parcel["code"], parcel["kind"], parcel["email"], parcel["share"]) == (
        "AB-3456",
        "box",
        "ada@example.com",
        0.5,
    )
    trip = sample_row(contract_of(Trips), NOW)
    assert date(2026, 2, 28) == trip["started_at"].date()
    assert timedelta(0) < trip["ended_at"] - trip["started_at"] < timedelta(hours=2)
    assert sample_row(contract_of(Kinds), NOW)["nothing"] in ("", None)


def test_a_contract_that_no_row_keeps_has_no_sample():
    """Nothing is shown rather than a row that the gate refuses."""
    assert sample_row(contract_of(Impossible), NOW) is None
    node = source("samples", Impossible, "samples.csv", owner="shop")
    assert dataset_bodies(node, NOW) == {}


@given(
    low=st.integers(-(2**40), 2**40),
    width=st.integers(0, 10**6),
    include=st.booleans(),
)
@examples(15)
def test_bounds_are_kept(low, width, include):
    """A sample is in its range, for every range, with and without its ends."""
    width += 0 if include else 2
    bounds = {"min_value": low, "max_value": low + width, "include_min": include, "include_max": include}

    class Bounded(pa.DataFrameModel):
        items: pl.Int64 = pa.Field(in_range=bounds)
        weight: pl.Float64 = pa.Field(in_range=bounds)

    row = sample_row(contract_of(Bounded), NOW)
    for value in row.values():
        assert low <= value <= low + width
        assert include or low < value < low + width


@pytest.mark.parametrize(
    "pattern",
    [
        r"^[A-Z]{2}-[0-9]{4}$",
        r"^N[0-9]{1,5}[A-Z]*$",
        r"^\d{3}\.\w+@(com|org)$",
        r"[^a-z_]+",
        r"^\S+\s\S+$",
        r"^(?:a|b)c?[^-]$",
        r"(ab)\1",
        r"^.{5,}$",
        r"[é-ü]{2}",
    ],
)
def test_text_matches_its_pattern(pattern):
    """Classes, ranges, repetitions, alternatives, groups."""
    assert pl.Series([matching_text(pattern)]).str.contains(pattern.replace(r"(ab)\1", "abab")).to_list() == [
        True
    ]


def test_a_pattern_that_cannot_be_read_has_no_text():
    """The parser of Python knows less than Rust's."""
    assert matching_text("[") is None
    assert matching_text(r"\p{Lu}") is None


@pytest.fixture(scope="module")
def release(shared_shop):
    """The shop with a training set and an online store."""
    shared_shop.training_set("visits")
    shared_shop.materialize()
    return ActiveRelease(Options(root=str(shared_shop.settings.root)))


def test_no_sample_is_a_row_of_the_data(release, shared_shop):
    """A row to look up is none of the training set's, although the docs are open to all who reach the server."""
    [row] = lookup_rows(release.endpoint("buying"), release)
    visits = pl.read_parquet(shared_shop.layout.training("visits")).select("customer", "basket").rows()
    assert visits
    assert tuple(row.values()) not in visits
    orders = pl.read_csv(shared_shop.settings.root / "data/raw/orders.csv")
    document = openapi(release, DOCUMENTED, keys_required=False)
    body = document["paths"]["/v1/datasets/orders/validate"]["post"]["requestBody"]["content"][CSV]["example"]
    assert body.splitlines()[0] == ",".join(orders.columns)
    for column, value in zip(orders.columns, body.splitlines()[1].split(","), strict=True):
        assert value not in orders[column].cast(pl.String).drop_nulls().to_list(), column


def test_the_data_do_not_change_the_samples(shop):
    """Without any data the samples are the same."""
    shop.training_set("visits")
    release = ActiveRelease(Options(root=str(materialized(shop).settings.root)))
    with_data = openapi(release, DOCUMENTED, keys_required=False)
    shutil.rmtree(shop.layout.training("visits").parent)
    shutil.rmtree(shop.layout.features("last_order").parent)
    assert openapi(release, DOCUMENTED, keys_required=False) == with_data


def test_a_pushed_sample_is_accepted(shop):
    """Both forms of a push hold a row that the view's gate accepts."""
    release = ActiveRelease(Options(root=str(materialized(shop).settings.root)))
    push, write = push_request(release), write_request(release)
    assert push["push_source_name"] == write["feature_view_name"] == "last_order"
    assert push["df"] == write["df"]
    sent = msgspec.json.decode(msgspec.json.encode(push["df"]))
    before = pl.read_parquet(shop.layout.features("last_order")).height
    shop.push("last_order", pushed_rows(shop.catalog.view("last_order"), sent))
    pushed = pl.concat(pl.read_parquet(path) for path in shop.layout.pushed("last_order").rglob("*.parquet"))
    assert (before > 0, pushed.height) == (True, 1)


def materialized(shop):
    shop.materialize()
    return shop


def test_operations_are_in_groups(release):
    """Each operation has one group, the groups are described, and the page shows them in their order."""
    document = openapi(release, DOCUMENTED, keys_required=True)
    groups = [tag["name"] for tag in document["tags"]]
    assert groups == ["Features", "Writes", "Datasets", "Server"]
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert {len(operation["tags"]) for operation in operations} == {1}
    assert {operation["tags"][0] for operation in operations} == set(groups)
    page = docs_page(document)
    places = [page.index(f'<h2 id="{group}">') for group in groups]
    paths = [
        page.index(f'data-path="{path}"')
        for path in ("/v1/vectors/buying", "/push", "/v1/datasets", "/health")
    ]
    assert sorted([*places, *paths]) == [place for pair in zip(places, paths, strict=True) for place in pair]
