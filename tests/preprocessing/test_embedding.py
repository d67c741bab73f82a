"""A category is replaced by its vector from a table of the project; the state holds the table and its digest."""

import numpy as np
import pandera.polars as pa
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import OrdinalEncoder

from featurestore import Frame, dataset, preprocessing
from featurestore.errors import ContractError, DefinitionError, UnknownNameError
from featurestore.expressions.row_function import row_function
from featurestore.preprocessing.embedding import MAX_NUMBERS
from featurestore.preprocessing.fit import REFUSED, applied, apply, check_steps, fit
from featurestore.preprocessing.step import TableRows
from tests.laws import examples


class Places(pa.DataFrameModel):
    """Places, with a vector of each."""

    place: pl.String = pa.Field(unique=True, description="name")
    number: pl.Int32 = pa.Field(unique=True, description="number")
    vector: pl.List(pl.Float32) = pa.Field(description="vector")
    fixed: pl.Array(pl.Float64, 2) = pa.Field(description="vector of two numbers")
    x: pl.Float64 = pa.Field(description="first")
    y: pl.Int64 = pa.Field(description="second")


@dataset(owner="test")
def places(rows: Frame[Places]) -> Frame[Places]:
    """Places."""
    return rows


ROWS = pl.DataFrame(
    {
        "place": ["b", "a"],
        "number": [2, 1],
        "vector": [[0.5, 1.5, -0.0], [2.5, 0.25, 1.0]],
        "fixed": [[1.0, 2.0], [3.0, 4.0]],
        "x": [0.1, 0.3],
        "y": [1, 2],
    },
    schema=places.contract.schema,
)


def fitted(step, values, rows=ROWS, dtype=pl.String):
    """Fit a step to a column `c`, and rows of its table."""
    _, names = step.reads
    tables = {step: TableRows(rows.select(names), "sha256:1")}
    features = pl.DataFrame({"c": pl.Series(values, dtype=dtype)})
    return fit([step], features, None, where="feature service 's'", tables=tables).steps


def embedding(**options):
    return preprocessing.embedding("c", **{"table": places, "key": "place", "vector": "vector"} | options)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"c_0": [2.5, 0.5, 0.0, 0.0], "c_1": [0.25, 1.5, 0.0, 0.0], "c_2": [1.0, -0.0, 0.0, 0.0]}),
        ({"vector": "fixed"}, {"c_0": [3.0, 1.0, 0.0, 0.0], "c_1": [4.0, 2.0, 0.0, 0.0]}),
        ({"vector": ["y", "x"]}, {"c_y": [2.0, 1.0, 0.0, 0.0], "c_x": [0.3, 0.1, 0.0, 0.0]}),
        (
            {"vector": ["x", "y"], "unknown": "mean"},
            {"c_x": [0.3, 0.1, 0.2, 0.2], "c_y": [2.0, 1.0, 1.5, 1.5]},
        ),
    ],
)
def test_a_category_becomes_its_vector(options, expected):
    """Of lists, arrays or columns of numbers; a null and an unknown category get the vector of the rule."""
    steps = fitted(embedding(**options), ["a"])

    answer = applied(pl.DataFrame({"c": ["a", "b", "new", None]}), steps)

    assert answer.to_dict(as_series=False) == expected


def test_integers_of_other_widths_are_keys():
    """A feature of Int64 finds the key of Int32."""
    steps = fitted(embedding(key="number", vector="x"), [1], dtype=pl.Int64)

    assert applied(pl.DataFrame({"c": [2, 7]}), steps)["c_x"].to_list() == [0.1, 0.0]


def test_the_order_of_the_table_changes_no_bit():
    """The state has the keys in their own order."""
    step = embedding(unknown="mean")

    assert fitted(step, ["a"]) == fitted(step, ["a"], ROWS.reverse())


WORDS = st.text("abé", max_size=2)


@examples(5)
@given(
    st.dictionaries(WORDS, st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), min_size=1, max_size=8),
    st.lists(st.none() | WORDS, min_size=1, max_size=8),
    st.sampled_from(["zero", "mean"]),
)
def test_one_row_and_many_find_what_scikit_learn_and_numpy_find(table, values, unknown):
    """The position of `OrdinalEncoder` in a matrix that ends with the vector of the rule; the compiled row has its bits."""
    matrix = np.array([table[key] for key in sorted(table)])
    last = np.zeros(3) if unknown == "zero" else None
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=len(table))
    encoder.fit(np.array(sorted(table), dtype=object).reshape(-1, 1))
    positions = encoder.transform(np.array([value or "" for value in values], dtype=object).reshape(-1, 1))
    rows = pl.DataFrame(
        {"place": list(table), "vector": pl.Series(list(table.values()), dtype=pl.List(pl.Float64))}
    )

    steps = fitted(embedding(unknown=unknown), ["a"], rows)
    many = applied(pl.DataFrame({"c": pl.Series(values, dtype=pl.String)}), steps).rows()
    compiled = row_function(lambda frame: apply(frame, steps), pl.Schema({"c": pl.String()}))

    for value, position, row in zip(values, positions.ravel(), many, strict=True):
        assert repr(compiled.compute((value,))) == repr(row)
        if value is not None and position < len(table):
            assert row == tuple(matrix[int(position)])
        elif last is not None:
            assert row == tuple(last)
        else:
            np.testing.assert_allclose(row, matrix.mean(axis=0), rtol=1e-12, atol=1e-9)


