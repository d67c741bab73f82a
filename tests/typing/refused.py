"""User code that must not type-check: mypy reports the errors of each `# expect:`, no others."""

from datetime import datetime, timedelta

import pandera.polars as pa
import polars as pl

import featurestore
from featurestore import (
    Entity,
    Frame,
    PackageFile,
    Project,
    dataset,
    feature_service,
    feature_view,
    on_demand_feature_view,
    source,
    training_set,
)


class Rows(pa.DataFrameModel):
    """Rows."""

    customer: pl.Int64 = pa.Field(description="who")


customer = Entity("customer", ("customer",))
rows = source("rows", Rows, "data/raw/rows.csv", owner="shop")

# Sources.
source("rows", Rows, "data/raw/rows.csv")  # expect: call-arg
source("rows", Rows(), "data/raw/rows.csv", owner="shop")  # expect: arg-type
source("rows", str, "data/raw/rows.csv", owner="shop")  # expect: arg-type
source("rows", Rows, "data/raw/rows.csv", owner="shop", origin="package")  # expect: arg-type
source("rows", Rows, "data/raw/rows.csv", owner="shop", null_values="NA")  # expect: arg-type
PackageFile("package")  # expect: call-arg
Entity("customer", "customer")  # expect: arg-type


# Views.
@feature_view(entity="customer", owner="shop")  # expect: arg-type
def entity_by_name(rows: Frame[Rows]) -> Frame[Rows]:
    """An entity is an object."""
    return rows


@feature_view(entity=customer)  # expect: call-arg
def without_owner(rows: Frame[Rows]) -> Frame[Rows]:
    """An owner is needed."""
    return rows


@feature_view(entity=customer, owner="shop", ttl=5)  # expect: arg-type
def ttl_without_unit(rows: Frame[Rows]) -> Frame[Rows]:
    """A duration has a unit."""
    return rows


@feature_view(entity=customer, owner="shop", delay="1h")  # expect: arg-type
def delay_as_text(rows: Frame[Rows]) -> Frame[Rows]:
    """A duration is not a text."""
    return rows


@dataset(owner="shop")  # expect: arg-type
def eager(rows: Frame[Rows]) -> pl.DataFrame:
    """A transformation is lazy."""
    return rows.collect()


@dataset(owner="shop")
def collected(rows: Frame[Rows]) -> Frame[Rows]:
    """The result is a lazy frame."""
    return rows.collect()  # expect: return-value


@dataset(owner="shop")
def nothing(rows: Frame[Rows]) -> Frame[Rows]:
    """The result is not missing."""
    return None  # expect: return-value


@dataset  # expect: arg-type, call-arg
def bare(rows: Frame[Rows]) -> Frame[Rows]:
    """A decorator is called."""
    return rows


@dataset(owner="shop")
def misspelt(rows: Frame[Rows]) -> Frame[Rows]:
    """A frame has the methods of Polars."""
    return rows.fliter(pl.col("customer") > 0)  # expect: attr-defined, no-any-return


@feature_view(entity=customer, owner="shop", ttl=timedelta(days=1))
def view(rows: Frame[Rows]) -> Frame[Rows]:
    """A view."""
    return rows


view[1]  # expect: index
view(rows)  # expect: operator
view.aliased("other", "customer")  # expect: arg-type


@on_demand_feature_view(sources=view, owner="shop")  # expect: arg-type
def sources_not_in_a_tuple(rows: Frame[Rows]) -> Frame[Rows]:
    """Sources are a tuple."""
    return rows


# Services and training sets.
feature_service("one", view, owner="shop")  # expect: arg-type
feature_service("one", (rows,), owner="shop")  # expect: arg-type
feature_service("one", ("view",), owner="shop")  # expect: arg-type
all_rows = feature_service("one", (view,), owner="shop")


@training_set(service="one", label="bought", owner="shop")  # expect: arg-type
def service_by_name(rows: Frame[Rows]) -> Frame[Rows]:
    """A service is an object."""
    return rows


@training_set(service=all_rows, owner="shop")  # expect: call-arg
def without_label(rows: Frame[Rows]) -> Frame[Rows]:
    """A label is needed."""
    return rows


def use(project: Project, now: datetime) -> None:
    """Methods of the project and of what they return."""
    featurestore.open(1)  # expect: arg-type
    project.bulid("rows")  # expect: attr-defined
    project.materialize(until=1)  # expect: arg-type
    project.historical(None, 1)  # expect: call-overload
    project.validate("rows").rows_quarantined = 0  # expect: misc
    reader = project.reader("one")
    reader.read([{"customer": 1}])  # expect: call-arg
    reader.read({"customer": 1}, as_of=now)  # expect: arg-type
    reader.read([{"customer": 1}], as_of="2024-01-01")  # expect: arg-type
    _ = reader.read([{"customer": 1}], as_of=now).value  # expect: attr-defined
