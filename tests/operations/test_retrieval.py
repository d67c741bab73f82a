"""Historical retrieval takes entity rows and features in every form."""

import shutil
from datetime import UTC, datetime, timedelta

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

import featurestore
from featurestore.errors import ContractError, SkewError, UnknownNameError

TIMESTAMPS = [datetime(2024, 1, day, tzinfo=UTC) for day in (1, 4, 7, 9)]
ROWS = pl.DataFrame({"customer": [1, 1, 3, 9], "event_timestamp": TIMESTAMPS}).with_columns(
    pl.col("event_timestamp").cast(pl.Datetime("us", "UTC"))
)
AMOUNT = ["last_order:amount"]


def test_entity_rows_of_any_kind_give_the_same(shop, tmp_path):
    """Entity rows may be a frame of Polars, pandas or Arrow, a Parquet file, or SQL."""
    ROWS.write_parquet(tmp_path / "rows.parquet")
    expected = shop.historical(ROWS, AMOUNT)
    sql = """
        SELECT customer, day::TIMESTAMPTZ AS event_timestamp
        FROM (VALUES (1::BIGINT, '2024-01-01'), (1, '2024-01-04'), (3, '2024-01-07'), (9, '2024-01-09')) AS t(customer, day)
    """
    pandas = ROWS.to_pandas()
    for rows in (
        ROWS.lazy(),
        pandas,
        pandas.set_index("customer", drop=False).rename_axis(None),
        ROWS.to_arrow(),
        tmp_path / "rows.parquet",
        str(tmp_path / "rows.parquet"),
        sql,
    ):
        assert_frame_equal(shop.historical(rows, AMOUNT), expected)
    assert isinstance(ROWS.to_arrow(), pa.Table)


def test_sql_sees_the_datasets_of_the_project(shop):
    """SQL reads every dataset by its name."""
    sql = "SELECT customer, ordered_at + INTERVAL 1 HOUR AS event_timestamp FROM orders WHERE customer = 3 ORDER BY 2"
    assert shop.historical(sql, AMOUNT)["amount"].to_list() == [7.0, 7.0]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("SELECT * FROM ordrs", "the query fails: .*ordrs"),
        ("absent.parquet", "absent.parquet: cannot be read"),
        (3, "entity rows are 3 \\(int\\); expected"),
    ],
)
def test_entity_rows_that_cannot_be_read(shop, rows, message):
    """The error of unusable entity rows says what is wrong."""
    with pytest.raises(ContractError, match=message):
        shop.historical(rows, AMOUNT)


def test_features_one_by_one(shop):
    """Features come in the order of the references, each once; the name of a view stands for all its features."""
    joined = shop.historical(
        ROWS.with_columns(basket=5.0), ["last_order:coupon", "compared:ratio", "last_order:amount"]
    )
    assert joined.columns == ["customer", "event_timestamp", "basket", "coupon", "amount", "ratio"]
    assert shop.historical(ROWS, "last_order:coupon").columns[2:] == ["coupon"]
    assert shop.historical(ROWS, ["last_order", "last_order:amount"]).columns[2:] == [
        "amount",
        "coupon",
        "ordered_at",
    ]
    with pytest.raises(UnknownNameError, match="did you mean 'amount'"):
        shop.historical(ROWS, ["last_order:amuont"])
    with pytest.raises(UnknownNameError, match="did you mean 'ratio'"):
        shop.historical(ROWS, ["compared:ration"])
    with pytest.raises(UnknownNameError, match="did you mean 'last_order'"):
        shop.historical(ROWS, ["last_ordr:amount"])


def test_statuses_times_and_full_names(shop):
    """`times` adds the event timestamp of the row that a value comes from, and its age."""
    joined = shop.historical(ROWS, AMOUNT, statuses=True, times=True, full_names=True)
    assert joined.columns[2:] == [
        "last_order__amount",
        "last_order__amount__status",
        "last_order__amount__event_timestamp",
        "last_order__amount__age",
    ]
    # Order 1 is known a minute after its event, order 5 expires after 5 days, customer 9 never ordered.
    assert joined["last_order__amount__status"].to_list() == [3, 1, 3, 3]
    assert joined["last_order__amount__event_timestamp"].to_list() == [None, TIMESTAMPS[0], None, None]
    assert joined["last_order__amount__age"].to_list() == [None, timedelta(days=3), None, None]


def test_retrieval_without_entity_rows(shop):
    """Without entity rows, there is a row for each timestamp at which a value became known."""
    joined = shop.historical(features=AMOUNT, start="2024-01-05T00:00:00Z", end="2024-01-08T12:00:00Z")
    day = {
        5: datetime(2024, 1, 5, 0, 1, tzinfo=UTC),
        6: datetime(2024, 1, 6, tzinfo=UTC),
        8: datetime(2024, 1, 8, 0, 1, tzinfo=UTC),
    }
    assert joined.rows() == [(1, day[5], None), (1, day[6], None), (3, day[8], 7.0)]
    assert shop.historical(features=AMOUNT).height == 6
    with pytest.raises(ContractError, match="needs request values: basket"):
        shop.historical(features="buying")
    with pytest.raises(ContractError, match="entity rows have timestamps of their own"):
        shop.historical(ROWS, AMOUNT, start="2024-01-05T00:00:00Z")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT customer, ordered_at AS event_timestamp FROM orders",
        'SELECT customer, ordered_at AS event_timestamp FROM "Orders" AS o',
        "WITH o AS (SELECT * FROM main.orders) SELECT customer, ordered_at AS event_timestamp FROM o",
        "SELECT 1::BIGINT AS customer, (SELECT max(ordered_at) FROM orders) AS event_timestamp",
        "FROM (PIVOT orders ON coupon USING count(*) GROUP BY customer, ordered_at) SELECT customer, ordered_at AS event_timestamp",
    ],
)
def test_sql_reads_no_dataset_of_another_definition(shared_shop, tmp_path, sql):
    """Rows that another definition of `orders` made are refused in SQL too; other datasets of the statement do not count."""
    assert shared_shop.historical(sql, AMOUNT).height > 0
    root = shutil.copytree(shared_shop.settings.root, tmp_path / "other")
    schema = root / "schemas/shop.py"
    schema.write_text(schema.read_text().replace("ge=1,", "ge=0,"))
    changed = featurestore.open(root)
    with pytest.raises(SkewError, match=r"orders.parquet was made by another definition of source 'orders'"):
        changed.explain(sql + " LIMIT 1", AMOUNT)
