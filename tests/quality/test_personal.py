"""No value of a personal column is in a verdict, an error or a metric, whichever kind of rule reads the column."""

from datetime import UTC, datetime, timedelta

import msgspec
import pandera.polars as pa
import polars as pl
import pytest

from featurestore.definitions.contract import contract_of
from featurestore.errors import ContractError
from featurestore.quality.change.history import Metric, run_of
from featurestore.quality.gate.compiled_contract import compile_contract
from featurestore.quality.gate.inspection import inspect, require
from featurestore.quality.gate.personal import COUNTED_KINDS, redact, shown_metrics
from featurestore.quality.gate.row_gate import RowGate
from featurestore.quality.gate.verdict import Measurement, RuleCount, Verdict
from featurestore.quality.profile.profile import profile
from featurestore.quality.rules.expectation_kinds import KINDS
from featurestore.quality.rules.expectations import ValidationContext
from featurestore.quality.rules.rule_id import RuleId

NOW = datetime(2024, 1, 1, tzinfo=UTC)
BORN = datetime(1987, 6, 5, 4, 3, 2, tzinfo=UTC)
EARLIER = BORN - timedelta(days=1234, seconds=567)
PEOPLE = {"name": ["Zaphod", "Arthur"], "born": [EARLIER, BORN], "salary": [31337.25, 2.5]}
# All that can be computed of these values: each must be absent.
TRACES = [
    *("Zaphod", "Arthur", "31337", "15669.875", "1987", "1984", "1983"),
    *(repr(NOW - BORN), repr(BORN - EARLIER), str((NOW - BORN).days), "1234"),
]
OTHER = pl.LazyFrame({"name": ["Ford"], "salary": [1.0], "city": ["Rome"]})
CONTEXT = ValidationContext(now=NOW, scan_dataset={"other": OTHER}.__getitem__, volumes=(9, 9, 9))


def contract(*, personal=True, checks=(), fields=None, **metadata):
    """Return the contract of people: name, born and salary are personal, city is not."""
    marked = {"personal": personal}
    options = {name: {"nullable": True, "metadata": marked} for name in PEOPLE} | {"city": {}}
    for name, extra in (fields or {}).items():
        options[name] = options[name] | extra
    body = {
        "__annotations__": {
            "name": pl.String,
            "born": pl.Datetime("us", "UTC"),
            "salary": pl.Float64,
            "city": pl.String,
        },
        "__module__": __name__,
        "__doc__": "People.",
        "Config": type("Config", (), {"metadata": {"on_invalid": "quarantine", "tolerance": 1.0} | metadata}),
    }
    body |= {name: pa.Field(**arguments) for name, arguments in options.items()}
    body |= {f"check_{i}": check for i, check in enumerate(checks)}
    return contract_of(type("People", (pa.DataFrameModel,), body))


def verdict_of(promise, **values):
    frame = pl.DataFrame(PEOPLE | {"city": ["Oslo", "Oslo"]} | values)
    return inspect(frame, promise, dataset="people", context=CONTEXT).verdict


def texts(verdict):
    """Return everything that a verdict shows, and the message of the error that refuses its dataset."""
    shown = msgspec.json.encode(verdict).decode() + verdict.explain(100) + repr(verdict)
    try:
        require(verdict, tolerate=False)
    except ContractError as error:
        shown += str(error)
    return shown


def assert_hides(verdict):
    shown = texts(verdict)
    assert [trace for trace in TRACES if trace in shown] == []


