"""Slips in a schema are reported, never ignored; personal values are not reported at all."""

from datetime import date

import pandera.polars as pa
import polars as pl
import pytest

from featurestore.definitions.contract import contract_of
from featurestore.errors import ContractError, DefinitionError
from featurestore.quality.change.value_changes import value_changes
from featurestore.quality.gate.corrections import rows_to_correct
from featurestore.quality.gate.inspection import inspect
from featurestore.quality.profile.profile import profile
from featurestore.quality.profile.suggest import suggest


def test_a_check_that_forgets_to_return_is_no_pass():
    """A check without a return statement is a wrong definition."""

    class Forgetful(pa.DataFrameModel):
        """Forgetful."""

        a: pl.Int64 = pa.Field()

        @pa.check("a")
        def mine(cls, data):
            data.lazyframe.select(pl.col("a") > 0)

    with pytest.raises(
        DefinitionError, match="check 'mine': fails on the data: TypeError: it returns nothing"
    ):
        inspect(pl.DataFrame({"a": [1]}), contract_of(Forgetful), dataset="a")


def test_an_element_wise_check_that_raises_is_named():
    """The error names the check that raised."""

    class Dividing(pa.DataFrameModel):
        """Dividing."""

        a: pl.Int64 = pa.Field()

        @pa.check("a", element_wise=True)
        def mine(cls, value):
            return 1 / (value - 3) < 5

    with pytest.raises(DefinitionError, match="check 'mine': fails on the data: ZeroDivisionError"):
        inspect(pl.DataFrame({"a": [3]}), contract_of(Dividing), dataset="a")


class People(pa.DataFrameModel):
    """People."""

    born: pl.Date = pa.Field(metadata={"personal": True})


def test_personal_timestamps_are_not_kept():
    """A profile does not even count the days of a personal column."""
    described = profile(
        pl.DataFrame({"born": [date(1990, 5, 17)]}), dataset="people", contract=contract_of(People)
    )
    assert "1990" not in str(described)


def test_rows_are_not_counted_by_what_is_personal():
    """Segments by a personal column would show its values."""

    class Counted(People):
        """Counted."""

        class Config:
            metadata = {"segments": ["born"]}

    with pytest.raises(DefinitionError, match="segments has 'born', a column of personal data"):
        contract_of(Counted)


@pytest.mark.parametrize("personal", ["k", "v"])
def test_changes_of_personal_values_are_counted_and_not_shown(personal):
    """Neither a personal value nor a personal key is shown."""
    before, after = pl.LazyFrame({"k": [1], "v": [20.0]}), pl.LazyFrame({"k": [1], "v": [21.0]})
    changes = value_changes(before, after, ["k"], [personal])
    assert (changes.columns, changes.examples) == ({"v": 1}, {})


def test_nested_columns_are_corrected_in_the_raw_file():
    """A CSV file cannot hold a list."""
    rows = pl.DataFrame({"source_file": ["a"], "source_row": [1], "l": [[1]], "broken_rules": [["x"]]})
    with pytest.raises(ContractError, match=r"'l' is List\(Int64\), which a CSV file cannot hold"):
        rows_to_correct(rows)


def test_a_draft_names_each_column_once():
    """Columns whose names become one Python name are numbered."""
    frame = pl.DataFrame({"a b": [1], "a.b": [2], "a_b": [3]})
    text = suggest(profile(frame, dataset="numbered"), frame.schema, name="Numbered")
    assert [line.split(":")[0].strip() for line in text.splitlines() if "pa.Field(" in line] == [
        "a_b_2",
        "a_b_3",
        "a_b",
    ]
