"""A draft is a schema that runs, that the data keep, and that says how sure it is."""

import importlib.util

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featurestore.definitions.contract import contract_of
from featurestore.errors import ContractError
from featurestore.quality.gate.inspection import inspect
from featurestore.quality.profile.profile import profile
from featurestore.quality.profile.suggest import suggest, sureness


def draft(frame, tmp_path):
    text = suggest(profile(frame, dataset="sales"), name="Sales")
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
    """Types, nullability, ranges, categories, patterns, uniqueness; meanings and units are left to a person."""
    text, contract = draft(FRAME, tmp_path)
    assert 'isin=["a, b", "c"],  # sure to 99.70%' in text
    assert 'str_matches="^[A-Z0-9]{4}$",  # sure to 99.70%' in text
    assert "nullable=True,  # 10.00% missing" in text
    assert 'metadata={"unit": ""},' in text
    assert contract["number"].unique
    assert inspect(FRAME, contract, dataset="sales").verdict.decision == "passed"
    worse = FRAME.with_columns(share=pl.lit(7.0))
    assert inspect(worse, contract, dataset="sales").verdict.decision == "refused"


def test_few_rows_make_nothing_sure(tmp_path):
    """Of twenty rows no rule can be told but types and what is missing."""
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
@settings(max_examples=25, deadline=None)
def test_the_data_keep_the_draft_that_was_made_from_them(tmp_path_factory, values):
    """Whatever they are, and whatever their columns are called."""
    frame = pl.DataFrame(values, schema={"a": pl.Int64, "class": pl.Float64, "two words": pl.String})
    _, contract = draft(frame, tmp_path_factory.mktemp("draft"))
    try:
        verdict = inspect(frame, contract, dataset="sales").verdict
    except ContractError as error:
        pytest.fail(str(error))
    assert verdict.decision == "passed", verdict
