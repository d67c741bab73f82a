"""Data of any kind can be compared: training and serving, versions, files, days, slices."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from runner import run
from serving import ROW, running

import featurestore
from featurestore.errors import ContractError, DefinitionError, MissingDataError, UnknownNameError

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)


def column(result, name):
    [match] = [c for c in result.columns if c.column == name]
    return match


@pytest.fixture
def sales(shop, tmp_path):
    """Return two files with equally many orders of two shops.

    In the second file one shop doubled its prices.
    """

    def write(name, factor):
        rows = pl.select(
            order=pl.int_range(4000),
            shop=pl.when(pl.int_range(4000) % 2 == 0).then(pl.lit("north")).otherwise(pl.lit("south")),
            at=pl.lit(MONDAY) + pl.duration(minutes=pl.int_range(4000)),
        ).with_columns(
            amount=(pl.col("order") * 7919 % 1000) * pl.when(shop="south").then(factor).otherwise(1.0)
        )
        rows.write_parquet(tmp_path / f"{name}.parquet")
        rows.write_csv(tmp_path / f"{name}.csv")
        return str(tmp_path / f"{name}.parquet")

    return write("before", 1.0), write("after", 2.0)


def test_files_by_slice(shop, sales):
    """The result names the slices that drifted, and the columns that drifted in them."""
    result = shop.quality.drift(*sales, by="shop")
    assert {value: part.severity for value, part in result.slices.items()} == {
        "north": "none",
        "south": "major",
    }
    assert column(result.slices["south"], "amount").severity == "major"
    assert (result.severity, result.rows, result.slices["south"].rows) == (
        "major",
        (4000, 4000),
        (2000, 2000),
    )
    assert result.columns == shop.quality.drift(*sales).columns
    text = run("drift", *sales, "--by", "shop", cwd=shop.settings.root).stdout
    assert "shop south (2,000 -> 2,000 rows): major" in text
    assert "no drift where shop is north" in text


def test_a_csv_file_equals_its_parquet_file(shop, sales):
    """The dtypes of a CSV file are inferred from all of its values."""
    before, _ = sales
    assert shop.quality.drift(before, before.replace(".parquet", ".csv")).severity == "none"


def test_the_name_of_a_file_is_not_a_pattern(shop, sales):
    """A file with brackets in its name is compared."""
    before = Path(sales[0])
    bracketed = before.rename(before.with_name("before[1].parquet"))
    assert shop.quality.drift(str(bracketed), sales[0].replace(".parquet", ".csv")).severity == "none"


def test_the_last_days_are_compared_with_earlier_ones(shop, sales, tmp_path):
    """A timestamp column divides one dataset into its last days and all earlier ones."""
    frame = pl.read_parquet(sales[0])
    last = frame.with_columns(pl.col("at") + timedelta(days=3), amount=pl.col("amount") + 500)
    pl.concat([frame, last]).write_parquet(tmp_path / "both.parquet")
    result = shop.quality.drift(str(tmp_path / "both.parquet"), days=2)
    assert result.rows == (4000 + 4000 - 2 * 24 * 60, 2 * 24 * 60)
    assert result.after.endswith("both.parquet, the last 2 days")
    assert (column(result, "amount").severity, column(result, "shop").severity) == ("major", "none")
    with pytest.raises(UnknownNameError, match="did you mean 'at'"):
        shop.quality.drift(sales[0], days=2, at="att")


def test_training_is_compared_with_what_was_served(shop):
    """Shared columns are compared, with the thresholds of their schemas."""
    shop.materialize()
    shop.training_set("visits")
    with pytest.raises(MissingDataError, match="nothing was logged yet"):
        shop.quality.drift("visits", "served:buying")
    with running(shop.settings.root, log_features=1.0) as client:
        for _ in range(30):
            client.vectors(*[{**ROW, "basket": 7.0}] * 20)
    result = shop.quality.drift("visits", "served:buying")
    assert (result.before, result.after, result.rows[1]) == ("visits", "served:buying", 600)
    assert result.only_before == ("bought",)
    assert "amount" in [c.column for c in result.columns]
    assert result.only_after == ()


def test_the_profile_of_a_training_set_keeps_no_personal_feature(shop_files, shop):
    """A column that is personal in a view is personal in the training sets that join it."""
    schemas = shop_files / "schemas/shop.py"
    schemas.write_text(schemas.read_text().replace('{"unit": "EUR"}', '{"unit": "EUR", "personal": True}'))
    assert run("training-set", "visits", cwd=shop.settings.root).returncode == 0
    amount = shop.quality.profile("visits").columns["amount"]
    assert {value for _, value, _ in amount.values.counts} == {None}


def test_a_file_is_read_with_the_dtypes_of_the_contract(shop, tmp_path):
    """A number in a file is text if the schema declares text."""
    raw = shop.settings.root / "data/raw/orders.csv"
    result = shop.quality.drift("orders", str(raw))
    assert [c.reasons for c in result.columns] == [()] * 6
    moved = tmp_path / "moved.csv"
    moved.write_text(raw.read_text().replace("SPRING", "77"))
    assert column(shop.quality.drift("orders", str(moved)), "coupon").kind == "text"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"before": "ordrs", "after": "orders"}, UnknownNameError, "did you mean 'orders'"),
        ({"before": "orders", "after": "nowhere.csv"}, MissingDataError, "nowhere.csv: no such file"),
        ({"before": "orders", "after": "served:bying"}, UnknownNameError, "did you mean 'buying'"),
        ({"before": "orders"}, ContractError, "name a second dataset, or say how many of the last days"),
        ({"before": "orders", "after": "orders", "days": 2}, ContractError, "name a second dataset, or"),
        (
            {"before": "orders", "days": 2},
            ContractError,
            "name one, such as: --at ordered_at, or at='ordered_at' in",
        ),
        ({"before": "orders", "days": 2, "at": "coupon"}, ContractError, "expected timestamps or dates"),
        ({"before": "orders", "days": 900, "at": "ordered_at"}, ContractError, "there are no earlier rows"),
        ({"before": "orders", "after": "orders", "by": "copon"}, UnknownNameError, "did you mean 'coupon'"),
        ({"before": "orders@", "after": "orders"}, ContractError, "write orders@HEAD"),
        ({"before": "orders", "after": "no/*.csv"}, MissingDataError, "a pattern or a folder"),
        ({"before": "orders:train", "after": "orders"}, UnknownNameError, "only training sets have splits"),
        ({"before": "orders", "after": "orders:@HEAD"}, UnknownNameError, "only training sets have splits"),
    ],
)
def test_data_that_cannot_be_compared(shared_shop, arguments, error, message):
    """The message or its hint says what to do."""
    with pytest.raises(error) as raised:
        shared_shop.quality.drift(**arguments)
    assert message in str(raised.value)


def test_a_side_without_rows_is_refused(shared_shop, tmp_path):
    """There is nothing to compare, whichever side it is, by the contract or by slice: no answer is "none"."""
    empty, raw = tmp_path / "empty.csv", shared_shop.settings.root / "data/raw/orders.csv"
    empty.write_text(raw.read_text().partition("\n")[0] + "\n")
    for sides in (("orders", str(empty)), (str(empty), "orders"), (str(empty), str(raw)), (str(empty),) * 2):
        for by in (None, "coupon"):
            with pytest.raises(
                ContractError, match=r"^.*empty.csv has no rows, so there is nothing to compare"
            ):
                shared_shop.quality.drift(*sides, by=by)
    done = run("drift", "orders", str(empty), cwd=shared_shop.settings.root)
    assert (done.returncode, done.stdout) == (4, "")
    with pytest.raises(ContractError, match="no column has timestamps or dates, so there are no last days"):
        shared_shop.quality.drift(str(empty), days=2)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_the_files_of_a_pattern_or_a_folder_are_one_side(shop, sales, tmp_path, suffix):
    """As one file of all their rows: as `add` and `suggest` read them, also with a column of a folder's name."""
    before = pl.read_parquet(sales[0])
    for part, rows in before.partition_by("shop", as_dict=True, include_key=False).items():
        folder = tmp_path / f"parts/shop={part[0]}"
        folder.mkdir(parents=True)
        getattr(rows, f"write_{suffix}")(folder / f"part[0].{suffix}")
    for reference in (str(tmp_path / "parts"), str(tmp_path / f"parts/*/*.{suffix}")):
        result = shop.quality.drift(sales[0], reference, by="shop")
        assert (result.severity, result.rows, result.only_before, result.only_after) == (
            "none",
            (4000, 4000),
            (),
            (),
        )
        compared = shop.quality.compare(sales[0], reference, key=("order",))
        assert (compared.values.same, compared.schema, compared.drifted) == (4000, (), ())


