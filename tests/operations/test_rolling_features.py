"""`check` warns of features that `rolling` computes at each event and that are served as if they slid."""

import json

import pytest
from runner import run
from shop import write_files
from window_shop import write_window_shop

import featurestore

ROLLED = '''
@dataset(owner="shop")
def recent(orders: Frame[RawOrders]) -> Frame[Recent]:
    """The worth of three days, at each order."""
    return (
        orders.sort("customer", "ordered_at")
        .rolling("ordered_at", period="3d", group_by="customer")
        .agg(pl.col("amount").sum(), pl.col("coupon", "loaded_at").last())
    )


'''
SCHEMA = '''

class Recent(pa.DataFrameModel):
    """The worth of three days."""

    customer: pl.Int64 = pa.Field(description="who ordered")
    ordered_at: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="when")
    amount: pl.Float64 = pa.Field(description="worth of three days", metadata={"unit": "EUR"})
    coupon: pl.String = pa.Field(nullable=True, description="coupon")
    loaded_at: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(nullable=True, description="when known")
'''
AMOUNT = 'amount: pl.Float32 = pa.Field(nullable=True, description="worth", metadata={"unit": "EUR"'


@pytest.fixture
def rolled_shop(tmp_path):
    """The shop with a dataset that rolls; its view reads the dataset."""
    write_files(tmp_path)
    schemas, views = tmp_path / "schemas/shop.py", tmp_path / "feature_repo/shop.py"
    schemas.write_text(schemas.read_text() + SCHEMA)
    text = views.read_text().replace("RawOrders, Visits", "RawOrders, Recent, Visits")
    text = text.replace("Entity, Frame,", "Entity, Frame, dataset,")
    text = text.replace("@feature_view(", f"{ROLLED}@feature_view(", 1)
    text = text.replace("last_order(orders: Frame[RawOrders])", "last_order(orders: Frame[Recent])")
    views.write_text(text)
    return tmp_path


def test_check_warns_of_a_feature_that_a_dataset_before_it_rolled(rolled_shop):
    """The exit code is 0; the coupon of the order itself is fine."""
    done = run("check", cwd=rolled_shop)
    assert done.returncode == 0
    assert "\nlast_order.amount: rolling computes it at each event, and the value stands" in done.stderr
    assert "hint: declare it in windows={...} of @feature_view" in done.stderr
    assert done.stderr.count("rolling") == 1
    listed = json.loads(run("check", "--json", cwd=rolled_shop).stdout)["rolling"]
    assert listed == [{"view": "last_order", "feature": "amount", "operation": "rolling"}]


def test_a_schema_may_say_that_the_value_at_the_event_is_meant(rolled_shop):
    schemas = rolled_shop / "schemas/shop.py"
    text = schemas.read_text()
    assert AMOUNT in text
    schemas.write_text(text.replace(AMOUNT, f'{AMOUNT}, "as_of_event": True'))
    assert featurestore.open(rolled_shop).rolling_features() == ()


def test_what_is_rolled_and_not_served_is_left_out(rolled_shop):
    """The view reads the orders again; the dataset still rolls."""
    views = rolled_shop / "feature_repo/shop.py"
    views.write_text(views.read_text().replace("orders: Frame[Recent]", "orders: Frame[RawOrders]"))
    assert featurestore.open(rolled_shop).rolling_features() == ()


def test_events_of_windows_are_left_out(tmp_path):
    """An event may carry what was the case when it happened; its windows slide."""
    views = write_window_shop(tmp_path) / "feature_repo/shop.py"
    plain = '"customer", "order", "amount", event_timestamp="ordered_at", created_timestamp="loaded_at"\n'
    text = views.read_text()
    assert plain in text
    views.write_text(
        text.replace(plain, plain.replace('"amount"', 'pl.col("amount").rolling_sum_by("ordered_at", "3d")'))
    )
    project = featurestore.open(tmp_path)
    project.check()
    assert project.rolling_features() == ()
