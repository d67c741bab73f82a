"""Expectations of a whole dataset are measured; a broken one is reported with its value and refuses the dataset."""

from datetime import UTC, datetime, timedelta

import pandera.polars as pa
import polars as pl
import pytest

from featurestore.definitions.contract import contract_of
from featurestore.errors import DefinitionError
from featurestore.quality.gate.inspection import inspect
from featurestore.quality.rules.expectations import ValidationContext, check_expectations

NOON = datetime(2024, 1, 10, 12, tzinfo=UTC)
HOURS = [NOON - timedelta(hours=h) for h in (5, 4, 3, 1)]
SHOPS = pl.LazyFrame({"shop": ["a", "b"], "turnover": [30.0, 40.0]})
CONTEXT = ValidationContext(now=NOON, scan_dataset={"shops": SHOPS}.__getitem__, volumes=(4, 4, 5))


def contract(declared="expect", **expected):
    """The contract of some sales, with an expectation."""

    class Sales(pa.DataFrameModel):
        """Sales."""

        shop: pl.String = pa.Field(nullable=True)
        amount: pl.Float64 = pa.Field(nullable=True)
        at: pl.Datetime("us", "UTC") = pa.Field()

        class Config:
            metadata = {"on_invalid": "quarantine", "tolerance": 0.5, declared: expected}

    return contract_of(Sales)


def look(sales=None, *, context=CONTEXT, declared="expect", **expected):
    """Check four sales, or others, at the gate; returns the verdict."""
    values = {"shop": ["a", "a", "b", "b"], "amount": [10.0, 20.0, 30.0, 10.0], "at": HOURS} | (sales or {})
    frame = pl.DataFrame(values, schema=contract(**expected).schema)
    return inspect(frame, contract(declared, **expected), dataset="sales", context=context).verdict


KEPT_AND_BROKEN = {
    "rows": ({"rows": (4, None)}, {"rows": (5, None)}, "rows(5, None)", "4"),
    "volume": ({"volume": 0.5}, {"volume": 0.1}, None, None),
    "fresh": (
        {"fresh": {"at": timedelta(hours=1)}},
        {"fresh": {"at": timedelta(minutes=59)}},
        "at.fresh(0:59:00)",
        "1 hour",
    ),
    "null_share": ({"null_share": {"shop": 0.0}}, None, None, None),
    "distinct": (
        {"distinct": {"shop": (2, 2)}},
        {"distinct": {"shop": (3, None)}},
        "shop.distinct(3, None)",
        "2",
    ),
    "mean": ({"mean": {"amount": (17, 18)}}, {"mean": {"amount": (18, 20)}}, "amount.mean(18, 20)", "17.5"),
    "covers": ({"covers": {"shop": ["a", "b"]}}, {"covers": {"shop": ["a", "c"]}}, "shop.covers('c')", "0"),
    "share": (
        {"share": {"shop": {"a": (0.5, 0.5)}}},
        {"share": {"shop": {"a": (0.6, None)}}},
        "shop.share('a', 0.6, None)",
        "0.5",
    ),
    "segments": (
        {"segments": {("shop",): 2}},
        {"segments": {("shop", "amount"): 1}},
        "segments(shop, amount).missing(0)",
        "2",
    ),
    "gap": (
        {"gap": {"at": timedelta(hours=2)}},
        {"gap": {"at": (timedelta(hours=1, minutes=59), ["shop"])}},
        "at.gap(1:59:00 by shop)",
        "2 hours",
    ),
    "increasing": ({"increasing": ["at"]}, {"increasing": ["amount"]}, "amount.increasing", "1"),
    "one_label": (
        {"one_label": {"shop": (["at"], 0.0)}},
        {"one_label": {"amount": (["shop"], 0.5)}},
        "amount.one_label(shop, 0.5)",
        "1.0",
    ),
}


@pytest.mark.parametrize("kind", KEPT_AND_BROKEN)
def test_a_kept_expectation_passes_and_a_broken_one_refuses(kind):
    """The verdict of a broken expectation names the rule and the measured value, and blames no row."""
    kept, broken, rule, measured = KEPT_AND_BROKEN[kind]
    verdict = look(**kept)
    assert (verdict.decision, verdict.rules, verdict.unevaluated) == ("passed", (), ())
    if rule is not None:
        verdict = look(**broken)
        assert (verdict.decision, verdict.rows_quarantined) == ("refused", 0)
        assert [(count.name, count.examples) for count in verdict.rules] == [(rule, (measured,))]


def test_missing_values():
    """The share of nulls is measured."""
    verdict = look({"shop": ["a", None, "b", "b"]}, null_share={"shop": 0.2})
    assert [(count.name, count.examples) for count in verdict.rules] == [("shop.null_share(0.2)", ("0.25",))]