def test_slices_by_a_personal_column_or_by_too_many_values_are_refused(shop_files, shop, sales, tmp_path):
    """A personal column and a column with more than 100 values cannot define slices."""
    with pytest.raises(ContractError, match="'order' has more than 100 values"):
        shop.quality.drift(*sales, by="order")
    schemas = shop_files / "schemas/shop.py"
    text = schemas.read_text()
    schemas.write_text(
        text.replace('description="coupon")', 'description="coupon", metadata={"personal": True})')
    )
    done = run("drift", "orders", "orders", "--by", "coupon", cwd=shop.settings.root)
    assert (done.returncode, "'coupon' is personal" in done.stderr) == (4, True)


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([["a"], []]),
        pl.Series([[1, 2], [3, 4]], dtype=pl.Array(pl.Int64, 2)),
        pl.Series([{"a": 1}, {"a": 2}]),
        pl.Series([b"\xff", b"a"]),
    ],
    ids=lambda values: str(values.dtype),
)
def test_slices_by_a_column_without_names_are_refused(shared_shop, tmp_path, values):
    """The values of a list, an array, a struct and of bytes do not name a slice."""
    file = tmp_path / "rows.parquet"
    pl.DataFrame({"number": [1, 2], "by": values}).write_parquet(file)
    with pytest.raises(ContractError, match=r"'by' are .*, which cannot name slices"):
        shared_shop.quality.drift(str(file), str(file), by="by")


