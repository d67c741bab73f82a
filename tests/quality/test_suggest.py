"""A draft is a schema that runs, that its data pass, and that says how sure each check is."""

import importlib.util
from datetime import datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import examples

from featurestore.definitions.contract import contract_of
from featurestore.errors import ConfigError, ContractError
from featurestore.quality.gate.inspection import inspect
from featurestore.quality.profile.profile import profile
from featurestore.quality.profile.schema_draft import CheckDraft, draft_schema, sureness
from featurestore.quality.profile.suggest import suggest


def draft(frame, tmp_path):
    text = suggest(profile(frame, dataset="sales"), frame.schema, name="Sales")
    path = tmp_path / "drafted.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location("drafted", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return text, contract_of(module.Sales)


FRAME = pl.select(
    number=pl.int_range(1000),
    shop=pl.when(pl.int_range(1000) % 2 == 0).then(pl.lit("a, b")).otherwise(pl.lit("c")),
    code=pl.format("AB{}", pl.int_range(1000) % 90 + 10),
    share=pl.int_range(1000) / 1000,
    note=pl.when(pl.int_range(1000) % 10 != 0).then(pl.lit("x")),
)


def test_a_draft(tmp_path):
    """A draft has dtypes, nullability, ranges, categories, patterns and uniqueness.

    A person adds descriptions and units.
    """
    text, contract = draft(FRAME, tmp_path)
    assert 'isin=["a, b", "c"],  # sure to 99.70%' in text
    assert 'str_matches="^[A-Z0-9]{4}$",  # sure to 99.70%' in text
    assert text.count("raise_warning=True,  # another value is counted, and passes") == 3
    assert "nullable=True,  # 10.00% missing" in text
    assert 'metadata={"unit": ""},' in text
    assert contract["number"].unique
    assert inspect(FRAME, contract, dataset="sales").verdict.decision == "passed"
    worse = FRAME.with_columns(share=pl.lit(7.0))
    assert inspect(worse, contract, dataset="sales").verdict.decision == "refused"


def test_a_draft_is_data_before_it_is_text():
    """The checks of a field are arguments with values and a sureness, and its dtype is a dtype."""
    fields = {
        f.column: f for f in draft_schema(profile(FRAME, dataset="sales"), FRAME.schema, name="S").fields
    }
    assert fields["shop"].dtype == pl.String()
    assert fields["shop"].checks == (CheckDraft("isin", ["a, b", "c"], 0.997),)
    assert [check.argument for check in fields["number"].checks] == ["unique", "ge"]
    assert (fields["note"].null_share, fields["share"].metadata) == (0.1, {"unit": ""})


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([timedelta(seconds=n % 5 + 1) for n in range(100)], dtype=pl.Duration("ms")),
        pl.Series([Decimal(n % 7) / 2 for n in range(100)], dtype=pl.Decimal(10, 2)),
        pl.Series([datetime(2024, 1, 1 + n % 20) for n in range(100)], dtype=pl.Datetime("ms")),  # noqa: DTZ001
        pl.Series(["north", "south"] * 50, dtype=pl.Enum(["north", "south"])),
        pl.Series(["north", "south"] * 50, dtype=pl.Categorical),
        pl.Series([[n] for n in range(100)], dtype=pl.List(pl.Int64)),
        pl.Series([[timedelta(seconds=n)] for n in range(100)], dtype=pl.List(pl.Duration("us"))),
        pl.Series([[n, n] for n in range(100)], dtype=pl.Array(pl.Int64, 2)),
        pl.Series([{"a": n} for n in range(100)], dtype=pl.Struct({"a": pl.Int64})),
        pl.Series([True, False] * 50),
        pl.Series([n % 5 for n in range(100)], dtype=pl.UInt8),
    ],
    ids=lambda values: str(values.dtype),
)
def test_every_dtype_can_be_drafted(tmp_path, values):
    """The drafted field has the dtype of its column, parameters included, and its data pass."""
    frame = pl.DataFrame({"x": values})
    _, contract = draft(frame, tmp_path)
    assert contract["x"].dtype == values.dtype
    assert inspect(frame, contract, dataset="sales").verdict.decision == "passed"


def test_few_rows_make_nothing_sure(tmp_path):
    """With twenty rows a draft has dtypes and nullability only."""
    text, _ = draft(FRAME.head(20), tmp_path)
    assert "sure to" not in text
    assert sureness(60) == pytest.approx(0.95)


columns = st.fixed_dictionaries(
    {
        "a": st.lists(st.none() | st.integers(-1000, 1000), min_size=70, max_size=70),
        "class": st.lists(st.floats(-1e6, 1e6), min_size=70, max_size=70),
        "two words": st.lists(st.text(max_size=3), min_size=70, max_size=70),
    }
)


@given(columns)
@examples(25)
def test_data_pass_the_draft_that_was_made_from_them(tmp_path_factory, values):
    """Any data pass their own draft, with any names of columns."""
    frame = pl.DataFrame(values, schema={"a": pl.Int64, "class": pl.Float64, "two words": pl.String})
    _, contract = draft(frame, tmp_path_factory.mktemp("draft"))
    try:
        verdict = inspect(frame, contract, dataset="sales").verdict
    except ContractError as error:
        pytest.fail(str(error))
    assert verdict.decision == "passed", verdict


@pytest.mark.parametrize("name", ["1bad", "two words", "class", ""])
def test_a_name_that_no_class_can_have_is_refused(shared_shop, name):
    """The draft is code: a name goes into it as it is."""
    with pytest.raises(ConfigError, match="expected the name of a Python class"):
        shared_shop.quality.suggest("orders", name=name)
