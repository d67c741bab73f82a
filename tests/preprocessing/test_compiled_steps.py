"""The steps of one row, as plain Python, have the bits that Polars gives for many rows."""

from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurestore import preprocessing
from featurestore.expressions.row_function import RowFunction, row_function
from featurestore.preprocessing.fit import apply, fit, functions_of
from featurestore.values.plain import in_utc_zone
from featurestore.vectors.compiled import same_value
from tests.laws import examples

SCHEMA = pl.Schema(
    {
        "x": pl.Float64(),
        "f": pl.Float32(),
        "n": pl.Int16(),
        "c": pl.String(),
        "yes": pl.Boolean(),
        "at": pl.Datetime("us", "UTC"),
        "day": pl.Date(),
        "text": pl.String(),
        "tags": pl.List(pl.String()),
        "codes": pl.List(pl.Int8()),
    }
)
FLOATS = st.floats(-1e6, 1e6)
# Letters that change with case, whose case depends on what follows, that are marks, and that are none.
WORDS = st.sampled_from(
    [
        "red",
        "Red,",
        "BLUE",
        "o",
        "été",
        "E\u0301t",
        "ΟΔΟΣ",
        "İx",
        "straße",
        "x_1",
        "٣٣",
        "a\u200db",
        "🙂🙂",
        "日本",
    ]
)
CELLS = {
    "x": FLOATS,
    "f": st.floats(-1e6, 1e6, width=32),
    "n": st.integers(-3, 3),
    "c": st.sampled_from(["a", "b", "", "é", "never seen"]),
    "yes": st.booleans(),
    "at": st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    "day": st.dates(date(1900, 1, 1), date(2100, 1, 1)),
    "text": st.lists(WORDS, max_size=8).map(" ".join) | st.text(max_size=12),
    "tags": st.lists(st.none() | st.sampled_from(["red", "blue", "", "never seen"]), max_size=5),
    "codes": st.lists(st.none() | st.integers(-128, 127) | st.just(3), max_size=5),
}
ROWS = st.lists(st.tuples(*(st.none() | cells for cells in CELLS.values())), min_size=1, max_size=6)
TRAINING = pl.DataFrame(
    [
        (
            *(1.5, -2.25, 1, "a", True, datetime(2024, 1, 1, 7, tzinfo=UTC), date(2024, 2, 29)),
            *("Red blue, red", ["red", None], [3, 3, -1]),
        ),
        (
            *(-0.0, 0.1, 2, "b", False, datetime(2024, 1, 2, 13, tzinfo=UTC), None),
            *("ÉTÉ οδος straße e\u0301t a\u200db", ["blue", "red"], []),
        ),
        (None, 3.0, 2, "", None, None, date(2023, 7, 1), "", [], None),
        (
            *(1e5, None, None, None, True, datetime(2024, 5, 9, tzinfo=UTC), date(2024, 1, 1)),
            *(None, None, [127]),
        ),
    ],
    schema=SCHEMA,
    orient="row",
)
LABEL = pl.Series(["no", "yes", "maybe", "yes"])
NUMBERS = ["x", "f", "n", "yes"]
STEPS = [
    [preprocessing.impute("mean", columns=NUMBERS, indicator=True), preprocessing.scale(columns=NUMBERS)],
    [preprocessing.impute("median", columns=NUMBERS), preprocessing.scale("min_max", columns=NUMBERS)],
    [preprocessing.scale("robust", columns=NUMBERS), preprocessing.clip(columns=NUMBERS, min=-1, max=1)],
    [
        preprocessing.impute("most_frequent", columns=["n", "c", "yes"]),
        preprocessing.one_hot(["n", "c", "yes"]),
    ],
    [preprocessing.impute("constant", columns=preprocessing.numeric(), fill_value=-1)],
    [preprocessing.ordinal(["n", "c", "yes"]), preprocessing.scale(columns=["c"])],
    [preprocessing.frequency(["n", "c", "yes"])],
    [preprocessing.target(["n", "c", "yes"])],
    [preprocessing.discretize("quantile", columns=["x", "f", "n"], bins=3)],
    [
        preprocessing.discretize("uniform", columns=["x", "f", "n"], bins=4),
        preprocessing.impute("mean", columns=["x"]),
    ],
    [preprocessing.cycle("hour", columns="at"), preprocessing.cycle("year", columns="day")],
    [preprocessing.cycle("day", columns="at"), preprocessing.cycle("week", columns="day")],
    [preprocessing.bag_of_words("text", min_frequency=1), preprocessing.scale(columns=["text_red"])],
    [preprocessing.tf_idf("text", min_frequency=1), preprocessing.multi_hot(["tags", "codes"])],
    [preprocessing.multi_hot("codes", min_frequency=9), preprocessing.ordinal("c")],
    [preprocessing.hashing(["n", "c", "yes", "text"], buckets=7)],
]


@pytest.mark.parametrize("number", range(len(STEPS)))
def test_one_row_has_the_bits_of_many(number):
    """Values of all sizes, nulls, and categories that were never seen."""
    steps = fit(STEPS[number], TRAINING, LABEL, where="service").steps
    functions = {name: function.of_value for name, function in functions_of(steps).items()}
    function = row_function(lambda rows: apply(rows, steps), SCHEMA, functions)
    assert isinstance(function, RowFunction), function

    @examples(4)
    @given(ROWS)
    def law(rows):
        frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
        expected = in_utc_zone(apply(frame.lazy(), steps).collect()).rows()
        for row, values in zip(in_utc_zone(frame).rows(), expected, strict=True):
            result = function.compute(row)
            assert result is not None
            assert all(map(same_value, result, values)), (result, values)

    law()
