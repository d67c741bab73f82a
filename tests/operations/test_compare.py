"""Changes between two datasets or versions, and whom they break."""

import subprocess

import polars as pl
import pytest
from runner import run

import featurestore
from featurestore.errors import ContractError, MissingDataError, UnknownNameError
from featurestore.quality.change.schema_changes import SchemaChange, Terms, schema_changes
from featurestore.quality.change.value_changes import value_changes


@pytest.mark.parametrize(
    ("before", "after", "change", "readers", "writers"),
    [
        (Terms("Int32"), Terms("Int64"), "Int32 becomes Int64", True, False),
        (Terms("Int64"), Terms("Int32"), "Int64 becomes Int32", False, True),
        (Terms("Int64"), Terms("String"), "Int64 becomes String", True, True),
        (Terms("Int64"), Terms("Int64", nullable=True), "may now be missing", True, False),
        (Terms("Int64", nullable=True), Terms("Int64"), "may no longer be missing", False, True),
        (Terms("Int64", unit="mi"), Terms("Int64", unit="km"), "unit mi becomes km", True, True),
        (Terms("Int64", min=0), Terms("Int64", min=-5), "min 0 becomes -5", True, False),
        (Terms("Int64", max=9), Terms("Int64", max=5), "max 9 becomes 5", False, True),
        (Terms("Int64"), Terms("Int64", max=5), "max None becomes 5", False, True),
        (
            Terms("String", allowed_values=("a",)),
            Terms("String", allowed_values=("a", "b")),
            "values b allowed",
            True,
            False,
        ),
        (
            Terms("String", allowed_values=("a", "b")),
            Terms("String", allowed_values=("a",)),
            "values b no longer allowed",
            False,
            True,
        ),
        (Terms("String", unique=True), Terms("String"), "is no longer unique", True, False),
        (Terms("String", rules=("x",)), Terms("String"), "no longer x", True, False),
        (Terms("String"), None, "removed", True, False),
        (None, Terms("String"), "added, String", False, True),
    ],
)
def test_whom_a_schema_change_breaks(before, after, change, readers, writers):
    """A looser rule breaks readers, a stricter rule breaks writers."""
    old, new = ({} if terms is None else {"a": terms} for terms in (before, after))
    [schema_change] = schema_changes(old, new)
    assert (schema_change.column, schema_change.description) == ("a", change)
    assert (schema_change.breaks_readers, schema_change.breaks_writers) == (readers, writers)


def test_a_schema_change_is_data():
    """Kind, before and after are fields; the words are derived from them."""
    [schema_change] = schema_changes({"a": Terms("Int64", max=9)}, {"a": Terms("Int64", max=5)})
    assert schema_change == SchemaChange(
        column="a", kind="max", before=9, after=5, breaks_readers=False, breaks_writers=True
    )


def test_values_are_compared_by_key():
    """Rows are matched by key; null equals null, and NaN equals NaN."""
    before = pl.LazyFrame({"k": [1, 2, 3, 4], "v": [1.0, float("nan"), None, 4.0], "w": ["a", "b", "c", "d"]})
    after = pl.LazyFrame({"k": [2, 3, 4, 5], "v": [float("nan"), None, 5.0, 6.0], "w": ["b", "c", "D", "e"]})
    changes = value_changes(before, after, ["k"])
    assert (changes.same, changes.changed, changes.added, changes.removed) == (2, 1, 1, 1)
    assert changes.columns == {"v": 1, "w": 1}
    assert changes.examples["w"] == ("4: 'd' -> 'D'",)


def test_a_key_that_is_not_unique_is_refused():
    """Rows with equal keys cannot be matched."""
    twice = pl.LazyFrame({"k": [1, 1]})
    with pytest.raises(ContractError, match="the key is not unique before"):
        value_changes(twice, twice, ["k"])


def test_a_key_of_other_dtypes_is_refused():
    """Integers of two widths are compared; text and numbers are not, and the message names the key."""
    narrow = pl.LazyFrame({"k": [1], "v": [2]}, {"k": pl.Int16, "v": pl.Int64})
    wide = pl.LazyFrame({"k": [1], "v": [2]}, {"k": pl.UInt64, "v": pl.Int64})
    assert value_changes(narrow, wide, ["k"]).same == 1
    text = pl.LazyFrame({"k": ["1"], "v": [2]})
    with pytest.raises(ContractError, match="by k: 'k' is Int16 before and String after"):
        value_changes(narrow, text, ["k"])


