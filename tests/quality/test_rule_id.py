"""The identity of a rule is data; names are derived from it, in verdicts, in JSON and on the terminal."""

import msgspec
import pandera.polars as pa
import polars as pl
import pytest

from featurestore.cli.about import quarantine_text
from featurestore.definitions.contract import contract_of
from featurestore.quality.gate.inspection import inspect
from featurestore.quality.gate.verdict import RuleCount, Verdict
from featurestore.quality.rules.checks import check_id
from featurestore.quality.rules.expectations import ValidationContext, expectations_of
from featurestore.quality.rules.rule_id import RuleId


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (RuleId("rows", (), ("1", "None")), "rows(1, None)"),
        (RuleId("not_null", ("a",)), "a.not_null"),
        (RuleId("in_range", ("a",), ("-1", "5")), "a.in_range(-1, 5)"),
        (RuleId("unique", ("a",)), "a.unique"),
        (RuleId("unique", ("a", "b")), "unique(a, b)"),
        (RuleId("gap", ("at", "shop"), ("1:00:00",)), "at.gap(1:00:00 by shop)"),
        (RuleId("one_label", ("y", "a", "b"), ("0.5",)), "y.one_label(a, b, 0.5)"),
        (RuleId("references", ("a", "b"), ("shops: x, y", "0.1")), "a, b.references(shops: x, y, 0.1)"),
        (RuleId("sums_agree", ("a", "shop"), ("shops: x", "0.1")), "a.sums_agree(shops: x, 0.1 by shop)"),
        (RuleId("missing_segments", ("a", "b"), ("0",)), "segments(a, b).missing(0)"),
        (RuleId("segment_rows", ("a",), ("5",)), "segments(a).rows(5)"),
        (RuleId("key_length", ("a", "b"), ("511",)), "key.at_most_511_bytes"),
    ],
)
def test_the_printed_name_of_each_form(rule, name):
    """The printed name is derived from kind, columns and parameters."""
    assert rule.name == name


@pytest.mark.parametrize("kind", ["gap", "unique", "one_label", "sums_agree", "volume", "key_length"])
def test_a_check_of_a_user_may_have_the_name_of_a_kind(kind):
    """A user's own check, of a column or of rows, is printed under its name."""
    assert RuleId(kind).name == kind
    assert kind in RuleId(kind, ("a",)).name or kind == "key_length"


@pytest.mark.parametrize(
    ("check", "rule"),
    [
        (pa.Check.in_range(-1, 5), RuleId("in_range", ("a",), ("-1", "5"))),
        (pa.Check.isin(["b", "a"]), RuleId("isin", ("a",), ("['b', 'a']",))),
        (pa.Check.str_matches("^a,b$"), RuleId("str_matches", ("a",), ("'^a,b$'",))),
        (pa.Check.str_length(1, 3), RuleId("str_length", ("a",), ("1", "3"))),
        (pa.Check.str_length(exact_value=2), RuleId("str_length", ("a",), ("2",))),
        (pa.Check.ge(0, error="is positive"), RuleId("is positive", ("a",))),
        (pa.Check(lambda data: data, name="mine"), RuleId("mine", ("a",))),
    ],
)
def test_a_check_has_kind_and_parameters(check, rule):
    """Parameters come from the arguments of the check; its printed name is the one that Pandera prints."""
    assert check_id(check, "a") == rule
    assert rule.name == f"a.{check.error or check.name}"


def test_the_identity_of_a_rule_does_not_depend_on_the_runs_before():
    """So that the measured numbers of all runs form one series."""

    class Rows(pa.DataFrameModel):
        """Rows."""

        a: pl.Int64 = pa.Field()

        class Config:
            metadata = {"expect": {"volume": 0.5}}

    contexts = [ValidationContext(volumes=volumes) for volumes in ((4, 4, 4), (9, 9, 9))]
    first, second = (expectations_of(contract_of(Rows), context).rules[0] for context in contexts)
    assert first.id == second.id
    assert (first.expected, second.expected) == ("2 to 6", "4 to 14")


class Orders(pa.DataFrameModel):
    """Orders."""

    in_range: pl.Int64 = pa.Field()
    amount: pl.Int64 = pa.Field(in_range={"min_value": 0, "max_value": 5})

    class Config:
        metadata = {"on_invalid": "quarantine", "tolerance": 1.0}


def test_a_verdict_in_json_has_identity_and_printed_name():
    """Programs read `id`, people read `rule`; decoding gives an equal verdict."""
    rows = pl.DataFrame({"in_range": [1], "amount": [9]})
    verdict = inspect(rows, contract_of(Orders), dataset="orders").verdict.record()
    encoded = msgspec.json.encode(verdict)
    [count] = msgspec.json.decode(encoded)["rules"]
    assert count["id"] == {"kind": "in_range", "columns": ["amount"], "parameters": ["0", "5"]}
    assert count["rule"] == "amount.in_range(0, 5)"
    assert msgspec.json.decode(encoded, type=Verdict) == verdict


def test_a_quarantine_shows_the_columns_that_rules_read():
    """A column whose name occurs in the name of a rule is not shown for it."""
    rows = pl.DataFrame({"in_range": [1, 1], "amount": [9, 3]})
    inspection = inspect(rows, contract_of(Orders), dataset="orders")
    text = quarantine_text("orders", inspection.quarantined, 1, inspection.verdict)
    assert "amount=9" in text
    assert "in_range=1" not in text


def test_a_rule_broken_after_removal_is_labelled():
    """The label tells it from the same rule over all rows."""
    count = RuleCount(rule=RuleId("few"), warning=False, broken=1, after_removal=True)
    assert (count.name, count.label) == ("few", "few, after bad rows were removed")
