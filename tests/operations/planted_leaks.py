"""Views of the shop that know the future, each in a way of its own, and views that do not."""

import polars as pl
from shop import write_files

import featurestore

KNOWN = '"known": ("loaded_at", "ordered_at")'
HEAD = '''
from datetime import timedelta

import pandera.polars as pa
import polars as pl

from feature_repo.shop import customer
from featurestore import Frame, dataset, feature_view
from schemas.shop import RawOrders, Timestamp


class Sorted(pa.DataFrameModel):
    """Orders by time."""

    order: pl.Int64 = pa.Field(unique=True, description="number")
    customer: pl.Int64 = pa.Field(description="who ordered")
    ordered_at: Timestamp = pa.Field(description="when")
    rank: pl.Int64 = pa.Field(description="orders of the customer from this one on")


@dataset(owner="shop")
def by_time(orders: Frame[RawOrders]) -> Frame[Sorted]:
    """Orders, each with the number of orders that follow it."""
    return orders.select("order", "customer", "ordered_at", rank=pl.len().over("customer"))
'''
VIEW = '''

class Of_NAME(pa.DataFrameModel):
    """One value."""

    customer: pl.Int64 = pa.Field(description="who ordered")
    event_timestamp: Timestamp = pa.Field(description="when")
    value: pl.Float64 = pa.Field(nullable=True, description="value", metadata={"unit": "1", "personal": PERSONAL})


@feature_view(entity=customer, by_key=BY_KEY, owner="shop", delay=DELAY)
def NAME(orders: Frame[INPUT]) -> Frame[Of_NAME]:
    """One value."""
    amount = pl.col("amount")
    orders = orders.sort("ordered_at", "order")
    return (BODY).with_columns(pl.col("value").cast(pl.Float64))
'''
ROWS = 'orders.select("customer", event_timestamp="ordered_at", value={})'
CLEAN = {
    "last_amount": ROWS.format("amount"),
    "total": ROWS.format('amount.fill_null(0).cum_sum().over("customer")'),
    "former": ROWS.format('amount.shift().over("customer")'),
    "rolled": """orders.rolling("ordered_at", period="3h", group_by="customer").agg(value=amount.sum())
        .rename({"ordered_at": "event_timestamp"})""",
    "arrived": """orders.filter(pl.col("returned_at").is_not_null())
        .select("customer", event_timestamp="returned_at", value="refund")""",
    "earlier": """orders.select("customer", event_timestamp="ordered_at").join_asof(
        orders.filter(pl.col("returned_at").is_not_null()).sort("returned_at")
        .select("customer", "returned_at", value="refund"),
        left_on="event_timestamp", right_on="returned_at", by="customer", check_sortedness=False)""",
    "difference": ROWS.format('amount.diff().over("customer")'),
    "best_so_far": ROWS.format('amount.cum_max().over("customer")'),
    "hours_since": ROWS.format('pl.col("ordered_at").diff().dt.total_hours().over("customer")'),
    "everyone": ROWS.format("amount.fill_null(0).cum_sum()"),
}
LEAKS = {
    "next_amount": ROWS.format('amount.shift(-1).over("customer")'),
    "sum_over": ROWS.format('amount.sum().over("customer")'),
    "whole_table": ROWS.format("amount.mean()"),
    "normalized": ROWS.format('(amount - amount.mean().over("customer")) / amount.std().over("customer")'),
    "backward_fill": ROWS.format('amount.backward_fill().over("customer")'),
    "interpolated": ROWS.format('amount.interpolate().over("customer")'),
    "centered": """orders.rolling("ordered_at", period="3h", offset="-1h", group_by="customer")
        .agg(value=amount.sum()).rename({"ordered_at": "event_timestamp"})""",
    "closed_ahead": """orders.rolling("ordered_at", period="2h", offset="0h", group_by="customer", closed="both")
        .agg(value=amount.sum()).rename({"ordered_at": "event_timestamp"})""",
    "daily": """orders.group_by_dynamic("ordered_at", every="1d", group_by="customer").agg(value=amount.sum())
        .rename({"ordered_at": "event_timestamp"})""",
    "last_of_all": ROWS.format('amount.sort_by("ordered_at").last().over("customer")'),
    "ranked": ROWS.format('amount.rank("min").over("customer")'),
    "reversed_total": ROWS.format('amount.fill_null(0).cum_sum(reverse=True).over("customer")'),
    "quantile": ROWS.format("(amount > amount.median()).cast(pl.Float64)"),
    "refund_now": ROWS.format('pl.col("refund")'),
    "label_echo": ROWS.format('pl.col("returned_at").is_not_null()'),
    "wrong_join": """orders.select("customer", event_timestamp="ordered_at").join_asof(
        orders.filter(pl.col("returned_at").is_not_null()).select("customer", "ordered_at", value="refund"),
        left_on="event_timestamp", right_on="ordered_at", by="customer", check_sortedness=False)""",
    "forward_join": """orders.select("customer", event_timestamp="ordered_at").join_asof(
        orders.select("customer", "ordered_at", value="amount"), left_on="event_timestamp",
        right_on="ordered_at", by="customer", strategy="forward", allow_exact_matches=False,
        check_sortedness=False)""",
    "equi_join": """orders.select("customer", event_timestamp="ordered_at")
        .join(orders.group_by("customer").agg(value=amount.max()), on="customer")""",
    "corrected": ROWS.format("amount") + '.unique(["customer", "value"], keep="last", maintain_order=True)',
    "survivors": 'orders.filter(pl.len().over("customer") > 2)'
    + ROWS.removeprefix("orders").format("amount"),
    "encoded": ROWS.format('pl.col("refund").is_not_null().mean().over("coupon")'),
    "shifted_time": """orders.select("customer", event_timestamp=pl.col("ordered_at") - timedelta(hours=2),
        value=amount)""",
    "exploded": 'orders.filter(pl.col("returned_at") > pl.col("ordered_at"))'
    + ROWS.removeprefix("orders").format("amount"),
    "next_difference": ROWS.format('amount.diff(-1).over("customer")'),
    "time_to_next": ROWS.format('pl.col("ordered_at").diff(-1).dt.total_hours().over("customer")'),
    "time_to_return": ROWS.format('(pl.col("returned_at") - pl.col("ordered_at")).dt.total_hours()'),
    "median_over": ROWS.format('amount.median().over("customer")'),
    "distinct_over": ROWS.format('pl.col("coupon").n_unique().over("customer")'),
    "count_of_all": ROWS.format("pl.len()"),
    "share_of_total": ROWS.format('amount / amount.sum().over("customer")'),
    "best_of_all": ROWS.format('amount == amount.max().over("customer")'),
    "position_of_best": ROWS.format('amount.arg_max().over("customer")'),
    "is_last": ROWS.format('pl.col("customer").is_last_distinct()'),
    "orders_left": ROWS.format('amount.cum_count(reverse=True).over("customer")'),
    "filled_with_mean": ROWS.format("amount.fill_null(amount.mean())"),
    "filled_backwards_in_time": 'orders.sort("ordered_at", descending=True)'
    + ROWS.removeprefix("orders").format('amount.forward_fill().over("customer")'),
    "clipped": ROWS.format("amount.clip(amount.quantile(0.2), amount.quantile(0.8))"),
    "scaled": ROWS.format("(amount - amount.min()) / (amount.max() - amount.min())"),
    "in_bins": ROWS.format('amount.rank("dense") // 5'),
    "by_coupon": ROWS.format('amount.mean().over("coupon")'),
    "smoothed_backwards": ROWS.format('amount.reverse().ewm_mean(alpha=0.5).reverse().over("customer")'),
    "rolling_centered": ROWS.format('amount.fill_null(0).rolling_mean(3, center=True).over("customer")'),
    "refunds_by_order_time": ROWS.format('pl.col("refund").fill_null(0).cum_sum().over("customer")'),
    "returned_before": ROWS.format('pl.col("returned_at").is_not_null().cum_sum().over("customer")'),
    "refunded_customers": ROWS.format('pl.col("refund").is_not_null().any().over("customer")'),
    "nearest_join": """orders.select("customer", event_timestamp="ordered_at").join_asof(
        orders.filter(pl.col("returned_at").is_not_null()).sort("returned_at")
        .select("customer", "returned_at", value="refund"), left_on="event_timestamp",
        right_on="returned_at", by="customer", strategy="nearest", check_sortedness=False)""",
    "same_day_join": """orders.select("customer", day=pl.col("ordered_at").dt.date(), event_timestamp="ordered_at").join(
        orders.group_by("customer", day=pl.col("ordered_at").dt.date()).agg(value=amount.sum()),
        on=["customer", "day"]).drop("day")""",
    "start_of_day": 'orders.group_by("customer", pl.col("ordered_at").dt.truncate("1d")).agg(value=amount.sum())'
    '.rename({"ordered_at": "event_timestamp"})',
    "hourly_ahead": """orders.group_by_dynamic("ordered_at", every="4h", group_by="customer", closed="right",
        label="left").agg(value=amount.sum()).rename({"ordered_at": "event_timestamp"})""",
    "top_orders": 'orders.top_k(6, by=pl.col("amount").fill_null(0))'
    + ROWS.removeprefix("orders").format("amount"),
    "pivoted": """orders.select("customer", event_timestamp="ordered_at").join(
        orders.unique("customer", keep="last", maintain_order=True).select("customer", value="amount"), on="customer")""",
}

