"""A law of casting: each value is the same after the cast, or its row is reported."""

from decimal import Decimal
from fractions import Fraction

import hypothesis.strategies as st
import polars as pl
from hypothesis import given
from laws import examples
from polars.testing.parametric import series

from featurestore.values.casts import cast_values

SCALARS = [
    *(pl.Int8(), pl.Int16(), pl.Int32(), pl.Int64(), pl.UInt8(), pl.UInt16(), pl.UInt32(), pl.UInt64()),
    *(pl.Float32(), pl.Float64(), pl.Boolean(), pl.String(), pl.Binary(), pl.Date(), pl.Time()),
    *(pl.Decimal(12, 3), pl.Decimal(9, 1), pl.Decimal(30, 0)),
    *(pl.Datetime(unit, zone) for unit in ("ms", "us", "ns") for zone in (None, "UTC", "Asia/Tokyo")),
    *(pl.Duration(unit) for unit in ("ms", "us", "ns")),
    *(pl.Enum(["a", "b", "c"]), pl.Enum(["b", "a"]), pl.Categorical()),
]
NEAR_LIMITS = [
    *(
        sign * (2**power + step)
        for power in (7, 8, 16, 24, 31, 32, 53, 63)
        for step in (-1, 0, 1)
        for sign in (1, -1)
    ),
    *(
        day * ticks + step
        for day in (-719_162, 2_932_896, 2_932_897)
        for ticks in (1, 86_400_000, 86_400_000_000)
        for step in (-1, 0, 1)
    ),
]
FRACTIONS = [0.1, -0.0, 1.5, 16_777_216.5, 33_554_433.5, 1e-50, 1e30, 1e39, float("nan"), float("inf")]


def wrapped(dtype, how):
    if how == "list":
        return pl.List(dtype)
    if how == "array":
        return pl.Array(dtype, 2)
    if how == "struct":
        return pl.Struct({"a": dtype, "b": pl.Int8})
    if how == "deep":
        return pl.List(pl.Struct({"a": pl.List(dtype)}))
    return dtype


@st.composite
def columns(draw, dtype):
    """Values of a dtype, many of them near the limits of others."""
    if dtype.is_integer() or isinstance(dtype, pl.Datetime | pl.Duration | pl.Date):
        physical = pl.Series(dtype=dtype).to_physical().dtype
        low, high = pl.select(low=physical.min(), high=physical.max()).row(0)
        numbers = st.sampled_from([n for n in NEAR_LIMITS if low <= n <= high]) | st.integers(low, high)
        return pl.Series(draw(st.lists(numbers | st.none(), max_size=6)), dtype=physical).cast(dtype)
    if dtype.is_float():
        numbers = st.sampled_from([*FRACTIONS, *map(float, NEAR_LIMITS)]) | st.floats(width=32)
        return pl.Series(draw(st.lists(numbers | st.none(), max_size=6)), dtype=dtype)
    if isinstance(dtype, pl.Enum | pl.Categorical | pl.String):
        return pl.Series(draw(st.lists(st.sampled_from(["a", "b"]) | st.none(), max_size=6)), dtype=dtype)
    return draw(series(dtype=dtype, max_size=6, allow_null=True))


def nest(values, how, *, width):
    """Wrap each value as `wrapped` wraps its dtype."""
    column = values.to_frame("x")
    x = pl.col("x")
    expressions = {
        "list": pl.concat_list(x, x.reverse()),
        "array": pl.concat_list(*[x] * width).list.to_array(width),
        "struct": pl.struct(a=x, b=pl.lit(1, dtype=pl.Int8)),
        "deep": pl.concat_list(pl.struct(a=pl.concat_list(x, x.shift()))),
    }
    return column.select(expressions.get(how, x)).to_series()