def test_a_row_without_a_vector_is_refused():
    """By the rule `refuse`: the rows that are fitted to, and later ones; one row by the same rule as many."""
    step = embedding(unknown="refuse")
    with pytest.raises(
        ContractError,
        match=r"service '.*', step 1 \(embedding\(.*2 of 3 rows refused, because 'c' has no value",
    ):
        fitted(step, ["a", "new", None])

    steps = fitted(step, ["a", "b"])
    assert applied(pl.DataFrame({"c": ["b"]}), steps).row(0) == (0.5, 1.5, -0.0)
    with pytest.raises(ContractError, match="1 of 2 rows refused"):
        applied(pl.DataFrame({"c": ["b", "new"]}), steps)
    compiled = row_function(lambda rows: apply(rows, steps, with_refused=True), pl.Schema({"c": pl.String()}))
    assert compiled.schema.names()[-1] == REFUSED
    assert [compiled.compute((value,))[-1] for value in ("b", "new", None)] == [False, True, True]


def test_a_later_step_does_not_hide_a_refused_row():
    """Whether a row is refused stays known to the last step."""
    steps = [*fitted(embedding(vector="x", unknown="refuse"), ["a"])]
    steps += fit(
        [preprocessing.clip(columns="c_x", min=0)], pl.DataFrame({"c_x": [0.5]}), None, where="s"
    ).steps

    with pytest.raises(ContractError, match="'c' has no value"):
        applied(pl.DataFrame({"c": ["new"]}), steps)


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: embedding(table="places"), "table is 'places'; expected a source or a dataset"),
        (lambda: embedding(unknown="zeros"), "did you mean 'zero'"),
        (lambda: embedding(key="plase"), "no column named 'plase' in table 'places'.*did you mean 'place'"),
        (lambda: embedding(vector="vektor"), "no column named 'vektor'"),
        (lambda: embedding(key="x"), "the key 'x' of table 'places' is Float64; expected text"),
        (lambda: embedding(key=["place"]), "key is .*; expected names"),
        (
            lambda: embedding(vector=["x", "vector"]),
            r"column 'vector' .* is List\(Float32\); expected numbers",
        ),
        (lambda: embedding(vector="place"), "column 'place' .* is String; expected numbers"),
        (lambda: embedding(vector=[]), "no columns are named"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused(declare, message):
    """The message says what was given, and what was expected."""
    with pytest.raises((DefinitionError, UnknownNameError), match=rf"(?s){message}"):
        declare()


def test_the_key_is_of_the_kind_of_the_feature():
    """Integers are not looked up among text."""
    with pytest.raises(
        DefinitionError, match="'c' is Int64, but the key 'place' of table 'places' is String"
    ):
        check_steps([embedding()], {"c": pl.Int64()}, where="feature service 's'")


def test_two_columns_of_one_name_are_refused_without_data():
    """The width of an array is known from the schema."""
    with pytest.raises(DefinitionError, match="two columns get the name 'c_1'"):
        check_steps([embedding(vector="fixed")], {"c": pl.String(), "c_1": pl.Float64()}, where="s")


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (ROWS.clear(), {}, "has no rows"),
        (pl.concat([ROWS, ROWS]), {}, "4 rows with a repeated 'place', 0 without one"),
        (ROWS.with_columns(place=pl.lit(None, dtype=pl.String)).head(1), {}, ", 1 without one"),
        (
            ROWS.with_columns(vector=pl.Series([[1.0], [1.0, 2.0]])),
            {},
            "have 1, 2 numbers; expected one width",
        ),
        (ROWS.with_columns(vector=pl.Series([[], []], dtype=pl.List(pl.Float32))), {}, "have 0 numbers"),
        (ROWS.with_columns(vector=pl.Series([None, [1.0]])), {}, "expected one width|is missing"),
        (ROWS.with_columns(vector=pl.Series([[None], [1.0]])), {}, "column '0' is missing, NaN or infinite"),
        (ROWS.with_columns(x=pl.Series([float("nan"), 1.0])), {"vector": "x"}, "column 'x' is missing, NaN"),
        (
            pl.DataFrame({"place": [str(n) for n in range(MAX_NUMBERS + 1)]}).with_columns(x=pl.lit(1.0)),
            {"vector": "x"},
            "has 250,001 numbers; a fitted state holds 250,000 at most",
        ),
    ],
)
def test_a_table_without_one_vector_for_each_key_is_refused(rows, options, message):
    """The message names service, step, column and table."""
    with pytest.raises(
        ContractError, match=rf"feature service 's', step 1 .*'c': table 'places'.*({message})"
    ):
        fitted(embedding(**options), ["a"], rows)