# One order of many reads the future.
ONCE = ROWS.format('pl.when(pl.col("order") == 200).then(amount.sum().over("customer")).otherwise(amount)')


def view(name, body, *, by_key=False, personal=False, delay="timedelta(0)", schema="RawOrders"):
    """Write a view of one value."""
    words = {
        "NAME": name,
        "BODY": body,
        "BY_KEY": str(by_key),
        "PERSONAL": str(personal),
        "DELAY": delay,
        "INPUT": schema,
    }
    text = VIEW
    for word, replacement in words.items():
        text = text.replace(word, replacement)
    return text


def write_shop(folder, orders):
    """Write a shop whose orders know when they were loaded, and refunds that are known when they are returned."""
    write_files(folder)
    schema = folder / "schemas/shop.py"
    text = schema.read_text().replace(
        '    coupon: pl.String = pa.Field(nullable=True, description="coupon")\n\n    class Config',
        '    coupon: pl.String = pa.Field(nullable=True, description="coupon")\n'
        '    returned_at: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(nullable=True, description="when returned")\n'
        '    refund: pl.Float64 = pa.Field(nullable=True, description="refund",\n'
        '        metadata={"unit": "EUR", "known": "returned_at"})\n\n    class Config',
    )
    schema.write_text(text + '\n\nTimestamp = Annotated[pl.Datetime, "us", "UTC"]\n')
    views = [
        *(view(name, body) for name, body in (CLEAN | LEAKS).items()),
        view("once", ONCE),
        view("secret", LEAKS["sum_over"], personal=True),
        view("delayed", LEAKS["closed_ahead"], delay="timedelta(hours=6)"),
        view(
            "through",
            'orders.select("customer", event_timestamp="ordered_at", value="rank")',
            schema="Sorted",
        ),
    ]
    (folder / "feature_repo/values.py").write_text(HEAD + "".join(views))
    orders.write_csv(folder / "data/raw/orders.csv")
    project = featurestore.open(folder)
    project.validate("orders")
    return project


def make_orders(count, customers):
    """Make orders, one an hour, each third of which is returned five hours later."""
    number = pl.int_range(count)
    ordered_at = pl.datetime(2024, 1, 1, time_zone="UTC") + pl.duration(hours=number)
    is_returned = number % 3 == 1
    return pl.select(
        order=number,
        customer=number * 7 % 11 % customers + 1,
        ordered_at=ordered_at,
        loaded_at=pl.when(number % 5 == 0).then(ordered_at),
        amount=pl.when(number % 4 != 2).then(number * 48_271 % 1_009 / 8),
        coupon=pl.when(number % 2 == 0).then(pl.lit("SPRING")),
        returned_at=pl.when(is_returned).then(ordered_at + pl.duration(hours=5)),
        refund=pl.when(is_returned).then(number / 2),
    )