def plain(values):
    """Return values as plain Python, exact, and independent of units, scales and time zones."""
    dtype = values.dtype
    if isinstance(dtype, pl.Array):
        return plain(values.arr.to_list())
    if isinstance(dtype, pl.List):
        return [None if part is None else plain(part) for part in values]
    if isinstance(dtype, pl.Struct):
        fields = {field.name: plain(values.struct.field(field.name)) for field in dtype.fields}
        rows = [dict(zip(fields, row, strict=True)) for row in zip(*fields.values(), strict=True)]
        return [row if known else None for row, known in zip(rows, values.is_not_null(), strict=True)]
    if isinstance(dtype, pl.Datetime | pl.Duration):
        unit = {"ms": 10**6, "us": 10**3, "ns": 1}[dtype.time_unit]
        return [None if ticks is None else ticks * unit for ticks in values.to_physical()]
    if isinstance(dtype, pl.Date | pl.Time):
        return values.to_physical().to_list()
    return [number(value) for value in values]


def number(value):
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    return str(value) if isinstance(value, float) and value - value != 0 else Fraction(value)


def same(before, after):
    """Return whether a value is kept; a fraction may be rounded, by less than one."""
    if isinstance(before, list):
        return len(before) == len(after) and all(map(same, before, after))
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(same(before[key], after[key]) for key in before)
    if isinstance(before, Fraction) and before.denominator > 1 and isinstance(after, Fraction):
        return abs(before - after) < 1
    return before == after


NUMBERS = st.from_regex(r"[+-]?[0-9]{1,20}(\.[0-9]{1,12})?([eE][+-]?[0-9]{1,2})?", fullmatch=True)


@examples(60)
@given(st.lists(NUMBERS, min_size=1, max_size=6), st.sampled_from([d for d in SCALARS if d.is_numeric()]))
def test_each_number_in_text_is_kept_or_reported(texts, declared):
    """An integer or decimal is the number that the text says; a float is the nearest to a fraction, and exact or as
    it is written for an integer."""
    cast = cast_values(pl.col("x"), pl.String(), declared)
    result = pl.DataFrame({"x": texts}).select(value=cast.value, failed=cast.failed)
    for text, value, failed in zip(texts, result["value"], result["failed"], strict=True):
        number = Fraction(Decimal(text))
        if failed:
            assert value is None
        elif not declared.is_float():
            assert number == Fraction(value)
        elif number.denominator == 1 and number != Fraction(value):
            assert Decimal(text) == Decimal(pl.Series([value], dtype=declared).cast(pl.String).item())
        else:
            assert abs(number - Fraction(value)) < 1


@examples(150)
@given(st.data())
def test_each_value_is_kept_or_reported(data):
    """For every pair of dtypes, also nested: the pair is refused, the value is the same, or the row failed."""
    actual, declared = data.draw(st.sampled_from(SCALARS)), data.draw(st.sampled_from(SCALARS))
    if data.draw(st.booleans()):
        alike = [dtype for dtype in SCALARS if cast_values(pl.col("x"), actual, dtype) is not None]
        declared = data.draw(st.sampled_from(alike))
    how = data.draw(st.sampled_from(["", "list", "array", "struct", "deep"]))
    target_nesting = {"list": "array", "array": "list"}.get(how, how) if data.draw(st.booleans()) else how
    values = nest(data.draw(columns(actual)), how, width=data.draw(st.sampled_from([2, 3])))
    target = wrapped(declared, target_nesting)
    cast = cast_values(pl.col("x"), values.dtype, target)
    if cast is None or (
        isinstance(actual, pl.String) and not isinstance(declared, pl.String | pl.Categorical | pl.Enum)
    ):
        return
    failed = pl.lit(value=False) if cast.failed is None else cast.failed
    rounded = pl.lit(value=False) if cast.rounded is None else cast.rounded
    result = values.to_frame("x").lazy().select(value=cast.value, failed=failed, rounded=rounded).collect()
    if result.is_empty():
        return
    assert result.schema == {"value": target, "failed": pl.Boolean, "rounded": pl.Boolean}
    assert result["failed"].null_count() == result["rounded"].null_count() == 0
    before, after = plain(values), plain(result["value"])
    for value, kept, is_failed, is_rounded in zip(
        before, after, result["failed"], result["rounded"], strict=True
    ):
        if is_failed:
            assert value is not None
            assert kept is None
            assert not is_rounded
        else:
            assert same(value, kept)
            assert is_rounded == (value != kept)
