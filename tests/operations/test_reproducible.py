"""Builds depend on the rows alone, and `check --reproducible` names what depends on more."""

import os
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from shop import write_files
from typer.testing import CliRunner

import featurestore
from featurestore import DefinitionError, MissingDataError, NotReproducibleError, UnknownNameError
from featurestore.cli.app import app
from featurestore.definitions.contract import contract_of
from featurestore.definitions.ordered import ordered_execution
from featurestore.operations.build.inputs import in_total_order

HEAD = """
import random
import time

import pandera.polars as pa
import polars as pl

from feature_repo.shop import customer
from featurestore import Frame, exact_sum, feature_view
from schemas.shop import RawOrders, Timestamp


def sum_of_parts(values):
    # one part for each thread
    size = -(-len(values) // pl.thread_pool_size())
    return sum(values.slice(start, size).sum() for start in range(0, len(values), size))
"""
VIEW = '''

class Of_NAME(pa.DataFrameModel):
    """What a customer spent."""

    customer: pl.Int64 = pa.Field(description="who ordered")
    event_timestamp: Timestamp = pa.Field(description="when")
    spent: pl.Float64 = pa.Field(description="worth", metadata={"unit": "EUR", "personal": PERSONAL})


@feature_view(entity=customer, owner="shop")
def NAME(orders: Frame[RawOrders]) -> Frame[Of_NAME]:
    """What a customer spent."""
    return orders.group_by("customer").agg(event_timestamp=pl.col("ordered_at").max(), spent=SPENT)
'''
START = datetime(2024, 1, 1, tzinfo=UTC)
SAME = {
    "float_sum": 'pl.col("amount").sum()',
    "first": 'pl.col("amount").first()',
    "exact": 'exact_sum(pl.col("amount"))',
    "seeded": 'pl.col("amount").sample(1, seed=1).first()',
}
DIFFERENT = {
    "streamed": 'pl.col("amount").map_batches(sum_of_parts, return_dtype=pl.Float64, returns_scalar=True)',
    "sampled": 'pl.col("amount").sample(1).first()',
    "shuffled": 'pl.col("amount").shuffle().first()',
    "lucky": 'pl.col("amount").max() * random.random()',
    "clock": "pl.lit(float(time.time_ns()))",
    "hashed": 'pl.lit(float(hash("a")))',
    "secret": 'pl.col("amount").shuffle().first()',
}
FAILING = {
    "failing": 'pl.col("amount").map_elements(lambda x: 1 / 0, return_dtype=pl.Float64).sum()',
    "approximate": 'pl.col("amount").approx_quantile(0.5)',
}


