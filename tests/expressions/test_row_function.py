"""A compiled function of a row computes what Polars computes, for each kind of expression, to the last bit."""

import math
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, Literal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurestore.expressions.row_function import RowFunction, row_function
from tests.laws import examples

SCHEMA = pl.Schema(
    {
        "i8": pl.Int8(),
        "i32": pl.Int32(),
        "i64": pl.Int64(),
        "u16": pl.UInt16(),
        "u64": pl.UInt64(),
        "f32": pl.Float32(),
        "f64": pl.Float64(),
        "g64": pl.Float64(),
        "yes": pl.Boolean(),
        "no": pl.Boolean(),
        "text": pl.String(),
        "word": pl.String(),
        "day": pl.Date(),
        "at": pl.Datetime("us", "UTC"),
        "then": pl.Datetime("us", "UTC"),
        "ms": pl.Datetime("ms", "UTC"),
    }
)
i8, i32, i64, u16, u64, f32, f64, g64, yes, no, text, word, day, at, then, ms = map(pl.col, SCHEMA)
HOUR = timedelta(hours=1)
NOON = datetime(2024, 3, 10, 12, tzinfo=UTC)
LOCAL = at.dt.convert_time_zone("America/New_York")
KOLKATA = ms.dt.convert_time_zone("Asia/Kolkata")