def test_check_finds_invalid_thresholds(shop_files):
    """No data are needed."""
    schemas = shop_files / "schemas/shop.py"
    text = schemas.read_text()
    schemas.write_text(
        text.replace('description="coupon")', 'description="coupon", metadata={"drift": {"ks": 1}})')
    )
    with pytest.raises(
        DefinitionError, match="column 'coupon', drift: measure 'ks' does not apply to a text column"
    ):
        featurestore.open(shop_files).check()


def test_exit_codes(shop, sales):
    """The exit code is 0, with --strict 4 for major drift, and 2 for incomplete arguments."""
    assert run("drift", *sales, cwd=shop.settings.root).returncode == 0
    strict = run("drift", *sales, "--strict", "--json", cwd=shop.settings.root)
    assert strict.returncode == 4
    assert json.loads(strict.stdout)["severity"] == "major"
    assert "is major" in strict.stderr
    assert run("drift", sales[0], sales[0], "--strict", cwd=shop.settings.root).returncode == 0
    assert run("drift", sales[0], cwd=shop.settings.root).returncode == 2


def test_anomalies_from_the_command_line(shop):
    """A run with half the rows is an anomaly, shown with its expected range.

    Nobody set a threshold.
    """
    for _ in range(8):
        shop.validate("orders")
    assert "no anomalies in the last runs" in run("anomalies", cwd=shop.settings.root).stdout
    raw = shop.settings.root / "data/raw/orders.csv"
    raw.write_text("".join(raw.read_text().splitlines(keepends=True)[:4]))
    shop.validate("orders")
    [anomaly] = [a for a in shop.quality.anomalies("orders") if a.name == "rows"]
    assert (anomaly.value, anomaly.low < 7 < anomaly.high, anomaly.runs) == (3.0, True, 9)
    done = run("anomalies", "orders", "--strict", "--json", cwd=shop.settings.root)
    assert done.returncode == 4
    assert "rows" in [a["metric"] for a in json.loads(done.stdout)["orders"]]
    assert "orders   rows" in run("anomalies", cwd=shop.settings.root).stdout
