"""A training set of another tool is compared with what serving would have given, and each difference has its cause."""

from datetime import UTC, datetime

import polars as pl
import pytest
from runner import run
from window_shop import build_window_shop

from featurestore.errors import ContractError, SkewError

JANUARY = [datetime(2024, 1, day, 12, tzinfo=UTC) for day in (2, 4, 7, 9, 9, 3)]
ASKED = pl.DataFrame(
    {"customer": [1, 1, 1, 3, 2, 9], "basket": [1.0] * 6, "event_timestamp": JANUARY, "note": list("abcdef")}
)


@pytest.fixture(scope="module")
def right(shared_shop):
    """What serving would have given."""
    return shared_shop.historical(ASKED, "buying")


def edited(rows, row, **values):
    """Replace cells of a row."""
    is_row = pl.int_range(pl.len()) == row
    return rows.with_columns(
        pl.when(is_row).then(pl.lit(value)).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    )


def causes(record):
    return [(cell.row, cell.feature, cell.cause) for cell in record.cells]


def test_what_serving_gives_has_no_difference(shared_shop, right, tmp_path):
    """As a frame and as a file, with short floats as long ones, NaN as a missing value, and full names."""
    service = shared_shop.catalog.service("buying")
    full = right.rename(service.full_names)
    long = right.with_columns(pl.col("amount", "ratio").cast(pl.Float64).fill_null(float("nan")))
    full.write_parquet(tmp_path / "full.parquet")
    right.write_csv(tmp_path / "text.csv", datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ")
    for rows in (right, long, tmp_path / "full.parquet", str(tmp_path / "text.csv")):
        record = shared_shop.audit_set(rows, "buying")
        assert (record.rows, record.different, record.absent) == (6, 0, ())
        assert {feature.equal for feature in record.features} == {6}
        record.require_parity()


def test_a_feature_under_both_of_its_names(shared_shop, right):
    """One of the two columns would not be compared: a wrong one could pass."""
    full = shared_shop.catalog.service("buying").full_names["amount"]
    rows = right.with_columns(pl.lit(99.0).alias(full))
    with pytest.raises(
        ContractError, match=f"columns 'amount' and '{full}' are the same feature; expected one"
    ):
        shared_shop.audit_set(rows, "buying")


def test_each_difference_has_its_cause(shared_shop, right):
    """A later order, an order before the newest, a value of nobody, a missing one, and one of the request."""
    rows = edited(right, 1, amount=20.1, coupon="SPRING")
    rows = edited(rows, 2, amount=10.5)
    rows = edited(rows, 3, amount=99.0, ratio=0.5)
    rows = edited(rows, 4, coupon="SPRING").drop("ordered_at")
    record = shared_shop.audit_set(rows, "buying")
    assert record.absent == ("ordered_at",)
    assert {f.stale_or_future for f in record.features} == {0}
    counts = {f.name: (f.equal, f.leaking, f.stale, f.others) for f in record.features}
    assert counts == {"amount": (3, 1, 1, 1), "coupon": (4, 1, 0, 1), "ratio": (5, 0, 0, 1)}
    assert causes(record) == [
        (1, "amount", "leaks_future"),
        (1, "coupon", "leaks_future"),
        (3, "amount", "other"),
        (3, "ratio", "other"),
        (2, "amount", "stale"),
        (4, "coupon", "other"),
    ]
    cell = record.cells[0]
    assert (cell.value, cell.served, cell.known_at) == (
        "20.100000381469727",
        "10.5",
        datetime(2024, 1, 6, tzinfo=UTC),
    )
    assert cell.key == "customer=1 event_timestamp=2024-01-04T12:00:00Z"
    with pytest.raises(SkewError, match=r"6 cells not as serving .*, 2 with knowledge of the future"):
        record.require_parity()


def test_a_row_without_a_key_is_named_as_one(shared_shop, right, tmp_path):
    """Serving has no row for it: a value there has this cause, also of a feature that is computed from the row."""
    rows = edited(right, 1, customer=None)
    record = shared_shop.audit_set(rows, "buying")
    assert {(cell.row, cell.cause) for cell in record.cells} == {(1, "no_key")}
    assert {cell.feature for cell in record.cells} == {"amount", "ordered_at", "ratio"}
    assert [feature.others for feature in record.features if feature.name == "amount"] == [1]
    assert "customer=None" in str(record.cells[0])
    assert str(record.cells[0]).endswith("served None: a key is missing, so that serving has no row")
    assert shared_shop.audit_set(right, "buying").different == 0


def test_a_value_that_its_dtype_cannot_hold_is_a_difference(tmp_path):
    """A number that does not fit is not a missing number."""
    shop = build_window_shop(tmp_path)
    rows = shop.historical(ASKED.drop("basket"), ["spending:orders_3d"])
    rows = rows.with_columns(orders_3d=pl.lit(2**80, dtype=pl.Float64))
    assert shop.audit_set(rows, "spending:orders_3d").features[0].equal == 0


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("amount", pl.lit("abc"), "'amount' is String, expected Float32"),
        ("coupon", pl.lit(1), "'coupon' is Int32, expected String"),
        ("ordered_at", pl.lit(1), "'ordered_at' is Int32, expected Datetime"),
    ],
)
def test_a_column_of_another_kind_is_refused(shared_shop, right, name, values, message):
    """All its cells would differ, and none would say why."""
    with pytest.raises(ContractError, match=message):
        shared_shop.audit_set(right.with_columns(values.alias(name)), "buying")


