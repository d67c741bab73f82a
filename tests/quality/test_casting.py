"""The gate changes no value: a value that a cast would change is a bad row."""

from datetime import UTC as ZONE
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import msgspec
import pandera.polars as pa
import polars as pl
import pytest

from featurestore.definitions.contract import contract_of
from featurestore.errors import ContractError
from featurestore.quality.gate.inspection import inspect

UTC = pl.Datetime("us", "UTC")


def naive(*parts):
    return datetime(*parts, tzinfo=ZONE).replace(tzinfo=None)


def cast(values, declared, actual=None, **metadata):
    """Let a column through the gate; return what passed, and the kind of the broken rule for each bad row."""
    field = pa.Field(nullable=True, metadata=metadata)
    model = type(
        "Cast",
        (pa.DataFrameModel,),
        {
            "__annotations__": {"x": declared},
            "x": field,
            "Config": type("Config", (), {"metadata": {"on_invalid": "quarantine", "tolerance": 1.0}}),
        },
    )
    frame = pl.DataFrame({"x": values if isinstance(values, pl.Series) else pl.Series(values, dtype=actual)})
    inspection = inspect(frame.lazy(), contract_of(model), dataset="cast")
    assert inspection.passed.schema["x"] == declared
    return inspection.passed["x"].to_list(), [count.rule.kind for count in inspection.verdict.rules]


def name(part):
    """Name a part of a case: Polars cannot print a timestamp that is outside the calendar."""
    return str(part.dtype) if isinstance(part, pl.Series) else str(part)


def ticks(numbers, dtype):
    return pl.Series(numbers, dtype=pl.Int64).cast(dtype)


LOSSY = [
    (ticks([1_500], pl.Datetime("ns", "UTC")), UTC),
    (ticks([-1], pl.Datetime("ns", "Europe/Berlin")), UTC),
    (ticks([1_001], UTC), pl.Datetime("ms", "UTC")),
    (ticks([1_001], pl.Datetime("us")), pl.Datetime("ms")),
    (ticks([1_001], pl.Duration("us")), pl.Duration("ms")),
    (ticks([2**62], UTC), pl.Datetime("ns", "UTC")),
    (ticks([2**63 - 1], UTC), UTC),
    (ticks([568_971_820_800_000], pl.Datetime("ms", "UTC")), UTC),
    (ticks([253_402_300_800_000_000], UTC), UTC),
    (ticks([-62_135_596_800_000_001], UTC), UTC),
    (pl.Series([2_932_897], dtype=pl.Int32).cast(pl.Date), pl.Date()),
    (pl.Series([16_777_217.0]), pl.Float32()),
    (pl.Series([33_554_433.5]), pl.Float32()),
    (pl.Series([1e39]), pl.Float32()),
    (pl.Series([16_777_217]), pl.Float32()),
    (pl.Series([2**53 + 1]), pl.Float64()),
    (pl.Series([2**64 - 1], dtype=pl.UInt64), pl.Float64()),
    (pl.Series([Decimal("1.55")]), pl.Decimal(10, 1)),
    (pl.Series([12_345]), pl.Decimal(3, 0)),
    (pl.Series([[1, 2**40]]), pl.List(pl.Int32)),
    (pl.Series([[[1], [2**40]]]), pl.List(pl.List(pl.Int32))),
    (pl.Series([[1, 2**40]], dtype=pl.Array(pl.Int64, 2)), pl.Array(pl.Int32, 2)),
    (pl.Series([[1, 2, 3]]), pl.Array(pl.Int64, 2)),
    (pl.Series([[16_777_217.0]]), pl.List(pl.Float32)),
    (pl.Series([{"a": 2**40}]), pl.Struct({"a": pl.Int32})),
    (pl.Series([[{"a": [2**40]}]]), pl.List(pl.Struct({"a": pl.List(pl.Int32)}))),
    (pl.Series(["c"], dtype=pl.Enum(["b", "c"])), pl.Enum(["a", "b"])),
    (pl.Series(["c"], dtype=pl.Categorical), pl.Enum(["a", "b"])),
    (ticks([2**63 - 1], UTC).implode(), pl.List(UTC)),
]


@pytest.mark.parametrize(("values", "declared"), LOSSY, ids=name)
def test_a_value_that_the_cast_would_change_is_a_bad_row(values, declared):
    """The row breaks the rule `dtype`, in lists and structs too."""
    good = pl.Series([None], dtype=values.dtype)
    assert cast(good.append(values), declared) == ([None], ["dtype"])


