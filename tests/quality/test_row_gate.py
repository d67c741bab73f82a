"""The gate of rows finds for each row what the gate of datasets finds, without a frame."""

from datetime import UTC, date, datetime
from typing import Annotated

import pandera.polars as pa
import polars as pl
import pytest

from featurestore.definitions.contract import contract_of
from featurestore.errors import ContractError
from featurestore.expressions.patterns import flat_pattern
from featurestore.quality.gate.row_gate import RowGate
from featurestore.quality.rules.rule_id import RuleId

NAN, INF = float("nan"), float("inf")
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


class Request(pa.DataFrameModel):
    """A request."""

    bearing: pl.Float64 = pa.Field(ge=0, le=360)
    carrier: pl.String = pa.Field(nullable=True, str_matches="^[A-Z]{2}$")
    seats: pl.Int32 = pa.Field(isin=[100, 200])
    sold: pl.Int32 = pa.Field(nullable=True)
    fare: pl.Float32 = pa.Field(nullable=True, gt=0.1, metadata={"nan": "null"})

    @pa.dataframe_check
    def not_overbooked(cls, data):
        return data.lazyframe.select(pl.col("sold") <= pl.col("seats"))

    @pa.dataframe_check(raise_warning=True)
    def carrier_known(cls, data):
        return data.lazyframe.select(pl.col("carrier").is_not_null())


GOOD = {"bearing": 90.0, "carrier": "UA", "seats": 100, "sold": 7, "fare": 12.5}
gate = RowGate(contract_of(Request))


def row(**changes):
    return tuple((GOOD | changes).values())


def broken(contract, *rows):
    breaches = RowGate(contract).breaches(rows)
    return [] if breaches is None else [(breach.row, breach.rule.name) for breach in breaches.first]


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({}, []),
        ({"bearing": 360.0}, []),
        ({"bearing": 360.5}, ["bearing.less_than_or_equal_to(360)"]),
        ({"bearing": None}, ["bearing.not_null"]),
        ({"bearing": NAN}, ["bearing.finite", "bearing.less_than_or_equal_to(360)"]),
        ({"bearing": -INF}, ["bearing.finite", "bearing.greater_than_or_equal_to(0)"]),
        ({"carrier": None}, []),
        ({"carrier": "UA\n"}, ["carrier.str_matches('^[A-Z]{2}$')"]),
        ({"seats": 150}, ["seats.isin([100, 200])"]),
        ({"sold": None}, []),
        ({"sold": 101}, ["not_overbooked"]),
        ({"fare": NAN}, []),
        ({"fare": 0.1}, ["fare.greater_than(0.1)"]),
        ({"fare": 1e39}, ["fare.finite"]),
        ({"seats": 150, "sold": 200}, ["seats.isin([100, 200])", "not_overbooked"]),
    ],
)
def test_each_broken_rule_is_named(changes, rules):
    """Each broken rule has the name that the gate gives it; a warning refuses nothing, and NaN as fare is null."""
    assert broken(contract_of(Request), row(**changes)) == [(0, name) for name in rules]


def test_a_refusal_says_row_rule_value_and_what_is_allowed():
    """One error lists all breaches."""
    with pytest.raises(ContractError) as caught:
        gate.admit([row(), row(bearing=400.0, sold=101)])
    assert caught.value.message == (
        "the request breaks schema Request:\n"
        "  row 1: bearing.less_than_or_equal_to(360), given 400.0\n"
        "  row 1: not_overbooked, given sold = 101, seats = 100"
    )
    assert caught.value.hint == (
        "allowed are bearing: Float64, not_null, finite, greater_than_or_equal_to(0), less_than_or_equal_to(360)"
    )


def test_a_refusal_is_short():
    """The message lists few breaches and shortens each value."""
    with pytest.raises(ContractError) as caught:
        gate.admit([row(carrier="x" * 10_000)] * 100)
    assert caught.value.message.endswith("\n  … and 95 more")
    assert len(caught.value.message) < 1_000


def test_values_can_be_kept_out_of_a_refusal():
    """With `show_values=False` the message has no values."""
    with pytest.raises(ContractError) as caught:
        gate.admit([row(bearing=400.0)], show_values=False)
    assert "400" not in str(caught.value)


@pytest.mark.parametrize(
    "changes", [{"bearing": "north"}, {"carrier": 7}, {"seats": 2**40}, {"fare": "\ud800"}]
)
def test_a_value_of_another_type_is_refused(changes):
    """A value of another type is refused if a rule reads it."""
    with pytest.raises(ContractError, match="schema Request: a value is of another type"):
        gate.admit([row(**changes)])


