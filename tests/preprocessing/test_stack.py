"""The vector is made of named blocks in a pinned order; the state pins the columns of each block."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from featurestore import preprocessing
from featurestore.errors import DefinitionError, UnknownNameError
from featurestore.preprocessing.fit import applied, check_steps, fit
from tests.laws import examples


@examples(3)
@given(
    st.permutations(["x", "c", "y"]),
    st.lists(st.tuples(st.integers(-99, 99), st.sampled_from("abc")), min_size=3, max_size=9),
)
def test_blocks_are_those_of_a_column_transformer(order, values):
    """Scikit-learn's `ColumnTransformer` makes the same matrix from the same parts in the same order."""
    rows = pl.DataFrame(
        {"x": [x / 8 for x, _ in values], "c": [c for _, c in values], "y": [x % 3 for x, _ in values]},
        schema_overrides={"y": pl.Float64},
    )
    parts = {"x": StandardScaler(), "c": OneHotEncoder(sparse_output=False), "y": "passthrough"}
    peer = ColumnTransformer([(name, parts[name], [name]) for name in order]).set_output(transform="polars")
    steps = [
        preprocessing.scale(columns="x"),
        preprocessing.one_hot("c"),
        preprocessing.stack({f"of {name}": name for name in order}),
    ]

    answer = fit(steps, rows, None, where="s").rows
    expected = peer.fit_transform(rows)

    np.testing.assert_allclose(
        answer.drop("c_unknown").to_numpy(), expected.to_numpy(), rtol=1e-12, atol=1e-12
    )
    assert answer.columns[0].partition("_")[0] == order[0]


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ({}, r"blocks is \{\}; expected the features of each block"),
        (["x"], r"blocks is \['x'\]; expected"),
        ({"a": []}, "no columns are named"),
        ({1: ["x"]}, "expected names of blocks"),
        ({"": ["x"]}, "expected names of blocks"),
    ],
)
def test_blocks_that_say_nothing_are_refused(blocks, message):
    """Where they are declared."""
    with pytest.raises(DefinitionError, match=message):
        preprocessing.stack(blocks)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([preprocessing.stack({"a": ["x"]})], "'c' is in no block"),
        ([preprocessing.stack({"a": ["x", "c"], "b": "c"})], "'c' is in the blocks 'a' and 'b'"),
        ([preprocessing.stack({"a": ["x", "d"]})], "no feature named 'd'"),
        ([preprocessing.stack({"a": ["x", "c"], "b": preprocessing.booleans()})], "selects no column"),
        (
            [preprocessing.stack({"a": ["x", "c"]}), preprocessing.one_hot("c")],
            "expected it as the last step",
        ),
        ([preprocessing.one_hot("c"), preprocessing.stack({"a": ["x", "c_a"]})], "no feature named 'c_a'"),
    ],
)
def test_blocks_that_do_not_hold_every_feature_once_are_refused(steps, message):
    """Without data, also after a step whose columns only the fitted rows decide."""
    schema = {"x": pl.Float64(), "c": pl.String()}

    with pytest.raises((DefinitionError, UnknownNameError), match=message):
        check_steps(steps, schema, where="feature service 's'")


def test_rows_that_were_not_fitted_have_the_same_blocks():
    """A category that was never seen changes no width."""
    steps = [preprocessing.one_hot("c"), preprocessing.stack({"b": "x", "a": "c"})]
    fitted = fit(steps, pl.DataFrame({"c": ["u", "v"], "x": [1.0, 2.0]}), None, where="s")

    answer = applied(pl.DataFrame({"c": ["new"], "x": [3.0]}), fitted.steps)
    assert answer.to_dict(as_series=False) == {"x": [3.0], "c_u": [0.0], "c_v": [0.0], "c_unknown": [1.0]}
