"""The gate checks values, keeps every row somewhere, and says why."""

from typing import Annotated

import pandera.polars as pa
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featurestore.definitions.contract import contract_of
from featurestore.errors import ContractError, DefinitionError
from featurestore.quality.gate import admit, inspect, is_valid

QUARANTINE = {"on_invalid": "quarantine", "tolerance": 0.9}


class Readings(pa.DataFrameModel):
    """Readings."""

    sensor: pl.String = pa.Field(str_matches="^[a-z]+$", description="sensor")
    at: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(description="when")
    value: pl.Float32 = pa.Field(
        nullable=True, in_range={"min_value": 0, "max_value": 10}, description="value"
    )
    count: pl.Int32 = pa.Field(ge=0, description="count")

    @pa.dataframe_check
    def value_below_count(cls, data):
        return data.lazyframe.select(pl.col("value") <= pl.col("count"))

    @pa.dataframe_check(raise_warning=True)
    def value_known(cls, data):
        return data.lazyframe.select(pl.col("value").is_not_null())

    class Config:
        strict = True
        unique = ["sensor", "at"]
        metadata = QUARANTINE


GOOD = {"sensor": "a", "at": "2024-01-01T00:00:00Z", "value": "1.5", "count": "2"}


def look(*rows, contract=Readings):
    frame = pl.DataFrame(rows, schema=dict.fromkeys(GOOD, pl.String))
    return inspect(frame.lazy(), contract_of(contract), dataset="readings")


def rules(inspection):
    return {count.rule: count.broken for count in inspection.verdict.rules}


def test_text_becomes_the_declared_types():
    """A good row of a CSV file passes in the contract's dtypes."""
    passed = look(GOOD).passed
    assert passed.schema == contract_of(Readings).schema
    assert passed.row(0)[2:] == (1.5, 2)


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({"sensor": "A"}, {"sensor.str_matches('^[a-z]+$')": 1}),
        ({"sensor": None}, {"sensor.not_null": 1}),
        ({"at": "yesterday"}, {"at.dtype(Datetime(time_unit='us', time_zone='UTC'))": 1}),
        ({"value": "11", "count": "12"}, {"value.in_range(0, 10)": 1}),
        ({"count": "2.5"}, {"count.dtype(Int32)": 1}),
        ({"count": "99999999999"}, {"count.dtype(Int32)": 1}),
        ({"value": "2.5"}, {"value_below_count": 1}),
        ({"value": None}, {"value_known": 1}),
    ],
)
def test_each_broken_rule_is_named(change, broken):
    """One wrong value breaks one rule, by name."""
    assert rules(look(GOOD | {"sensor": "b"}, GOOD | change)) == broken


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_float_that_is_no_number_never_passes(value):
    """NaN passes Pandera's comparisons; it does not pass the gate."""
    assert rules(look(GOOD | {"sensor": "b"}, GOOD | {"value": value}))["value.finite"] == 1


def test_values_of_a_lazy_frame_are_checked():
    """Pandera looks at a lazy frame's schema only; the gate looks at its values."""
    rows = pl.LazyFrame([GOOD | {"count": "-1"}])
    assert not is_valid(rows, contract_of(Readings), dataset="readings")


def test_a_warning_counts_and_lets_pass():
    """A check with raise_warning is counted, and its rows pass."""
    inspection = look(GOOD | {"value": None})
    assert inspection.passed.height == 1
    assert inspection.verdict.decision == "passed"
    assert rules(inspection) == {"value_known": 1}


def test_every_row_of_a_repeated_key_is_set_apart():
    """Which of two rows with one key is right cannot be known."""
    inspection = look(GOOD, GOOD | {"value": "1"}, GOOD | {"sensor": "b"})
    assert inspection.passed.height == 1
    assert rules(inspection) == {"unique(sensor, at)": 2}


def test_quarantined_rows_carry_their_number_and_all_their_rules():
    """A row in quarantine is as it came, with its place in the file and everything it broke."""
    bad = look(GOOD, GOOD | {"sensor": "B", "count": "x"}).quarantined
    assert bad.to_dicts() == [
        {
            "source_row": 2,
            **GOOD,
            "sensor": "B",
            "count": "x",
            "broken_rules": ["sensor.str_matches('^[a-z]+$')", "count.dtype(Int32)"],
        }
    ]


def test_beyond_the_tolerance_the_dataset_is_refused():
    """More bad rows than tolerated refuse all, and the message says how many and why."""
    inspection = look(GOOD, *(GOOD | {"sensor": name, "count": "-1"} for name in "bcdefghijk"))
    with pytest.raises(ContractError, match=r"readings: refused: 10 of 11 rows") as caught:
        admit(inspection)
    assert caught.value.verdict.decision == "refused"


def test_no_rows_at_all_is_refused():
    """An empty file is a broken promise, not a pass."""
    assert look().verdict.decision == "refused"