def test_no_rows_break_nothing():
    """An empty request passes."""
    gate.admit([])


def test_rules_over_several_rows_do_not_apply_to_a_request():
    """Uniqueness, windows and aggregates are left out; checks of list elements or against a date are not."""

    class Rows(pa.DataFrameModel):
        """Rows."""

        a: pl.Int64 = pa.Field(unique=True)
        many: Annotated[pl.List, pl.Int64] = pa.Field()
        day: pl.Date = pa.Field()

        @pa.dataframe_check
        def rises(cls, data):
            return data.lazyframe.select(pl.col("a") > pl.col("a").shift())

        @pa.dataframe_check
        def below_the_mean(cls, data):
            return data.lazyframe.select((pl.col("a") > 0) & (pl.col("a") <= pl.col("a").mean()))

        @pa.dataframe_check
        def alone_in_its_group(cls, data):
            return data.lazyframe.select(pl.len().over("a") == 1)

        @pa.dataframe_check
        def few(cls, data):
            return data.lazyframe.select(pl.len() < 2)

        @pa.dataframe_check
        def all_positive(cls, data):
            return data.lazyframe.select(pl.col("many").list.eval(pl.element() > 0).list.all())

        @pa.dataframe_check
        def recent(cls, data):
            return data.lazyframe.select(pl.col("day") > pl.date(2020, 1, 1))

        class Config:
            unique = ["a", "day"]

    names = [rule.id.name for rule in RowGate(contract_of(Rows)).rules]
    assert names == [
        "a.not_null",
        "many.not_null",
        "day.dtype(Date)",
        "day.not_null",
        "all_positive",
        "recent",
    ]
    assert broken(contract_of(Rows), (1, [1, -1], date(2024, 1, 1)), (1, [1], date(2019, 1, 1))) == [
        (0, "all_positive"),
        (1, "recent"),
    ]


def test_a_contract_that_only_warns_refuses_nothing():
    """With `on_invalid = "warn"` no row is refused."""

    class Lenient(Request):
        """Lenient."""

        class Config:
            metadata = {"on_invalid": "warn"}

    RowGate(contract_of(Lenient)).admit([row(bearing=None)])


def test_a_check_that_selects_no_one_expression_is_run_by_itself():
    """Such a check runs on the rows of the request."""

    class Selecting(Request):
        """Bearings above 1."""

        @pa.dataframe_check
        def bearing_above_1(cls, data):
            return data.lazyframe.with_columns(x=pl.col("bearing") > 1).select("x")

    gate = RowGate(contract_of(Selecting))
    gate.admit([row(bearing=2.0)])
    with pytest.raises(ContractError, match="row 1: bearing_above_1"):
        gate.admit([row(bearing=2.0), row(bearing=0.5)])


def test_python_decides_all_rules_of_a_usual_contract():
    """A user's own check is an expression, and compiled as all others; one in Python code is left to Polars."""
    assert gate.compiled.others == ()

    class Coded(Request):
        """A check that no expression is."""

        @pa.dataframe_check
        def coded(cls, data):
            even = pl.col("seats").map_batches(lambda seats: seats % 2 == 0, return_dtype=pl.Boolean)
            return data.lazyframe.select(even)

    left = RowGate(contract_of(Coded))
    assert [rule.id for rule in left.compiled.others] == [RuleId("coded")]
    assert broken(contract_of(Coded), row(seats=150)) == [(0, "seats.isin([100, 200])")]
    assert broken(contract_of(Coded), row(seats=151, carrier="x"))[-1] == (0, "coded")


@pytest.mark.parametrize(
    ("pattern", "python"),
    [
        ("^[A-Z]{2}$", r"^[A-Z]{2}\Z"),
        ("N[0-9]{1,5}[A-Z]{0,2}$", r"^N[0-9]{1,5}[A-Z]{0,2}\Z"),
        (r"\d+\.\d+", r"^\d+\.\d+"),
        (r"cost: 5\$", r"^cost: 5\$"),
        ("(a+)+$", None),  # Python may need for ever
        ("a*a*a*b", None),  # and here nearly
        ("a|b", None),
        ("(?i)a", None),
        ("a{,3}", None),  # another meaning in each
        ("a++", None),
        (r"\bx", None),
        (r"\p{Greek}", None),
        ("[[:alpha:]]", None),
        ("[a&&b]", None),
        ("a^b", None),
        ("a$b", None),
        ("[z-a]", None),
        ("a{5,2}", None),
    ],
)
def test_patterns_that_python_reads_as_polars_does(pattern, python):
    """Only patterns with one meaning that match fast are translated; Polars runs all others."""
    assert flat_pattern(pattern, anchored=True) == python