def write_shop(folder):
    """Write a shop of 3,000 orders, whose amounts have sums that depend on the order, and views of them."""
    write_files(folder)
    schema = folder / "schemas/shop.py"
    schema.write_text(schema.read_text() + '\n\nTimestamp = Annotated[pl.Datetime, "us", "UTC"]\n')
    views = [
        VIEW.replace("NAME", name).replace("SPENT", spent).replace("PERSONAL", str(name == "secret"))
        for name, spent in (SAME | DIFFERENT | FAILING).items()
    ]
    (folder / "feature_repo/spending.py").write_text(HEAD + "".join(views))
    number = pl.int_range(3_000)
    rows = pl.select(
        order=number,
        customer=number % 3 + 1,
        ordered_at=pl.lit(START) + timedelta(seconds=1) * number,
        loaded_at=None,
        amount=((number * 48_271 % 1_009) / 40).exp(),
        coupon=None,
    )
    rows.write_csv(folder / "data/raw/orders.csv")
    return rows


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The shop, its orders validated."""
    folder = tmp_path_factory.mktemp("shop")
    write_shop(folder)
    opened = featurestore.open(folder)
    opened.validate("orders")
    return opened


def test_what_depends_on_more_than_rows_is_named_with_column_row_and_both_values(project):
    """Samples without a seed, luck, the clock and Python's hashes differ; sums, first rows and seeded samples do not.

    Values of a personal column are not shown.
    """
    with pytest.raises(NotReproducibleError) as caught:
        project.check_reproducible([*SAME, *DIFFERENT])
    differences = {difference.name: difference for difference in caught.value.differences}
    assert list(differences) == list(DIFFERENT)
    secret = differences.pop("secret")
    assert (secret.column, secret.first, secret.second) == ("spent", "(personal)", "(personal)")
    for difference in differences.values():
        assert (difference.kind, difference.column) == ("feature view", "spent")
        assert difference.row in (0, 1, 2)
        assert float(difference.first) != float(difference.second)
    rounded = [name for name, difference in differences.items() if difference.is_rounding]
    assert rounded == ["streamed"]
    first, second = caught.value.hint.splitlines()
    assert "exact_sum" in first
    assert first.endswith(": streamed.spent")
    assert second.endswith(": sampled, shuffled, lucky, clock, hashed, secret")
    assert caught.value.exit_code == 3


def test_a_function_that_fails_missing_data_and_unknown_names_are_refused(project, tmp_path):
    """Each error says what to do: fix the function, build the input, use a name that exists."""
    with pytest.raises(DefinitionError, match="'failing' fails on its data: ZeroDivisionError") as caught:
        project.check_reproducible(["failing"])
    assert "spending.py, line" in caught.value.hint
    with pytest.raises(DefinitionError, match=r"'approximate' fails: .*: use quantile") as caught:
        project.check_reproducible(["approximate"])
    assert "spending.py, line" in caught.value.hint
    with pytest.raises(UnknownNameError, match="named 'float_sums'"):
        project.check_reproducible(["float_sums"])
    with pytest.raises(DefinitionError, match="'orders' is a source"):
        project.check_reproducible(["orders"])
    with pytest.raises(MissingDataError, match="orders"):
        project.with_data(tmp_path).check_reproducible(["exact"])


def test_the_command_prints_how_many_definitions_are_reproducible(project):
    """The command builds what is named; names without the option are wrong usage."""
    arguments = ["check", "--project", str(project.settings.root)]
    assert CliRunner().invoke(app, [*arguments, "exact"]).exit_code == 2
    passed = CliRunner().invoke(app, [*arguments, "--reproducible", "visits", "exact"])
    assert passed.stdout.splitlines()[1:] == ["2 built twice, with the same bits"]


def test_raw_rows_in_another_order_give_the_same_file(tmp_path):
    """A float sum of shuffled raw rows is built to the same bytes."""
    rows = write_shop(tmp_path)
    files = []
    for seed in (1, 2):
        rows.sample(fraction=1, shuffle=True, seed=seed).write_csv(tmp_path / "data/raw/orders.csv")
        project = featurestore.open(tmp_path)
        project.validate("orders")
        project.build("float_sum")
        files.append(project.layout.features("float_sum").read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize(
    ("dtype", "nested"),
    [
        (pl.Float64(), lambda x: x),
        (pl.Float32(), lambda x: x),
        (pl.List(pl.Float64()), lambda x: [2.0, x]),
        (pl.Array(pl.Float32(), 2), lambda x: [x, 2.0]),
        (pl.List(pl.List(pl.Float64())), lambda x: [[x]]),
        (pl.Struct({"a": pl.Float64(), "b": pl.List(pl.Float64())}), lambda x: {"a": 2.0, "b": [x]}),
    ],
    ids=["float 64", "float 32", "list", "array", "list of lists", "struct"],
)
def test_rows_without_a_key_are_sorted_by_all_columns_and_by_bits(dtype, nested):
    """Equal rows in any order become one frame; 0.0 and -0.0 are distinct, also inside lists and structs."""
    import pandera.polars as pa  # noqa: PLC0415 - a schema of this test alone

    class NoKey(pa.DataFrameModel):
        """Rows without a key."""

        x: pl.Float64 = pa.Field(description="number")

    orders = [[0.0, -0.0, 1.0], [1.0, -0.0, 0.0], [-0.0, 1.0, 0.0]]
    columns = [pl.Series("x", [nested(x) for x in order], dtype=dtype) for order in orders]
    frames = [in_total_order(column.to_frame().lazy(), contract_of(NoKey)).collect() for column in columns]
    assert {str(frame["x"].to_list()) for frame in frames} == {str([nested(x) for x in (0.0, -0.0, 1.0)])}


def test_polars_is_as_it_was_after_nested_blocks_and_errors():
    """The verbs and the environment are restored when the last block ends, also after an error."""
    before = (pl.LazyFrame.group_by, pl.Expr.sort_by, os.environ.get("POLARS_NO_PARTITION"))
    with ordered_execution():
        with ordered_execution():
            assert pl.LazyFrame.group_by is not before[0]
        assert pl.LazyFrame.group_by is not before[0]
    assert before == (pl.LazyFrame.group_by, pl.Expr.sort_by, os.environ.get("POLARS_NO_PARTITION"))
    with pytest.raises(pl.exceptions.ColumnNotFoundError), ordered_execution():
        pl.select(pl.col("missing"))
    assert before == (pl.LazyFrame.group_by, pl.Expr.sort_by, os.environ.get("POLARS_NO_PARTITION"))