def test_a_file_is_compared_with_the_dtypes_of_the_contract(shop, tmp_path):
    """Also a file without rows, whose values have no dtypes: all rows are added."""
    raw = shop.settings.root / "data/raw/orders.csv"
    (tmp_path / "empty.csv").write_text(raw.read_text().partition("\n")[0] + "\n")
    values = shop.quality.compare(str(tmp_path / "empty.csv"), "orders").values
    assert (values.key, values.same, values.added, values.removed) == (("order",), 0, 6, 0)
    values = shop.quality.compare(str(raw), "orders").values
    assert (values.same, values.changed, values.removed) == (6, 0, 1)


def test_a_former_version_comes_from_git_and_dvc(shop):
    """The former version has its own contract and its own data."""
    root = shop.settings.root
    run = lambda *command: subprocess.run(command, cwd=root, check=True, capture_output=True)  # noqa: E731
    run("git", "init", "--quiet")
    run("dvc", "init", "--quiet")
    shop.pipeline(write=True)
    run("dvc", "commit", "--force", "--quiet", "validate-orders")
    run("git", "add", ".")
    run("git", "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "-m", "first")
    raw = root / "data/raw/orders.csv"
    raw.write_text(raw.read_text().replace(",10.5,", ",11.5,").replace("6,3,", "8,3,"))
    shop.validate("orders")
    comparison = shop.quality.compare("orders@HEAD", "orders")
    assert (comparison.rows, comparison.schema) == ((6, 6), ())
    assert (comparison.values.changed, comparison.values.added, comparison.values.removed) == (1, 1, 1)
    assert comparison.values.examples == {"amount": ("1: 10.5 -> 11.5",)}
    with pytest.raises(MissingDataError, match=r"orders\.parquet at nowhere"):
        shop.quality.compare("orders@nowhere", "orders")


def test_a_former_training_set_shows_true_changes_alone(shop):
    """Git keeps no contract of a training set: what is not known of it is not called a change."""
    root = shop.settings.root
    run = lambda *command: subprocess.run(command, cwd=root, check=True, capture_output=True)  # noqa: E731
    run("git", "init", "--quiet")
    run("dvc", "init", "--quiet")
    shop.pipeline(write=True)
    shop.training_set("visits")
    run("dvc", "commit", "--force", "--quiet", "training-set-visits")
    run("git", "add", ".")
    run("git", "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "-m", "first")
    for sides in (("visits@HEAD", "visits"), ("visits", "visits@HEAD")):
        assert shop.quality.compare(*sides).schema == ()
    schemas = root / "schemas/shop.py"
    schemas.write_text(schemas.read_text().replace("amount: pl.Float32", "amount: pl.Float64"))
    later = featurestore.open(root)
    later.build("last_order")
    later.training_set("visits")
    [change] = later.quality.compare("visits@HEAD", "visits").schema
    assert (change.column, change.description) == ("amount", "Float32 becomes Float64")


def test_files_are_compared_by_their_dtypes(shop, tmp_path):
    """A file has no contract, but a key can be named."""
    pl.DataFrame({"order": [1], "amount": ["x"]}).write_csv(tmp_path / "a.csv")
    pl.DataFrame({"order": [1], "amount": [2.5]}).write_parquet(tmp_path / "b.parquet")
    comparison = shop.quality.compare(str(tmp_path / "a.csv"), str(tmp_path / "b.parquet"), key=("order",))
    assert [(c.column, c.description) for c in comparison.schema] == [("amount", "String becomes Float64")]
    with pytest.raises(UnknownNameError, match="did you mean 'order'"):
        shop.quality.compare(str(tmp_path / "a.csv"), str(tmp_path / "b.parquet"), key=("ordr",))
    shop.dataset("orders").collect().write_parquet(tmp_path / "orders.parquet")
    assert shop.quality.compare(str(tmp_path / "orders.parquet"), "orders").schema == ()
    assert (comparison.values.same, comparison.values.changed) == (
        1,
        0,
    )  # values of other kinds are not compared


def test_a_change_that_breaks_a_service_is_refused_unless_stated(shop_files):
    """The message names the feature, the change and the services that read it.

    A stricter rule passes.
    """

    def apply(*options):
        return run("apply", *options, cwd=shop_files)

    assert apply().returncode == 0
    schemas = shop_files / "schemas/shop.py"
    text = schemas.read_text()
    loose = 'coupon: pl.String = pa.Field(nullable=True, description="coupon")\n    ordered_at'
    assert loose in text
    schemas.write_text(text.replace(loose, loose.replace("True,", 'True, isin=["SPRING"],')))
    assert apply().returncode == 0
    schemas.write_text(text)
    refused = apply()
    assert refused.returncode == 3
    assert "last_order.coupon: any value allowed (read by buying)" in refused.stderr
    assert "--allow-breaking" in refused.stderr
    assert apply("--allow-breaking").returncode == 0
    assert apply().returncode == 0