def test_an_expectation_can_be_one_that_warns():
    """A broken expectation of `expect_or_warn` is counted, and the dataset passes."""
    verdict = look(declared="expect_or_warn", distinct={"shop": (3, None)})
    assert verdict.decision == "passed"
    assert [count.warning for count in verdict.rules] == [True]


def test_volume_is_compared_with_the_earlier_runs():
    """The number of rows is compared with the median of the earlier runs, once there are three of them."""
    assert (
        look(context=ValidationContext(volumes=(40, 40, 41)), volume=0.5).rules[0].name
        == "volume(within 50% of the median)"
    )
    early = look(context=ValidationContext(volumes=(40,)), volume=0.5)
    assert [(m.rule.kind, m.reason) for m in early.unevaluated] == [("volume", "fewer than 3 earlier runs")]


def test_a_row_that_refers_to_nothing_is_a_bad_row():
    """A null refers to nothing and is allowed."""
    verdict = look({"shop": ["a", "z", None, "b"]}, references={"shop": ("shops", "shop")})
    assert (verdict.decision, verdict.rows_quarantined) == ("quarantined", 1)
    assert [(count.name, count.examples) for count in verdict.rules] == [
        ("shop.references(shops: shop)", ("'z'",))
    ]


@pytest.mark.parametrize(("tolerated", "decision"), [(0.25, "passed"), (0.24, "refused")])
def test_some_orphans_may_be_tolerated(tolerated, decision):
    """With a tolerated share no row is blamed."""
    verdict = look({"shop": ["a", "z", None, "b"]}, references={"shop": ("shops", "shop", tolerated)})
    assert (verdict.decision, verdict.rows_quarantined) == (decision, 0)


def test_sums_agree_with_those_of_another_dataset():
    """Sums are compared as a whole and by group; a missing group sums to 0."""
    assert look(sums_agree={"amount": ("shops", "turnover", 0.0, ["shop"])}).decision == "passed"
    assert look(
        {"amount": [10.0, 20.0, 30.0, 11.0]}, sums_agree={"amount": ("shops", "turnover", 0.01)}
    ).rules
    apart = {"shop": ["a", "a", "b", "c"]}
    assert look(apart, sums_agree={"amount": ("shops", "turnover", 0.5)}).decision == "passed"
    assert look(apart, sums_agree={"amount": ("shops", "turnover", 0.5, ["shop"])}).decision == "refused"


def test_an_expectation_that_cannot_be_evaluated_is_reported():
    """Freshness needs the current time, a reference needs the other dataset; the verdict names what is missing."""
    verdict = look(
        context=ValidationContext(), fresh={"at": timedelta(hours=1)}, references={"shop": ("shops", "shop")}
    )
    assert [(missing.name, missing.reason) for missing in verdict.unevaluated] == [
        ("at.fresh(1:00:00)", "the current time is not known"),
        ("shop.references(shops: shop)", "other datasets cannot be read"),
    ]
    assert "not evaluated: at.fresh(1:00:00) (the current time is not known)" in verdict.explain()


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({"rowz": (1, 2)}, "there is no such expectation"),
        ({"rows": 5}, "does not have the expected form"),
        ({"mean": {"price": (1, 2)}}, "there is no column 'price'"),
        ({"gap": {"at": 5}}, "does not have the expected form"),
        ({"references": {"shop": ("shops", ("a", "b"))}}, "1 column shop cannot refer to 2 columns"),
    ],
)
def test_a_wrong_expectation_is_a_wrong_definition(expected, message):
    """The error says what is wrong with the expectation."""
    with pytest.raises(DefinitionError, match=message):
        look(**expected)


@pytest.mark.parametrize(
    "expected",
    [
        {"mean": {"shop": (1, 2)}},
        {"covers": {"amount": ["a"]}},
        {"fresh": {"amount": timedelta(days=1)}},
        {"rows": ("a", "b")},
        {"references": {"amount": ("shops", "shop")}},
        {"references": {"shop": ("shops", "nowhere")}},
        {"sums_agree": {"shop": ("shops", "turnover", 0.1)}},
    ],
)
def test_an_expectation_that_does_not_fit_its_columns_is_found_without_data(expected):
    """`check_expectations` reports it as a wrong definition, not as bad data."""
    with pytest.raises(DefinitionError, match=r"does not fit|unable to find"):
        check_expectations(contract(**expected), {"shops": SHOPS.head(0)}.__getitem__)


def test_expectations_are_a_dictionary():
    """A list of expectations is a wrong definition."""
    with pytest.raises(DefinitionError, match=r"expect is .*; expected a dictionary"):
        inspect(HOURLESS, contract_of(listed()), dataset="sales")


HOURLESS = pl.DataFrame({"shop": ["a"]})


def listed():
    """A schema whose expectations are a list."""

    class Listed(pa.DataFrameModel):
        """Listed."""

        shop: pl.String = pa.Field()

        class Config:
            metadata = {"expect": []}

    return Listed