def test_a_column_that_nothing_declares_is_named(shared_shop, right, tmp_path):
    """With the feature that it may be; a key, a label and a column of a training set are known."""
    rows = right.rename({"amount": "ammount"}).with_columns(bought=True, label=1, split=pl.lit("test"))
    record = shared_shop.audit_set(rows, "buying")
    assert record.ignored == {"note": None, "ammount": "amount"}
    rows.write_parquet(tmp_path / "set.parquet")
    done = run(
        "audit-set", str(tmp_path / "set.parquet"), "--service", "buying", cwd=shared_shop.settings.root
    )
    assert (
        "warning: column 'ammount' is no feature of 'buying' and was not compared; is it the feature 'amount'?"
        in (done.stdout)
    )


def test_a_set_without_rows_is_refused(shared_shop, right):
    """It would have no difference."""
    with pytest.raises(ContractError, match="has no rows"):
        shared_shop.audit_set(right.clear(), "buying")


@pytest.mark.parametrize("name", ["set.csv", "set.jsonl", "set.parquet"])
def test_an_empty_file_is_named_as_one(shared_shop, tmp_path, name):
    """In each format: entity rows, a training set of another tool, and rows to push; with what to do."""
    path = tmp_path / name
    path.touch()
    out = str(tmp_path / "out.parquet")
    for words in (
        ("audit-set", str(path), "--service", "buying"),
        ("push", "last_order", str(path)),
        ("join", str(path), "--service", "buying", "--out", out),
    ):
        done = run(*words, cwd=shared_shop.settings.root)
        assert done.returncode == 4
        assert f"{name}: the file is empty; expected rows\n  hint: write the rows again" in done.stderr


def test_windows_have_a_history_too(tmp_path):
    """A count that the window had only later leaks the future; one that it had before and later says neither."""
    shop = build_window_shop(tmp_path)
    rows = shop.historical(ASKED.drop("basket"), ["spending:orders_3d"])
    assert rows["orders_3d"].to_list()[:4] == [1, 0, 1, 2]
    changed = edited(edited(rows, 1, orders_3d=1), 3, orders_3d=1)
    record = shop.audit_set(changed.cast({"orders_3d": pl.Int32}), "spending:orders_3d")
    assert causes(record) == [(1, "orders_3d", "stale_or_future"), (3, "orders_3d", "stale")]
    [counts] = record.features
    assert (counts.leaking, counts.stale_or_future, counts.stale, record.different) == (0, 1, 1, 2)
    first = record.cells[0]
    assert first.known_before < ASKED["event_timestamp"][1] < first.known_at
    assert "stale or future, known at 2024-01-0" in str(first)
    with pytest.raises(SkewError, match="0 with knowledge of the future, 1 perhaps"):
        record.require_parity()


def test_a_rounded_value_is_named_as_one(tmp_path):
    """A shorter float is what serving gives, rounded: as a column of Parquet, and as text; the error says what to write."""
    shop = build_window_shop(tmp_path)
    right = shop.historical(ASKED, ["basket_share:share"])
    short = right.with_columns(pl.col("share").cast(pl.Float32))
    file = tmp_path / "set.csv"
    short.write_csv(file, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ")
    for rows in (short, file):
        record = shop.audit_set(rows, "basket_share:share")
        [share] = record.features
        assert (share.rounded, share.others, share.equal) == (record.different, 0, 6 - record.different)
        assert share.rounded > 0
        assert "rounded, equal as Float32" in str(record.cells[0])
        with pytest.raises(SkewError, match="0 with knowledge of the future") as error:
            record.require_parity()
        assert error.value.hint == "write share as Float64, not Float32"
    [share] = shop.audit_set(edited(short, 0, share=0.3), "basket_share:share").features
    assert (share.others, share.rounded) == (1, record.different - 1)
    times = shop.historical(ASKED, ["last_order:ordered_at"]).with_columns(pl.col("ordered_at").cast(pl.Date))
    record = shop.audit_set(times, "last_order:ordered_at")
    assert {cell.rounded_to for cell in record.cells} <= {"Date"}
    assert record.features[0].others == 0


def test_a_value_that_became_known_at_the_time_of_the_row_is_not_from_the_future(shared_shop):
    """It was known then, and was not the newest: it is stale."""
    rows = pl.DataFrame(
        {"customer": [1], "basket": [1.0], "event_timestamp": [datetime(2024, 1, 6, tzinfo=UTC)]}
    )
    right = shared_shop.historical(rows, "buying")
    assert right["amount"].to_list() == [None]
    record = shared_shop.audit_set(edited(right, 0, amount=20.1), "buying")
    assert causes(record) == [(0, "amount", "stale")]
    earlier = rows.with_columns(pl.col("event_timestamp") - pl.duration(microseconds=1))
    right = shared_shop.historical(earlier, "buying")
    record = shared_shop.audit_set(edited(right, 0, amount=20.1), "buying")
    assert causes(record) == [(0, "amount", "leaks_future")]


def test_the_command_prints_counts_and_exits_with_5(shared_shop, right, tmp_path):
    """It succeeds where nothing differs; a set without features is refused."""
    edited(right, 1, amount=20.1).write_parquet(tmp_path / "set.parquet")
    words = ("audit-set", str(tmp_path / "set.parquet"), "--service", "buying")
    done = run(*words, cwd=shared_shop.settings.root)
    assert done.returncode == 5
    assert "6 rows, 1 different cell" in done.stdout
    assert "served 10.5: leaks the future, known at 2024-01-06T00:00:00Z" in done.stderr
    right.write_parquet(tmp_path / "set.parquet")
    assert run(*words, cwd=shared_shop.settings.root).returncode == 0
    with pytest.raises(ContractError, match="no feature of service 'buying'"):
        shared_shop.audit_set(ASKED, "buying")
