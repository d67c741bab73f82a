"""The shop with the orders of the last days: a windowed view beside a view of rows."""

from pathlib import Path

import shop

import featurestore

SCHEMAS = '''

class Ordered(pa.DataFrameModel):
    """An order as an event."""

    customer: pl.Int64 = pa.Field(description="who ordered")
    event_timestamp: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="when")
    created_timestamp: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(nullable=True, description="when known")
    order: pl.Int64 = pa.Field(description="number")
    amount: pl.Float64 = pa.Field(nullable=True, description="worth", metadata={"unit": "EUR"})


class Corrected(Ordered):
    """An order as an event that may be corrected."""


class Orders3d(pa.DataFrameModel):
    """The orders of the last three days."""

    customer: pl.Int64 = pa.Field(description="who ordered")
    orders_3d: pl.Int32 = pa.Field(ge=0, description="orders", metadata={"unit": "1"})
    amount_3d: pl.Float64 = pa.Field(ge=0, description="worth", metadata={"unit": "EUR"})
    mean_3d: pl.Float32 = pa.Field(nullable=True, description="worth", metadata={"unit": "EUR"})
'''
VIEWS = '''
WINDOWS = {
    "orders_3d": windows.count(over="3d"),
    "amount_3d": windows.sum("amount", over="3d"),
    "mean_3d": windows.mean("amount", over="3d"),
}


@feature_view(entity=customer, owner="shop", schema=Orders3d, windows=WINDOWS)
def orders_3d(orders: Frame[RawOrders]) -> Frame[Ordered]:
    """The orders of the last three days."""
    return orders.select(
        "customer", "order", "amount", event_timestamp="ordered_at", created_timestamp="loaded_at"
    )


@feature_view(entity=customer, owner="shop", schema=Orders3d, windows=WINDOWS, identity=("order",))
def corrected_3d(orders: Frame[RawOrders]) -> Frame[Corrected]:
    """The orders of the last three days; an order that comes again replaces itself."""
    return orders.select(
        "customer", "order", "amount", event_timestamp="ordered_at", created_timestamp="loaded_at"
    )


recent = feature_service("recent", (last_order, orders_3d), owner="shop")
'''


def build_event_shop(folder: Path) -> featurestore.Project:
    """Write the shop, validate its orders and build all of its views."""
    shop.write_files(folder)
    schemas, views = folder / "schemas/shop.py", folder / "feature_repo/shop.py"
    schemas.write_text(schemas.read_text() + SCHEMAS)
    text = views.read_text().replace(
        "from schemas.shop import",
        "from featurestore import windows\nfrom schemas.shop import Corrected, Ordered, Orders3d,",
    )
    views.write_text(text + VIEWS)
    project = shop.build_shop(folder)
    project.build("orders_3d")
    project.build("corrected_3d")
    return project