KINDS: dict[str, list[pl.Expr]] = {
    "columns and literals": [i8, f32, text, at, ms, day, f64 + pl.lit(2) * 3, i8 + pl.lit(1, dtype=pl.Int16)],
    "sums": [i8 + i32, i32 - 1, u16 - 1, i64 + i64, u64 + u16, f32 + f32, f32 - 0.1, f32 + f64, i32 + f32, i8 + f32, i64 - f64],
    "products": [i8 * i8, i32 * 3, i64 * i8, f32 * 0.1, f32 * i32, f64 * g64, f64 * 1e300, u16 * 2.5],
    "divisions": [
        f64 / g64, f64 / 7, f64 / 3600.0, 7 / f64, i32 / 3600, i64 / i32, i8 / 7, f32 / 7, f32 / f32, f64 / u16, u64 / 3,
    ],
    "whole divisions": [i32 // 7, i32 // i8, i64 // -3, u16 // 5, f64 // 49, f64 // g64, f32 // 0.1, f32 // i8],
    "remainders": [i32 % 7, i32 % i8, i64 % -3, f64 % 360, f64 % 49, f64 % g64, f32 % 0.1, f64 % 0.1, u16 % u16],
    "comparisons": [
        f64 > g64, f64 >= g64, f64 < g64, f64 <= g64, f64 == g64, f64 != g64, f64 == 1, f64 > 0.5, f64 != 0.25,
        f32 > 0.5, f32 == 0.1, i32 > 1.5, i32 < i8, u16 >= i64, text < word, text == "a", day > date(2024, 1, 1), at >= then,
        at < NOON, yes == no, yes > no, u64 > i8, text.eq_missing(word), i32.ne_missing(i8), f64 - f64 > 0,
    ],
    "null logic": [yes & no, yes | no, yes ^ no, ~yes, (i32 > 1) & yes, yes & True, no | False, text.is_null() & no],
    "choices": [
        pl.when(yes).then(i8).otherwise(i32), pl.when(f64 > 0).then(f64).when(no).then(1).otherwise(None),
        pl.when(yes).then(pl.lit("a")).otherwise(text), pl.when(no).then(f32), pl.when(yes).then(at).otherwise(then),
        pl.when(yes).then(0).otherwise(f32),
    ],
    "casts": [
        i8.cast(pl.Int64), i64.cast(pl.Int8), i64.cast(pl.Float32), i64.cast(pl.Float64), u64.cast(pl.Float32),
        f64.cast(pl.Int32), f64.cast(pl.Float32), f32.cast(pl.Float64), f64.cast(pl.Int64, strict=False), yes.cast(pl.Int8),
        yes.cast(pl.Float64), i32.cast(pl.Boolean), f64.cast(pl.Boolean), i64.cast(pl.String), yes.cast(pl.String),
        day.cast(pl.Datetime("us")), at.cast(pl.Int64), day.cast(pl.Int32), f32.cast(pl.UInt16), i8.cast(pl.UInt64),
    ],
    "nulls": [
        i32.is_null(), f64.is_not_null(), i32.fill_null(0), f32.fill_null(f64), text.fill_null("?"), pl.coalesce(i8, i32, 3),
        f64.fill_nan(None), f64.is_nan(), f64.is_not_nan(), f64.is_finite(), (f64 * 1e300).is_infinite(), yes.fill_null(value=False),
    ],
    "members": [
        i32.is_in([1, 2, 300]), text.is_in(["a", "b"]), day.is_in([date(2024, 2, 29)]), i32.is_between(0, 5),
        f64.is_between(0, 0.5, closed="left"), f32.is_between(i8, i32, closed="none"), ~i8.is_in([1]), at.is_between(then, NOON),
    ],
    "clip, abs, sign": [i32.clip(0, 10), f64.clip(0, 1), f32.clip(upper_bound=0.1), f64.clip(-0.5), i8.abs(), f64.abs(), -i8, -f32],
    "rounding": [f64.round(), f64.round(2), f32.round(1), f64.floor(), f32.ceil(), (f64 * 100).round(3), i32.round(1), f64.ceil()],
    "extremes": [pl.min_horizontal(i8, i32), pl.max_horizontal(f64, g64), pl.min_horizontal(f32, f64), pl.max_horizontal(at, then)],
    "powers": [f64**2, f64**3, f32**2, f64.sqrt(), f32.sqrt(), f32**3],
    "math": [
        f64.sin(), f64.cos(), f64.tan(), f64.arctan(), f64.arcsin(), f64.arccos(), f64.sinh(), f64.cosh(), f64.tanh(), f64.exp(),
        f64.log(), f64.log(2), f64.log10(), f64.log1p(), i32.sin(), f64.radians(), f64.degrees(), pl.arctan2(f64, g64),
    ],
    "text": [
        text.str.to_lowercase(), text.str.to_uppercase(), text.str.len_chars(), text.str.len_bytes(), text.str.starts_with("a"),
        text.str.ends_with(word), text.str.contains("a"), text.str.contains(".", literal=True),
        text.str.contains("^[a-z]+$"), text.str.contains(r"\s.b?$"), text.str.contains(r"^\w{1,3}"), text.str.contains("[^A]"), text.str.slice(1, 2), text.str.head(2),
        text.str.tail(2), text.str.tail(0), text.str.strip_chars(), text.str.strip_prefix("a"), text.str.strip_suffix("b"),
        text.str.replace("a", "$0", literal=True), text.str.replace_all("a", "", literal=True), text + word,
        pl.concat_str(text, word, separator="-"), text + "!",
    ],
    "dates": [
        day.dt.year(), day.dt.month(), day.dt.day(), day.dt.weekday(), day.dt.ordinal_day(), day.dt.quarter(), day.dt.week(),
        day.dt.iso_year(), day.dt.is_leap_year(), at.dt.year(), at.dt.hour(), at.dt.minute(), at.dt.second(), at.dt.millisecond(),
        at.dt.microsecond(), at.dt.date(), ms.dt.millisecond(), at.dt.timestamp("ms"), at.dt.epoch("s"), ms.dt.timestamp("us"),
    ],
    "durations": [
        (at - then).dt.total_seconds(), (at - then).dt.total_hours(), (at - then).dt.total_minutes(), (at - then).dt.total_days(),
        at.to_physical(), day.to_physical(), ms.to_physical(), i8.to_physical(), at - pl.lit(HOUR), (at - pl.lit(HOUR)) > then, (at - then) > pl.lit(HOUR), (ms - ms).dt.total_seconds(),
    ],
    "time zones": [
        LOCAL.dt.hour(), LOCAL.dt.year(), LOCAL.dt.date(), LOCAL.dt.weekday(), KOLKATA.dt.minute(), KOLKATA.dt.day(), LOCAL,
    ],
}  # fmt: skip

_FLOATS = [
    math.nan,
    math.inf,
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.1,
    0.5,
    2.5,
    0.125,
    49.0,
    98.0,
    1e-300,
    1e300,
    math.pi,
    1.005,
]


def _integers(low: int, high: int) -> st.SearchStrategy[int]:
    return st.integers(max(low, -9), min(high, 9)) | st.integers(low, high) | st.sampled_from([low, high])


def _floats(width: Literal[32, 64]) -> st.SearchStrategy[float]:
    known = [value for value in _FLOATS if width == 64 or (not 0 < abs(value) < 1e-30 and value != 1e300)]
    return (
        st.sampled_from(known)
        | st.floats(-1000, 1000, width=64).map(lambda value: float(f"{value:.6g}"))
        | st.floats(width=width, allow_nan=True)
    )


_INSTANTS = st.datetimes(
    datetime(1965, 1, 1),  # noqa: DTZ001 - Hypothesis adds the zone
    datetime(2110, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
) | st.sampled_from(
    [
        NOON,
        NOON + timedelta(microseconds=1),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, tzinfo=UTC),
    ]
    + [datetime(2013, 11, 3, 6, tzinfo=UTC) + timedelta(minutes=30 * i, microseconds=-i) for i in range(4)]
)
_TEXTS = st.text("ab A.\t\x1cé", max_size=5) | st.text(max_size=4)
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "i8": _integers(-(2**7), 2**7 - 1),
    "i32": _integers(-(2**31), 2**31 - 1),
    "i64": _integers(-(2**63), 2**63 - 1),
    "u16": _integers(0, 2**16 - 1),
    "u64": _integers(0, 2**64 - 1),
    "f32": _floats(32),
    "f64": _floats(64),
    "g64": _floats(64),
    "yes": st.booleans(),
    "no": st.booleans(),
    "text": _TEXTS,
    "word": _TEXTS,
    "day": st.dates(date(1600, 1, 1), date(2400, 1, 1))
    | st.sampled_from([date(2024, 2, 29), date.min, date.max]),
    "at": _INSTANTS,
    "then": _INSTANTS,
    "ms": _INSTANTS.map(lambda value: value.replace(microsecond=value.microsecond // 1000 * 1000)),
}
ROWS = st.lists(st.tuples(*(st.none() | values for values in _VALUES.values())), min_size=10, max_size=40)
# A row without nulls, zeros or extremes: a function that leaves it to Polars is of no use.
PLAIN = (3, 41, 7, 5, 9, 1.5, 0.25, 0.75, True, False, "abc", "b", date(2024, 2, 29), NOON, NOON - HOUR, NOON)


def compiled(*expressions: pl.Expr) -> RowFunction:
    """Compile expressions, which must be possible."""
    named = [expression.alias(f"x{i}") for i, expression in enumerate(expressions)]
    result = row_function(lambda rows: rows.select(*named), SCHEMA)
    assert isinstance(result, RowFunction), result
    return result


@given(rows=ROWS)
@examples(5)
def test_each_kind_of_expression_is_the_same_in_python_and_in_polars(rows: list[tuple[Any, ...]]) -> None:
    """For the rows that a function computes, Polars has the same values and no error."""
    for kind, expression, function in functions():
        _require_same(f"{kind}: {expression}", expression, function, [*rows, PLAIN])


@cache
def functions() -> list[tuple[str, pl.Expr, RowFunction]]:
    """Compile each expression of each kind."""
    return [(kind, listed, compiled(listed)) for kind, expressions in KINDS.items() for listed in expressions]


def _require_same(name: str, expression: pl.Expr, function: RowFunction, rows: list[tuple[Any, ...]]) -> None:
    results = [(row, result) for row in rows if (result := function.compute(row)) is not None]
    assert results[-1][0] is PLAIN, f"{name}: a plain row is left to Polars"
    # Two rows at least: Polars divides a column of one row by a constant in its own way.
    frame = pl.DataFrame([row for row, _ in results] + [PLAIN], schema=SCHEMA, orient="row")
    expected = frame.lazy().select(x0=expression).collect()
    assert expected.schema == function.schema
    for value, (row, (result,)) in zip(_in_utc(expected["x0"]), results, strict=False):
        assert repr(result) == repr(value), f"{name}: of {dict(zip(SCHEMA, row, strict=True))}"


def _in_utc(column: pl.Series) -> list[Any]:
    if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone is not None:
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return [None if value is None else value.replace(tzinfo=UTC) for value in column]
    return column.to_list()


@examples(20)
@given(st.floats(-1, 1), st.floats(-1, 1))
def test_a_constant_has_all_of_its_bits(constant, value):
    """What Polars writes down as text and reads back differs in the last bit of one float in ten."""
    for expression in (
        f64 * constant,
        f64 + pl.lit(constant, dtype=pl.Float64),
        pl.when(f64 > constant).then(constant),
    ):
        function = row_function(lambda rows, e=expression: rows.select(x=e), pl.Schema({"f64": pl.Float64()}))
        expected = pl.DataFrame({"f64": [value]}).select(x=expression).row(0)
        assert repr(function.compute((value,))) == repr(expected)


@pytest.mark.parametrize(
    "expression",
    [
        f64 + 0.0,
        f64 + pl.lit(-0.0),
        pl.lit(0.0) + f64,
        f64 - 0.0,
        f64 - pl.lit(-0.0),
        pl.lit(0.0) - f64,
        pl.lit(-0.0) - f64,
    ],
    ids=str,
)
def test_a_constant_zero_changes_no_sign(expression):
    """Polars leaves many rows as they are, where Python adds -0.0 and 0.0 to 0.0."""
    values = [-0.0, 0.0, 1.0, None]
    function = row_function(lambda rows: rows.select(x=expression), pl.Schema({"f64": pl.Float64()}))
    expected = pl.DataFrame({"f64": values}).select(x=expression).rows()

    assert [repr(function.compute((value,))) for value in values] == list(map(repr, expected))