# Of each kind, an expectation that these people break and that reads a personal column first, or after another.
BROKEN = {
    "rows": [{"rows": (3, None)}],
    "volume": [{"volume": 0.1}],
    "fresh": [{"fresh": {"born": timedelta(hours=1)}}],
    "null_share": [{"null_share": {"born": -1.0}}],
    "distinct": [{"distinct": {"name": (7, None)}}],
    "mean": [{"mean": {"salary": (1e6, None)}}],
    "covers": [{"covers": {"name": ["Ford"]}}],
    "share": [{"share": {"name": {"Ford": (0.9, None)}}}],
    "segments": [{"segments": {("name",): 3}}, {"segments": {("city", "name"): 3}}],
    "gap": [{"gap": {"born": timedelta(hours=1)}}, {"gap": {"born": (timedelta(hours=-1), ["city"])}}],
    "increasing": [{"increasing": ["salary"]}],
    "one_label": [{"one_label": {"name": (["city"], 0.0)}}, {"one_label": {"city": (["name"], -1.0)}}],
    "references": [
        {"references": {"name": ("other", "name")}},
        {"references": {"name": ("other", "name", 0.1)}},
        {"references": {("city", "name"): ("other", ("city", "name"))}},
    ],
    "sums_agree": [
        {"sums_agree": {"salary": ("other", "salary", 0.1)}},
        {"sums_agree": {"salary": ("other", "salary", 0.1, ["city"])}},
    ],
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_expectation_shows_no_personal_value(kind):
    """Of every kind of expectation, the rule and its count are shown, and neither value nor measurement."""
    for expectation in BROKEN[kind]:
        verdict = verdict_of(contract(expect=expectation))
        assert verdict.rules
        assert_hides(verdict)
        for measurement in verdict.measured:
            counts_only = measurement.rule.kind in COUNTED_KINDS or not measurement.rule.columns
            assert (measurement.value is not None) == counts_only
        run = run_of(verdict, None, contract(expect=expectation), NOW)
        assert not [metric for metric in run.metrics if metric.columns and metric.kind not in COUNTED_KINDS]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_expectation_shows_values_that_are_not_personal(kind):
    """The values are hidden because they are personal, not because nothing is ever shown."""
    for expectation in BROKEN[kind]:
        verdict = verdict_of(contract(personal=False, expect=expectation))
        assert all(measurement.value is not None for measurement in verdict.measured)
        searched = kind in ("references", "sums_agree")
        assert searched or all(count.examples for count in verdict.rules)


def of_column(name, **options):
    return {"fields": {name: options}}


def own(function, column, **options):
    return {"checks": [pa.check(column, **options)(function)]}


def dataframe_own(function):
    return {"checks": [pa.dataframe_check(function)]}


COLUMN_RULES = {
    "dtype": ({}, {"salary": ["31337.25x", "2.5"]}),
    "not_null": (of_column("name", nullable=False), {"name": ["Zaphod", None]}),
    "finite": ({}, {"salary": [31337.25, float("inf")]}),
    "unique": (of_column("name", unique=True), {"name": ["Zaphod", "Zaphod"]}),
    "equal_to": (of_column("salary", eq=1), {}),
    "not_equal_to": (of_column("salary", ne=2.5), {}),
    "greater_than": (of_column("salary", gt=1e6), {}),
    "greater_than_or_equal_to": (of_column("salary", ge=1e6), {}),
    "less_than": (of_column("salary", lt=1), {}),
    "less_than_or_equal_to": (of_column("born", le=datetime(1900, 1, 1, tzinfo=UTC)), {}),
    "in_range": (of_column("salary", in_range={"min_value": 0, "max_value": 1}), {}),
    "isin": (of_column("name", isin=["Ford"]), {}),
    "notin": (of_column("salary", notin=[2.5]), {}),
    "str_matches": (of_column("name", str_matches="^x"), {}),
    "str_contains": (of_column("name", str_contains="x"), {}),
    "str_startswith": (of_column("name", str_startswith="x"), {}),
    "str_endswith": (of_column("name", str_endswith="x"), {}),
    "str_length": (of_column("name", str_length={"min_value": 90}), {}),
    "own": (own(lambda _, data: data.lazyframe.select(pl.col(data.key) == "x"), "name"), {}),
    "aggregate": (own(lambda _, data: data.lazyframe.select(pl.col(data.key).max() == "x"), "name"), {}),
    "element-wise": (own(lambda _, value: value == "x", "name", element_wise=True), {}),
    "opaque": (
        own(lambda _, data: data.lazyframe.with_columns(x=pl.lit(value=False)).select("x"), "name"),
        {},
    ),
    "opaque aggregate": (own(lambda _, data: data.lazyframe.collect().height == 0, "name"), {}),
    "row check": (dataframe_own(lambda _, data: data.lazyframe.select(pl.col("salary") < 0)), {}),
}


@pytest.mark.parametrize("kind", COLUMN_RULES)
def test_a_broken_rule_shows_no_personal_value(kind):
    """Of every kind of rule over rows, built in or a user's own."""
    declared, values = COLUMN_RULES[kind]
    verdict = verdict_of(contract(**declared), **values)
    assert verdict.rules
    assert_hides(verdict)


def test_a_rule_over_several_columns_shows_no_personal_value():
    """One personal column is enough to hide the examples."""
    body = {"unique": ["city", "name"]}
    model = contract().model
    together = type(
        "Together", (model,), {"Config": type("Config", (model.Config,), body), "__doc__": "People."}
    )
    verdict = verdict_of(contract_of(together), name=["Zaphod", "Zaphod"])
    assert [count.name for count in verdict.rules] == ["unique(city, name)"]
    assert_hides(verdict)


def test_a_verdict_of_before_the_column_was_personal_is_redacted():
    """`redact` hides values that the gate wrote when the schema did not yet say that they are personal."""
    fresh, rows, distinct = RuleId("fresh", ("born",)), RuleId("rows"), RuleId("distinct", ("name",))
    before = Verdict(
        dataset="people",
        contract="People",
        decision="refused",
        rows_in=2,
        rows_passed=2,
        rows_quarantined=0,
        rules=(
            RuleCount(rule=fresh, warning=False, broken=1, examples=("x",), whole_dataset=True),
            RuleCount(rule=RuleId("distinct", ("name",)), warning=False, broken=1, examples=("'Zaphod'",)),
            RuleCount(rule=rows, warning=False, broken=1, examples=("2",), whole_dataset=True),
        ),
        measured=(
            Measurement(rule=fresh, value=NOW - BORN),
            Measurement(rule=rows, value=2),
            Measurement(rule=distinct, value=2),
        ),
    )
    after = redact(before, contract())
    assert [count.examples for count in after.rules] == [(), (), ("2",)]
    assert [measurement.value for measurement in after.measured] == [None, 2, 2]


def test_metrics_of_personal_columns_are_counts():
    """In a history, null and distinct values are counted; means, ages and measured expectations are hidden."""
    metrics = [
        Metric("rows", 2.0),
        Metric("null_share", 0.5, ("born",)),
        Metric("distinct", 2.0, ("born",)),
        Metric("mean", 15669.875, ("salary",)),
        Metric("age", 1.0, ("born",)),
        Metric("gap", 1.0, ("born", "city"), ("1:00:00",)),
        Metric("gap", 1.0, ("at", "name"), ("1:00:00",)),
        Metric("share", 0.5, ("city",), ("'Oslo'", "0", "1")),
    ]
    shown = [(metric.kind, metric.columns) for metric in shown_metrics(metrics, contract())]
    assert shown == [("rows", ()), ("null_share", ("born",)), ("distinct", ("born",)), ("share", ("city",))]


def test_a_run_keeps_only_counts_of_personal_columns():
    """The history on disk has neither mean nor age of a personal column; of other columns it has both."""
    frame = pl.DataFrame(PEOPLE | {"city": ["Oslo", "Oslo"]})
    kinds = {}
    for personal in (True, False):
        declared = contract(personal=personal)
        profiled = profile(frame, dataset="people", contract=declared)
        run = run_of(verdict_of(declared), profiled, declared, NOW)
        kinds[personal] = {metric.kind for metric in run.metrics if metric.columns}
    assert kinds == {True: COUNTED_KINDS, False: COUNTED_KINDS | {"mean", "age"}}


def test_a_refused_request_shows_no_personal_value():
    """The gate of rows names row, rule and what is allowed, and the values of other columns."""
    checked = contract(fields={"salary": {"lt": 1}, "city": {"ne": "Oslo"}})
    with pytest.raises(ContractError) as caught:
        RowGate(checked).admit([("Zaphod", BORN, 31337.25, "Oslo")])
    assert "row 0: salary.less_than(1)\n" in str(caught.value)
    assert "given 'Oslo'" in str(caught.value)
    assert "31337" not in str(caught.value)


def test_names_of_columns_are_not_shown_where_values_may_stand_in_their_place():
    """A file without a header has its first row as names. Without personal columns, each name helps."""
    rows = pl.LazyFrame({"naem": ["Ford"], "Ada": [1.0], "0123": [1.0]})
    for personal, shown in ((True, "'naem' and 2 other columns"), (False, "'naem', 'Ada', '0123'")):
        with pytest.raises(ContractError, match=f"has .*{shown}"):
            compile_contract(rows, contract(personal=personal), dataset="people", context=CONTEXT)