KEPT = [
    (ticks([1_000], pl.Datetime("ns", "Europe/Berlin")), UTC, 1),
    (ticks([253_402_300_799_999_999], UTC), UTC, 253_402_300_799_999_999),
    (pl.Series([16_777_218.0]), pl.Float32(), 16_777_218.0),
    (pl.Series([2**53]), pl.Float64(), float(2**53)),
    (pl.Series([7]), pl.Decimal(3, 1), Decimal("7.0")),
    (pl.Series([[1, None]]), pl.List(pl.Int8), [1, None]),
    (pl.Series([[1, 2]]), pl.Array(pl.UInt8, 2), [1, 2]),
    (pl.Series([[1, 2]], dtype=pl.Array(pl.Int64, 2)), pl.List(pl.Int8), [1, 2]),
    (pl.Series([{"b": 1, "a": None}]), pl.Struct({"a": pl.Int8, "b": pl.Int8}), {"a": None, "b": 1}),
    (pl.Series(["b"], dtype=pl.Categorical), pl.Enum(["a", "b"]), "b"),
    (pl.Series([0.1]), pl.Float32(), 0.10000000149011612),
]


@pytest.mark.parametrize(("values", "declared", "expected"), KEPT, ids=name)
def test_a_value_that_the_cast_keeps_passes(values, declared, expected):
    """The passing value is the same value in the declared dtype; a missing value stays missing."""
    frame = values.append(pl.Series([None], dtype=values.dtype))
    passed, broken = cast(frame, declared)
    if isinstance(expected, int) and isinstance(declared, pl.Datetime):
        passed = pl.Series(passed, dtype=declared).to_physical().to_list()
    assert (passed, broken) == ([expected, None], [])


BAD_TEXT = {
    pl.Int32(): ["٣", "0x10", "1_000", "1,000", "5.0", "1e3", "99999999999", "", "one"],
    pl.Float64(): ["٣", "0x10", "1,000", "1e400", "9007199254740993", "-9007199254740993.0", ""],
    pl.Float32(): ["16777217", "16777217.0", "1e39", "16777216.5"],
    pl.Decimal(10, 2): ["1.005", "12345678901", "1e-3", "1,5", "nan", "٣"],
    pl.Boolean(): ["2", "yes", "", "1.0"],
    pl.Date(): ["2024-02-30", "24-01-01", "+20000-01-01", "-0001-01-01", "2024-01-01T10:00:00", "0000-01-01"],
    UTC: [
        "2024-01-01T00:00:00.123456789Z",
        "2024-02-30T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01T23:59:60Z",
        "2024-01-01T00:00:00",
        "2024-01-01T00:00:00+26:00",
        "+20000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+10:00",
        "24-01-01T00:00:00Z",
        "infinity",
        "1900-01-01T00:00:00 CET",
    ],
    pl.Time(): ["24:00:00", "12:00:60", "12:00:00.1234567891"],
    pl.Enum(["a"]): ["b", "A", ""],
}


@pytest.mark.parametrize(("declared", "text"), [(d, t) for d, texts in BAD_TEXT.items() for t in texts])
def test_text_that_a_dtype_cannot_hold_is_a_bad_row(declared, text):
    """Text is parsed without loss, or its row is bad."""
    assert cast([text, None], declared) == ([None], ["dtype"])


GOOD_TEXT = [
    (pl.Int32(), " 5 ", 5),
    (pl.Int32(), "+5", 5),
    (pl.Float64(), "9007199254740992", 9007199254740992.0),
    (pl.Float64(), "6.02214076e23", 6.02214076e23),
    (pl.Float64(), "0.1", 0.1),
    (pl.Float32(), "12345679000.0", 12345678848.0),
    (pl.Decimal(10, 2), "1.500", Decimal("1.50")),
    (pl.Decimal(10, 2), "1e2", Decimal("100.00")),
    (pl.Boolean(), "TRUE", True),
    (pl.Date(), "2024-02-29", date(2024, 2, 29)),
    (pl.Datetime("us"), "2024-01-01T00:00:00.123456000", naive(2024, 1, 1, 0, 0, 0, 123456)),
    (pl.Time(), "12:00:00", time(12)),
    (pl.Enum(["a"]), "a", "a"),
]


@pytest.mark.parametrize(("declared", "text", "value"), GOOD_TEXT)
def test_text_that_a_dtype_holds_is_parsed(declared, text, value):
    """Text becomes the value that it says."""
    assert cast([text], declared) == ([value], [])


