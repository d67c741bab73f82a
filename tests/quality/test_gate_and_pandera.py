"""On generated schemas and data, the gate blames the rows that Pandera blames, rule by rule.

The differences are tested here: NaN and infinity never pass the gate, and a rule over the dataset blames no row.
"""

from datetime import UTC, date, datetime, timedelta

import pandera.polars as pa
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from laws import examples

from featurestore.definitions.contract import contract_of
from featurestore.quality.gate.inspection import inspect
from featurestore.quality.rules.rule_id import RuleId

DAY = date(2024, 2, 29)
NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)
VALUES = {
    pl.Int64: st.integers(-4, 4),
    pl.UInt8: st.integers(0, 5),
    pl.Float64: st.sampled_from([-1.5, -0.0, 0.0, 0.1, 2.0, 3.5, float("nan"), float("inf"), -float("inf")]),
    pl.String: st.sampled_from(["", "a", "ab", "b", "a\n", "é", "A1", " a"]),
    pl.Boolean: st.booleans(),
    pl.Date: st.sampled_from([DAY - timedelta(1), DAY, DAY + timedelta(1)]),
    pl.Datetime("us", "UTC"): st.sampled_from([NOON - timedelta(microseconds=1), NOON, NOON + timedelta(1)]),
}
ORDERED = [dtype for dtype in VALUES if dtype not in (pl.Boolean, pl.String)]
NAMES = ["a", "b", "c"]


def finite(dtype):
    """Bounds are values that compare."""
    return VALUES[dtype].filter(lambda value: not isinstance(value, float) or value - value == 0)


@st.composite
def checks(draw, dtype):
    """Up to two of Pandera's own checks that fit a dtype, some over the column as a whole, some written by a user."""
    bound = finite(dtype)
    kinds = {
        "isin": st.lists(bound, min_size=1, max_size=3).map(pa.Check.isin),
        "notin": st.lists(bound, min_size=1, max_size=2).map(pa.Check.notin),
        "eq": bound.map(pa.Check.eq),
        "ne": bound.map(pa.Check.ne),
        "own": st.just(
            pa.Check(lambda data: data.lazyframe.select(pl.col(data.key).is_first_distinct()), name="own")
        ),
        "mapped": st.just(
            pa.Check(lambda value: len(repr(value)) % 3 != 0, element_wise=True, name="mapped")
        ),
        "opaque": st.just(
            pa.Check(
                lambda data: data.lazyframe.with_columns(x=pl.col(data.key).is_null()).select("x"),
                name="opaque",
            )
        ),
        "strict": bound.map(lambda value: pa.Check.ne(value, ignore_na=False)),
    }
    if dtype in ORDERED:
        kinds |= {"ge": bound.map(pa.Check.ge), "lt": bound.map(pa.Check.lt)}
        kinds["range"] = st.tuples(bound, bound).map(lambda both: pa.Check.in_range(min(both), max(both)))
        kinds["whole"] = bound.map(
            lambda value: pa.Check(
                lambda data: data.lazyframe.select(pl.col(data.key).max() >= value), name="whole"
            )
        )
    if dtype is pl.String:
        kinds |= {
            "matches": st.sampled_from(["a", "^a$", "[a-z]+"]).map(pa.Check.str_matches),
            "length": st.integers(0, 2).map(lambda min_length: pa.Check.str_length(min_value=min_length)),
            "ends": st.just(pa.Check.str_endswith("a")),
        }
    chosen = draw(st.lists(st.sampled_from(sorted(kinds)), max_size=2, unique=True))
    return [draw(kinds[kind]) for kind in chosen]


@st.composite
def datasets(draw):
    """A schema, and rows that may or may not keep it."""
    dtypes = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=3))
    columns, fields = {}, {}
    for name, dtype in zip(NAMES, dtypes, strict=False):
        nullable = draw(st.booleans())
        columns[name] = pa.Column(
            dtype, draw(checks(dtype)), nullable=nullable, unique=draw(st.integers(0, 4)) == 0
        )
        fields[name] = st.none() | VALUES[dtype]
    names = list(columns)
    unique = draw(st.none() | st.just(names) | st.just([names[:1], names]))
    rows = draw(st.lists(st.tuples(*fields.values()), min_size=1, max_size=9))
    frame = pl.DataFrame(rows, schema=dict(zip(names, dtypes, strict=False)), orient="row")
    return pa.DataFrameSchema(columns, unique=unique), frame


def blamed_by_pandera(schema, frame):
    """Name the broken rules of each row; Pandera stops at the first repeated set of columns."""
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as errors:
        named = {"not_nullable": "not_null", "field_uniqueness": "unique"}
        return {
            (index, f"{column}.{named.get(check, check)}")
            for context, column, check, index in errors.failure_cases.select(
                "schema_context", "column", "check", "index"
            ).rows()
            if context == "Column" and not check.endswith("whole")
        }
    return set()


def blamed_by_gate(schema, frame):
    """Name the broken rules of each row."""
    inspection = inspect(frame, contract_of(modelled(schema)), dataset="rows")
    assert inspection.passed.height + inspection.quarantined.height == frame.height
    rows = inspection.quarantined.select("source_row", "broken_rules").explode("broken_rules").rows()
    return {(number - 1, rule) for number, rule in rows}, inspection


def modelled(schema):
    """Make a class of a schema, as `contract_of` reads it."""

    class Rows:
        """Rows."""

        class __config__:  # noqa: N801 - Pandera's name
            metadata = {"on_invalid": "quarantine", "tolerance": 1.0}

        to_schema = staticmethod(lambda: schema)

    return Rows


@given(datasets())
@examples(40)
def test_rule_by_rule_and_row_by_row(dataset):
    """Conversion aside, which Pandera does not do, every row breaks the same rules."""
    schema, frame = dataset
    blamed, inspection = blamed_by_gate(schema, frame)
    uniques = contract_of(modelled(schema)).uniques
    single = {
        f"{name}.unique" for [name] in (u for u in uniques if len(u) == 1) if not schema.columns[name].unique
    }
    unnumbered = {
        (row, rule) for row, rule in blamed if not rule.startswith("unique(") and rule not in single
    }
    floats = [name for name, dtype in frame.schema.items() if dtype.is_float()]
    non_finite = {
        (row, name)
        for name in floats
        for row, value in enumerate(frame[name].to_list())
        if value is not None and value - value != 0
    }
    ours = {(row, rule) for row, rule in unnumbered if not rule.endswith(".finite")}
    assert {(row, rule.removesuffix(".finite")) for row, rule in unnumbered - ours} == non_finite
    # To Pandera NaN is a missing value, but no value to any other check.
    theirs = {
        (row, rule)
        for row, rule in blamed_by_pandera(schema, frame)
        if not (rule.endswith(".not_null") and (row, rule.removesuffix(".not_null")) in non_finite)
    }
    assert ours == theirs
    for columns in uniques:
        repeated = frame.select(columns).is_duplicated().arg_true().to_list()
        assert {row for row, rule in blamed if rule == RuleId("unique", columns).name} == set(repeated)
    if inspection.verdict.decision == "passed" and not inspection.verdict.rules:
        schema.validate(frame)
    dataset_rules = [count for count in inspection.verdict.rules if count.rule.kind == "whole"]
    assert not dataset_rules or inspection.verdict.decision == "refused"
