"""Missing values are predicted by a tree of scikit-learn, which is applied as an expression."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from featurestore import preprocessing
from featurestore.definitions.contract import Column
from featurestore.definitions.vector import fitted_columns
from featurestore.errors import ContractError, DefinitionError, UnknownNameError
from featurestore.expressions.row_function import row_function
from featurestore.preprocessing.fit import applied, apply, check_steps, fit, sources
from featurestore.preprocessing.state import Certificate, FittedState
from featurestore.vectors.compiled import same_value
from tests.laws import examples

EIGHTHS = st.integers(-(2**20), 2**20).map(lambda number: number / 8)
CELLS = st.tuples(st.floats(-1e6, 1e6), st.none() | EIGHTHS, EIGHTHS)
ROWS = pl.DataFrame(
    {
        "x": [1.0, 2.0, 3.0, 11.0, 12.0, 13.0, None, 12.5],
        "y": [5.0, 5.0, 6.0, 50.0, 52.0, 54.0, None, None],
        "c": ["low", "low", "low", "high", "high", None, "low", None],
        "b": [True, True, True, False, False, False, None, None],
        "n": [0, 1, 0, 1, 0, 1, 0, 1],
    }
)


def predicted(columns, rows=ROWS, **options):
    """Fit the step to rows, and apply it to them."""
    options = {"by": ["x", "n"], "min_rows": 2} | options
    return fit([preprocessing.impute_predicted(columns, **options)], rows, None, where="s")


def test_a_missing_value_is_that_of_similar_rows():
    """The mean of numbers and the most frequent text; a null of a column that is read counts as its median."""
    answer = predicted(["y", "c", "b"], depth=1).rows

    assert answer["y"].to_list() == [5.0, 5.0, 6.0, 50.0, 52.0, 54.0, 52.0, 52.0]
    assert answer["c"].to_list() == ["low"] * 3 + ["high"] * 3 + ["low", "high"]
    assert answer["b"].to_list() == [True] * 3 + [False] * 5


def test_an_indicator_says_what_was_missing():
    """As that of `impute`."""
    assert predicted("y", indicator=True).rows["missingindicator_y"].to_list() == [0.0] * 6 + [1.0] * 2


def test_a_selector_leaves_the_column_itself_out():
    """A column is predicted by all other numbers, here with their own nulls."""
    state = predicted("y", by=preprocessing.numeric()).steps[0].columns["y"]

    assert state.beside == ("x", "n")
    assert sources(ROWS.columns, predicted("y").steps)["y"] == {"x", "n", "y"}


@examples(8)
@given(st.lists(CELLS, min_size=12, max_size=30), st.integers(1, 4), st.integers(1, 4), st.randoms())
def test_scikit_learn_predicts_the_same(cells, depth, min_rows, random):
    """Also beside each threshold, where 32 bits decide; one compiled row has the bits of many, in any order of the rows."""
    rows = pl.DataFrame(cells, schema={"x": pl.Float64, "y": pl.Float64, "z": pl.Float64}, orient="row")
    if rows["y"].null_count() == rows.height:
        rows = rows.with_columns(y=pl.col("z"))
    known = rows.drop_nulls("y").select("x", "z", "y").sort(pl.all())
    peer = DecisionTreeRegressor(max_depth=depth, min_samples_leaf=min_rows, random_state=0)
    peer.fit(known.select("x", "z").to_numpy(), known["y"].to_numpy())
    options = {"by": ["x", "z"], "depth": depth, "min_rows": min_rows}
    steps = predicted("y", rows, **options).steps
    shuffled = rows[random.sample(range(rows.height), rows.height)]
    assert predicted("y", shuffled, **options).steps == steps

    edges = [float(t) for t, f in zip(peer.tree_.threshold, peer.tree_.feature, strict=True) if f == 0]
    near = [edge + shift for edge in edges for shift in (0, np.spacing(np.float32(edge)) / 2)]
    xs = [*rows["x"], *(value for edge in near for value in np.nextafter(edge, [-np.inf, edge, np.inf]))]
    served = pl.DataFrame({"x": xs, "y": pl.Series([None] * len(xs), dtype=pl.Float64), "z": 1.0})
    answer = applied(served, steps)
    expected = peer.predict(served.select("x", "z").to_numpy())
    np.testing.assert_allclose(answer["y"].to_numpy(), expected, rtol=1e-14, atol=1e-9)
    compiled = row_function(lambda frame: apply(frame, steps), served.schema)
    for row, values in zip(served.rows(), answer.rows(), strict=True):
        assert all(map(same_value, compiled.compute(row), values))


def test_scikit_learn_classifies_the_same():
    """Text is predicted by a classifier."""
    generator = np.random.default_rng(1)
    rows = pl.DataFrame({"x": generator.normal(size=60), "n": generator.integers(0, 9, 60)})
    rows = rows.with_columns(c=pl.when(pl.col("x") > 0.3).then(pl.lit("up")).otherwise(pl.lit("down")))
    known = rows.select(pl.col("x", "n").cast(pl.Float64), "c").sort(pl.all())
    peer = DecisionTreeClassifier(max_depth=2, min_samples_leaf=5, random_state=0)
    peer.fit(known.select("x", "n").to_numpy(), known["c"].to_numpy())
    steps = predicted("c", rows, depth=2, min_rows=5).steps

    answer = applied(rows.with_columns(c=pl.lit(None, dtype=pl.String)), steps)
    assert answer["c"].to_list() == peer.predict(rows.select("x", "n").to_numpy()).tolist()


def test_a_value_that_is_predicted_by_a_personal_column_is_personal():
    """The contract of the fitted column says so, and so no page or message shows its values."""
    schema = ROWS.schema
    columns = [
        Column(
            name,
            dtype,
            nullable=True,
            unique=False,
            description="",
            checks=(),
            metadata={"personal": name == "x"},
        )
        for name, dtype in schema.items()
    ]
    certificate = Certificate(training_set="t", split=None, rows=8, digest="")
    state = FittedState(
        format=1, service="s", definition="", certificate=certificate, steps=predicted("y").steps, features={}
    )

    personal = {column.name for column in fitted_columns(columns, state) if column.personal}
    assert personal == {"x", "y"}


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: preprocessing.impute_predicted("y", by=[]), "impute_predicted, by: .*no columns are named"),
        (
            lambda: preprocessing.impute_predicted("y", by="x", depth=7),
            "depth is 7; expected an integer from 1 to 6",
        ),
        (lambda: preprocessing.impute_predicted("y", by="x", min_rows=0), "min_rows is 0"),
        (lambda: preprocessing.impute_predicted([], by="x"), "no columns are named"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused(declare, message):
    """The message says what was given, and what was expected."""
    with pytest.raises(DefinitionError, match=message.replace(": .*", ".*")):
        declare()


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (preprocessing.impute_predicted("y", by="z"), "no feature named 'z'"),
        (preprocessing.impute_predicted("y", by="c"), "'y' is predicted by 'c', which is String"),
        (preprocessing.impute_predicted("y", by=["x", "y"]), "by 'y', which is the column itself"),
        (
            preprocessing.impute_predicted("b", by=preprocessing.booleans()),
            "no other column to predict 'b' by",
        ),
    ],
)
def test_what_the_tree_reads_is_checked_without_data(step, message):
    """Names and dtypes, where the service is declared; and again before a fit."""
    for refused in (
        lambda: check_steps([step], ROWS.schema, where="s"),
        lambda: fit([step], ROWS, None, where="s"),
    ):
        with pytest.raises((DefinitionError, UnknownNameError), match=message):
            refused()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (pl.lit(None, dtype=pl.Float64).alias("y"), "'y': no value is present in 8 rows"),
        (pl.lit(None, dtype=pl.Float64).alias("x"), "'y', by 'x': no value is present in 8 rows"),
        (pl.lit(float("inf")).alias("x"), "by 'x': a value is NaN or infinite"),
        (pl.lit(1e39).alias("x"), "by 'x': a number is larger than 3.4e"),
    ],
)
def test_values_that_no_tree_is_fitted_to_are_refused(change, message):
    """The message names the column that is predicted, and the one that is read."""
    with pytest.raises(ContractError, match=message):
        predicted("y", ROWS.with_columns(change))