def test_all_missing_and_unexpected_columns_are_named():
    """A renamed column is named with the column that it may have become."""
    frame = pl.LazyFrame([GOOD]).rename({"value": "values", "sensor": "sensor_id"})
    with pytest.raises(
        ContractError, match="lacks 'sensor', 'value' and has unexpected 'sensor_id', 'values'"
    ) as e:
        inspect(frame, contract_of(Readings), dataset="readings")
    assert "'values' may be 'value' renamed" in str(e.value)


def test_a_column_of_a_wrong_kind_is_refused():
    """A number is not turned into text in silence."""
    frame = pl.LazyFrame([GOOD]).with_columns(sensor=pl.lit(1))
    with pytest.raises(ContractError, match="'sensor' is Int32, expected String"):
        inspect(frame, contract_of(Readings), dataset="readings")


def test_a_rule_over_the_dataset_blames_no_row():
    """An aggregate that fails refuses the dataset instead of blaming row 0."""

    class Few(Readings):
        """Few."""

        @pa.dataframe_check
        def few_rows(cls, data):
            return data.lazyframe.select(pl.len() < 2)

    inspection = look(GOOD, GOOD | {"sensor": "b"}, contract=Few)
    assert inspection.verdict.decision == "refused"
    assert inspection.quarantined.is_empty()
    assert rules(inspection) == {"few_rows": 1}


def test_the_good_half_is_checked_again():
    """A rule over groups that held only thanks to a row in quarantine refuses the dataset."""

    class Scores(pa.DataFrameModel):
        """Scores of players."""

        player: pl.String = pa.Field()
        score: pl.Int64 = pa.Field(le=100)

        @pa.dataframe_check
        def each_player_reached_ten(cls, data):
            """Somebody who never reached ten is not listed."""
            return data.lazyframe.select(pl.col("score").max().over("player") >= 10)

        class Config:
            metadata = {"on_invalid": "quarantine", "tolerance": 0.5}

    rows = pl.DataFrame({"player": ["a", "a", "b", "b"], "score": [50, 60, 5, 900]})
    verdict = inspect(rows.lazy(), contract_of(Scores), dataset="scores").verdict
    assert verdict.decision == "refused"
    assert [(count.rule, count.broken) for count in verdict.rules] == [
        ("each_player_reached_ten, once the other rows are gone", 1),
        ("score.less_than_or_equal_to(100)", 1),
    ]
    assert verdict.rows_in == verdict.rows_passed + verdict.rows_quarantined
    kept = inspect(rows.head(3).lazy(), contract_of(Scores), dataset="scores").verdict
    assert [count.rule for count in kept.rules] == ["each_player_reached_ten"]


def test_a_check_that_cannot_be_traced_is_refused():
    """A check that does more than select an expression is a wrong definition, never a pass."""

    class Odd(Readings):
        """Odd."""

        @pa.dataframe_check
        def odd(cls, data):
            return data.lazyframe.with_columns(x=1).select(pl.col("x") == 1)

    with pytest.raises(DefinitionError, match="schema Odd, check 'odd'"):
        look(GOOD, contract=Odd)


def test_nan_becomes_null_where_declared():
    """The contract may say that NaN means missing."""

    class Gaps(pa.DataFrameModel):
        """Gaps."""

        value: pl.Float64 = pa.Field(nullable=True, metadata={"nan": "null"})

    frame = pl.LazyFrame({"value": [float("nan"), 1.0]})
    assert inspect(frame, contract_of(Gaps), dataset="gaps").passed["value"].to_list() == [None, 1.0]


class Numbers(pa.DataFrameModel):
    """For the comparison with Pandera."""

    a: pl.Int64 = pa.Field(nullable=True, ge=-1, le=2)
    b: pl.String = pa.Field(isin=["x", "y"])
    c: pl.Int64 = pa.Field(ne=3, notin=[4])

    class Config:
        strict = True


@given(
    st.lists(
        st.tuples(
            st.none() | st.integers(-3, 4),
            st.none() | st.sampled_from(["x", "y", "z"]),
            st.none() | st.integers(2, 5),
        ),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=60, deadline=None)
def test_the_gate_agrees_with_pandera(rows):
    """The same frame passes or fails both; the rows that pass the gate pass Pandera."""
    frame = pl.DataFrame(rows, schema=contract_of(Numbers).schema, orient="row")
    inspection = inspect(frame.lazy(), contract_of(Numbers), dataset="numbers")
    try:
        Numbers.validate(frame, lazy=True)
    except pa.errors.SchemaErrors:
        assert inspection.passed.height < frame.height
    else:
        assert inspection.passed.equals(frame)
    Numbers.validate(inspection.passed)
    assert inspection.passed.height + inspection.quarantined.height == frame.height
