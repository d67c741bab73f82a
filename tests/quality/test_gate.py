"""The gate checks values, keeps every row somewhere, and says why."""

from typing import Annotated

import pandera.polars as pa
import polars as pl
import pytest

from featurestore.definitions.contract import contract_of
from featurestore.errors import ContractError, DefinitionError
from featurestore.quality.gate.inspection import admit, inspect, is_valid

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
    streamed = inspect(frame.lazy(), contract_of(contract), dataset="readings")
    at_once = inspect(frame, contract_of(contract), dataset="readings")
    assert at_once.verdict == streamed.verdict
    assert at_once.passed.equals(streamed.passed)
    assert at_once.quarantined.equals(streamed.quarantined)
    return streamed


def rules(inspection):
    return {count.label: count.broken for count in inspection.verdict.rules}


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
def test_a_non_finite_float_never_passes(value):
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


def test_every_row_of_a_repeated_key_is_quarantined():
    """Which of two rows with one key is right cannot be known."""
    inspection = look(GOOD, GOOD | {"value": "1"}, GOOD | {"sensor": "b"})
    assert inspection.passed.height == 1
    assert rules(inspection) == {"unique(sensor, at)": 2}


def test_quarantined_rows_carry_their_number_and_all_their_rules():
    """A row in quarantine is kept as it arrived, with its place in the file and every rule that it broke."""
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
    """A frame without rows is refused."""
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
    """A number is not cast to text in silence."""
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
    assert [(count.label, count.broken) for count in verdict.rules] == [
        ("each_player_reached_ten, after bad rows were removed", 1),
        ("score.less_than_or_equal_to(100)", 1),
    ]
    assert verdict.rows_in == verdict.rows_passed + verdict.rows_quarantined
    kept = inspect(rows.head(3).lazy(), contract_of(Scores), dataset="scores").verdict
    assert [count.name for count in kept.rules] == ["each_player_reached_ten"]


def test_a_check_that_selects_no_single_expression_is_run_as_pandera_runs_it():
    """Such a check runs in a query of its own, and blames the same rows."""

    class CountedInPairs(Readings):
        """Readings whose count has remainder 1 in pairs."""

        @pa.dataframe_check
        def remainder_is_1(cls, data):
            return data.lazyframe.with_columns(x=pl.col("count") % 2).select(pl.col("x") == 1)

        @pa.dataframe_check
        def few(cls, data):
            return data.lazyframe.collect().height < 3

    rows = (GOOD | {"count": "3"}, GOOD | {"sensor": "b"})
    inspection = look(*rows, contract=CountedInPairs)
    assert rules(inspection) == {"remainder_is_1": 1}
    assert inspection.quarantined["source_row"].to_list() == [2]
    more = look(*rows, *(GOOD | {"sensor": name, "count": "5"} for name in "cd"), contract=CountedInPairs)
    assert rules(more) == {"remainder_is_1": 1, "few": 1, "few, after bad rows were removed": 1}
    assert more.verdict.decision == "refused"


def test_a_check_that_fails_is_never_a_pass():
    """The message names the check and its place in the code."""

    class Broken(Readings):
        """Broken."""

        @pa.dataframe_check
        def broken(cls, data):
            return data.lazyframe.collect()["nowhere"]

    with pytest.raises(DefinitionError, match="schema Broken, check 'broken': fails on the data") as e:
        look(GOOD, contract=Broken)
    assert "test_gate.py, line" in str(e.value)


def test_a_check_by_groups_is_refused():
    """Pandera ignores groupby on Polars, so the gate refuses it."""

    class Grouped(pa.DataFrameModel):
        """Grouped."""

        a: pl.Int64 = pa.Field()
        b: pl.Int64 = pa.Field()

        @pa.check("a", groupby="b")
        def grouped(cls, data):
            return data.lazyframe.select(pl.col("a") > 0)

    with pytest.raises(DefinitionError, match="groupby has no effect"):
        inspect(pl.LazyFrame({"a": [1], "b": [1]}), contract_of(Grouped), dataset="grouped")


def test_what_changes_data_at_the_gate_is_refused():
    """`drop_invalid_rows` would remove rows without a report."""

    class Dropping(pa.DataFrameModel):
        """Dropping."""

        a: pl.Int64 = pa.Field()

        class Config:
            drop_invalid_rows = True

    with pytest.raises(DefinitionError, match="schema Dropping: drop_invalid_rows would change data"):
        contract_of(Dropping)


def test_nan_becomes_null_where_declared():
    """The contract may say that NaN means missing."""

    class Gaps(pa.DataFrameModel):
        """Gaps."""

        value: pl.Float64 = pa.Field(nullable=True, metadata={"nan": "null"})

    frame = pl.LazyFrame({"value": [float("nan"), 1.0]})
    assert inspect(frame, contract_of(Gaps), dataset="gaps").passed["value"].to_list() == [None, 1.0]


def test_a_timestamp_beyond_python_is_shown_as_a_number():
    """A timestamp outside the years 1 to 9999 is a bad row; the example is its integer."""

    class Seen(pa.DataFrameModel):
        at: pl.Datetime("us", "UTC") = pa.Field()

    rows = pl.DataFrame({"at": [2**61, 0]}).cast(pl.Datetime("us", "UTC"))
    [count] = inspect(rows, contract_of(Seen), dataset="seen").verdict.rules
    assert (count.rule.kind, count.examples) == ("dtype", (str(2**61),))


class Visits(pa.DataFrameModel):
    """Visits, and in training whether they ended in an order."""

    page: pl.String = pa.Field()
    bought: pl.Boolean = pa.Field(metadata={"environments": ["training"]})

    @pa.dataframe_check
    def only_the_shop_sells(cls, data):
        """Nothing is bought elsewhere."""
        return data.lazyframe.select(~pl.col("bought") | (pl.col("page") == "shop"))

    class Config:
        strict = True
        metadata = {"expect": {"share": {"bought": {True: (0.5, None)}}, "rows": (1, None)}}


def test_a_column_is_checked_only_in_its_environments():
    """Elsewhere the column and the checks and expectations that read it are left out."""
    contract = contract_of(Visits)
    serving = inspect(pl.DataFrame({"page": ["shop"]}), contract.within("serving"), dataset="visits").verdict
    assert serving.decision == "passed"
    assert tuple(rule.name for rule in serving.checked) == ("page.not_null", "rows(1, None)", "not_empty")
    rows = pl.DataFrame({"page": ["home"], "bought": [True]})
    training = inspect(rows, contract.within("training"), dataset="visits").verdict
    assert [count.name for count in training.rules] == ["only_the_shop_sells"]
    with pytest.raises(ContractError, match="unexpected 'bought'"):
        inspect(rows, contract.within("serving"), dataset="visits")
