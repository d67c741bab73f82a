"""The shop (tests/shop.py) with a view of windows over its orders, a service with on-demand features, and a training set."""

from pathlib import Path

from shop import write_files

import featurestore

SCHEMAS = '''

class Ordered(pa.DataFrameModel):
    """An order as an event."""

    customer: pl.Int64 = pa.Field(description="who ordered")
    event_timestamp: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="when")
    created_timestamp: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(nullable=True, description="when known")
    order: pl.Int64 = pa.Field(description="number")
    amount: pl.Float64 = pa.Field(nullable=True, description="worth", metadata={"unit": "EUR"})


class Spending(pa.DataFrameModel):
    """What a customer ordered lately."""

    customer: pl.Int64 = pa.Field(description="who ordered")
    orders_3d: pl.Int32 = pa.Field(ge=0, description="orders of three days", metadata={"unit": "1"})
    spent_3d: pl.Float64 = pa.Field(ge=0, description="worth of three days", metadata={"unit": "EUR"})
    mean_paid: pl.Float32 = pa.Field(nullable=True, description="mean above 0 EUR", metadata={"unit": "EUR"})


class Expected(pa.DataFrameModel):
    """The basket beside what the customer spent."""

    share: pl.Float64 = pa.Field(nullable=True, description="basket over spent", metadata={"unit": "1"})
'''

DEFINITIONS = '''
@feature_view(
    entity=customer,
    owner="shop",
    schema=Spending,
    identity=("order",),
    windows={
        "orders_3d": windows.count(over="3d"),
        "spent_3d": windows.sum("amount", over="3d"),
        "mean_paid": windows.mean("amount", over="lifetime", where=pl.col("amount") > 0),
    },
)
def spending(orders: Frame[RawOrders]) -> Frame[Ordered]:
    """What a customer ordered in the last three days."""
    return orders.select(
        "customer", "order", "amount", event_timestamp="ordered_at", created_timestamp="loaded_at"
    )


@on_demand_feature_view(sources=(spending["spent_3d"],), owner="shop")
def basket_share(rows: Frame[Basket]) -> Frame[Expected]:
    """The basket beside what the customer spent in three days."""
    return rows.select(share=pl.col("basket") / (pl.col("basket") + pl.col("spent_3d")))


spenders = feature_service("spenders", (last_order, spending, basket_share), owner="shop")


@training_set(service=spenders, label="bought", owner="shop")
def spender_visits(orders: Frame[RawOrders]) -> Frame[Visits]:
    """An hour before each order."""
    return orders.select(
        "customer",
        basket="amount",
        event_timestamp=pl.col("ordered_at") - timedelta(hours=1),
        bought=pl.lit(True),
    ).drop_nulls("basket")


'''


def write_window_shop(folder: Path) -> Path:
    """Write the files of the shop with windows."""
    write_files(folder)
    schemas, definitions = folder / "schemas/shop.py", folder / "feature_repo/shop.py"
    schemas.write_text(schemas.read_text() + SCHEMAS)
    text = definitions.read_text().replace("    training_set,\n", "    training_set, windows,\n")
    text = text.replace(
        "on_demand_feature_view, source, training_set,",
        "on_demand_feature_view, source, training_set, windows,",
    )
    text = text.replace("import Basket,", "import Expected, Ordered, Spending, Basket,")
    definitions.write_text(
        text.replace("buying = feature_service(", f"{DEFINITIONS}buying = feature_service(", 1)
    )
    return folder


def build_window_shop(folder: Path) -> featurestore.Project:
    """Write, validate and build the shop with windows."""
    project = featurestore.open(write_window_shop(folder))
    project.validate("orders")
    project.build("last_order")
    project.build("spending")
    return project
