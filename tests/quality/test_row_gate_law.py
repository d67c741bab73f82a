"""A law: for any contract and any row, the gate of rows finds the broken rules that the gate of datasets finds."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated

import pandera.polars as pa
import polars as pl
import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from laws import examples

from featurestore.definitions.contract import contract_of
from featurestore.errors import DefinitionError
from featurestore.quality.gate.inspection import inspect
from featurestore.quality.gate.row_gate import RowGate

NAN, INF = float("nan"), float("inf")
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
FLOATS = [-INF, -1.5, -0.0, 0.0, 0.1, 0.30000000000000004, 1.0, 16777217.0, 1e39, INF, NAN]
TEXTS = [
    "",
    "a",
    "b",
    "ab",
    "AB",
    "AB1",
    "a\n",
    "é",
    "٣",
    "7",
    "a-b",
    "\x1c",
    " ",
    "\u2028",
    "a" * 101,
    "a" * 100,
]
# dtype as written in a schema: values, some of them bounds.
VALUES = {
    pl.Boolean: [True, False],
    pl.Int8: [-128, -1, 0, 1, 127],
    pl.UInt8: [0, 1, 2, 255],
    pl.Int64: [-(2**63), -1, 0, 1, 2**53, 2**53 + 1, 2**63 - 1],
    pl.UInt64: [0, 1, 2**63, 2**64 - 1],
    pl.Float32: FLOATS,
    pl.Float64: FLOATS,
    pl.String: TEXTS,
    pl.Binary: [b"", b"a", b"b"],
    pl.Date: [date(1969, 12, 31), date(1970, 1, 1), date(2024, 2, 29)],
    Annotated[pl.Datetime, "us", "UTC"]: [
        NOON,
        NOON + timedelta(microseconds=1),
        datetime(1969, 1, 1, tzinfo=UTC),
    ],
    Annotated[pl.Datetime, "ms", "UTC"]: [NOON, NOON + timedelta(microseconds=1)],
    Annotated[pl.Decimal, 10, 2]: [Decimal("0.00"), Decimal("1.25"), Decimal("-3.00")],
    Annotated[pl.List, pl.Int64]: [[], [1], [None]],
}
PATTERNS = [
    "^[a-z]+$", "a", "[A-Z]{2}[0-9]?$", r"\d+", r"^\w+$", r"\s*$", r"^\S$", ".", "a$", "a|b", "^.{1,3}$", "(?i)ab",
    "[^a]+$", "é", "", "a{100}", r"\D", r"[a-z]-[a-z]$", r"^\w$|^$",
]  # fmt: skip


@st.composite
def fields(draw, dtype):
    """A field of a schema: nullability and some of Pandera's built-in checks."""
    bounds = [value for value in VALUES[dtype] if not isinstance(value, list) and value is not NAN]
    some = st.sampled_from(bounds) if bounds else st.nothing()
    checks = {}
    if bounds:
        checks |= {
            "eq": some,
            "ne": some,
            "isin": st.lists(some, max_size=3),
            "notin": st.lists(some, max_size=3),
        }
        checks |= dict.fromkeys(("gt", "ge", "lt", "le"), some)
        pair = st.lists(some, min_size=2, max_size=2, unique=True).map(sorted)
        checks["in_range"] = st.tuples(pair, st.booleans(), st.booleans()).map(
            lambda drawn: dict(
                zip(
                    ("min_value", "max_value", "include_min", "include_max"),
                    (*drawn[0], *drawn[1:]),
                    strict=True,
                )
            )
        )
    if dtype in (pl.Float32, pl.Float64, pl.Int8, pl.Int64, pl.UInt64):
        # Numbers of the other kind, and beyond the dtype.
        any_number = some | st.sampled_from([-1, 1000, 2**40, 16777217, 0.5])
        checks |= dict.fromkeys(("gt", "ge", "lt", "le", "eq", "ne"), any_number)
    if dtype is pl.String:
        pattern = st.sampled_from(PATTERNS)
        lengths = [{"exact_value": 2}, {"min_value": 1}, {"max_value": 2}, {"min_value": 1, "max_value": 2}]
        checks |= {
            "str_matches": pattern,
            "str_contains": pattern,
            "str_startswith": some,
            "str_endswith": some,
        }
        checks["str_length"] = st.sampled_from(lengths)
    names = draw(st.lists(st.sampled_from(sorted(checks)), max_size=3, unique=True)) if checks else []
    options = {
        "nullable": draw(st.booleans()),
        "unique": draw(st.booleans()),
        "ignore_na": draw(st.booleans()),
    }
    if dtype in (pl.Float32, pl.Float64) and draw(st.booleans()):
        options["metadata"] = {"nan": "null"}
    return options | {name: draw(checks[name]) for name in names}


@st.composite
def contracts_and_rows(draw):
    """A contract of some columns with a user's own check over two of them, and rows of them."""
    dtypes = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=4))
    columns = {f"c{i}": dtype for i, dtype in enumerate(dtypes)}
    declared = {name: draw(fields(dtype)) for name, dtype in columns.items()}
    numbers = [
        name for name, dtype in columns.items() if dtype in (pl.Int8, pl.Int64, pl.Float32, pl.Float64)
    ]
    body = {name: pa.Field(**arguments) for name, arguments in declared.items()}
    body |= {"__annotations__": columns, "__module__": __name__, "__doc__": "Generated."}
    if numbers:
        left, right = draw(st.sampled_from(numbers)), draw(st.sampled_from(numbers))

        def own(cls, data):
            return data.lazyframe.select(pl.col(left) <= pl.col(right))

        body["own"] = pa.dataframe_check(own)
    values = [st.none() | st.sampled_from(VALUES[dtype]) for dtype in dtypes]
    rows = draw(st.lists(st.tuples(*values), min_size=1, max_size=4))
    return type("Generated", (pa.DataFrameModel,), body), rows


@given(contracts_and_rows())
@examples(40)
def test_the_gate_of_rows_is_the_gate(drawn):
    """For any row and any contract, both gates find the same broken rules."""
    model, rows = drawn
    contract = contract_of(model)
    try:
        compiled = RowGate(contract)
    except DefinitionError:  # Polars cannot compare these: then both gates say so
        event("no contract")
        with pytest.raises(DefinitionError):
            inspect(pl.LazyFrame(schema=contract.schema), contract, dataset="rows")
        return
    total = 0
    for values in rows:
        frame = pl.DataFrame([values], schema=contract.schema, orient="row")
        counts = inspect(frame.lazy(), contract, dataset="rows").verdict.rules
        expected = {count.rule for count in counts}
        breaches = compiled.breaches([values])
        count, first = (0, ()) if breaches is None else (breaches.count, breaches.first)
        assert count == len(expected)
        assert {breach.rule for breach in first} <= expected
        assert repr(breaches) == repr(compiled.breaches_in(frame))  # as text: NaN is not itself
        total += count
        event("broken" if count else "good")
    together = compiled.breaches(rows)
    assert (0 if together is None else together.count) == total