@pytest.mark.parametrize(
    ("declared", "text_format", "text"),
    [
        (pl.Date(), "%Y-%m-%d %H:%M", "2024-01-01 13:00"),
        (UTC, "%d.%m.%Y %H:%M:%S", "31.12.2023 23:59:60"),
        (UTC, "%Y%m%d%H%M%S", "20231231235960"),
        (UTC, "%d.%m.%Y %H:%M:%S%.f", "31.12.2023 23:59:59.0000001"),
        (pl.Datetime("ms"), "%Y-%m-%d %H:%M:%S%.f", "2023-12-31 23:59:59.0001"),
    ],
)
def test_text_in_another_format_is_parsed_without_loss(declared, text_format, text):
    """The time of day, a leap second and digits beyond the unit are not cut."""
    assert cast([text, None], declared, format=text_format) == ([None], ["dtype"])


@pytest.mark.parametrize(
    ("declared", "text_format", "text", "value"),
    [
        (pl.Date(), "%Y-%m-%d %H:%M", "2024-01-01 00:00", date(2024, 1, 1)),
        (pl.Datetime("us"), "%d.%m.%Y %H:%M:%S", "01.01.2060 00:00:00", naive(2060, 1, 1)),
        (
            pl.Datetime("us"),
            "%Y%m%d%H%M%S%.f",
            "20240101000000.500000",
            naive(2024, 1, 1, 0, 0, 0, 500_000),
        ),
    ],
)
def test_text_in_another_format_passes(declared, text_format, text, value):
    """A year 2060 is not a leap second, and midnight is a date."""
    assert cast([text], declared, format=text_format) == ([value], [])


NAN, INF = float("nan"), float("inf")
NESTED_FLOATS = [
    (pl.Float64(), NAN, None),
    (pl.List(pl.Float64), [1.0, NAN], [1.0, None]),
    (pl.Array(pl.Float32, 2), [1.0, NAN], [1.0, None]),
    (pl.Struct({"a": pl.Float64, "b": pl.Int8}), {"a": NAN, "b": 1}, {"a": None, "b": 1}),
    (pl.List(pl.Struct({"a": pl.List(pl.Float64)})), [{"a": [NAN]}, None], [{"a": [None]}, None]),
]


@pytest.mark.parametrize(("dtype", "value", "filled"), NESTED_FLOATS, ids=name)
def test_nan_and_infinity_are_found_everywhere(dtype, value, filled):
    """NaN breaks the rule `finite`, in lists and structs too; `nan = "null"` turns it into null."""
    assert cast([value, None], dtype, dtype) == ([None], ["finite"])
    assert cast([value, None], dtype, dtype, nan="null") == ([filled, None], [])


@pytest.mark.parametrize("value", [[1.0, INF], [-INF]])
def test_infinity_is_never_turned_to_null(value):
    """Infinity stays a bad row under `nan = "null"`."""
    assert cast([value, None], pl.List(pl.Float64), nan="null") == ([None], ["finite"])


@pytest.mark.parametrize(
    ("values", "declared"),
    [
        (pl.Series([1]), pl.String()),
        (pl.Series(["a"]), pl.Binary()),
        (pl.Series([b"a"]), pl.String()),
        (pl.Series([1, 2]), pl.Boolean()),
        (pl.Series([1.0]), pl.Int64()),
        (pl.Series([naive(2024, 1, 1)]), UTC),
        (pl.Series([naive(2024, 1, 1)]), pl.Date()),
        (pl.Series([timedelta(1)]), pl.Int64()),
        (pl.Series([{"a": 1, "b": 2}]), pl.Struct({"a": pl.Int64})),
        (pl.Series([["a"]]), pl.List(pl.Binary)),
    ],
    ids=name,
)
def test_another_kind_of_dtype_is_refused(values, declared):
    """A column of another kind refuses the dataset, and names both dtypes."""
    with pytest.raises(ContractError, match=f"'x' is {values.dtype}".partition("(")[0]):
        cast(values, declared)


def test_the_verdict_counts_the_fractions_that_were_rounded():
    """A fraction is rounded to the nearest float, breaks no rule, and is counted."""

    class Prices(pa.DataFrameModel):
        number: pl.Float32 = pa.Field(nullable=True)
        text: pl.Float32 = pa.Field()
        prices: pl.List(pl.Float32) = pa.Field()

    rows = {"number": [0.1, 0.5, None], "text": ["0.1", "0.2", "4"], "prices": [[0.5], [0.1], []]}
    verdict = inspect(pl.LazyFrame(rows), contract_of(Prices), dataset="prices").verdict
    assert (verdict.decision, verdict.rules) == ("passed", ())
    assert verdict.rounded == {"number": 1, "text": 2, "prices": 1}
    assert "number (1 value), text (2 values)" in verdict.explain()
    exact = inspect(pl.LazyFrame(rows).tail(1), contract_of(Prices), dataset="prices").verdict
    assert b"rounded" not in msgspec.json.encode(exact)
