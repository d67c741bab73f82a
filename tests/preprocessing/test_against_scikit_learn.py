"""Each step computes what the transformer of its name in scikit-learn computes, within one unit in the last place.

The columns hold multiples of an eighth in a number that is a power of two: then the sums of scikit-learn are exact too. On
other columns its sums depend on the order of the rows, and ours do not: see `test_statistics`.
"""

import warnings

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import (
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from featurestore import preprocessing
from featurestore.preprocessing.fit import apply, fit
from tests.laws import examples

# LAW_DEPTH=200: 1,000 columns of each kind.
COLUMNS = 5
ROWS = 32
EIGHTHS = st.integers(-(2**20), 2**20).map(lambda number: number / 8)
NUMBERS = st.lists(EIGHTHS, min_size=ROWS, max_size=ROWS)
GAPS = st.lists(st.none() | EIGHTHS, min_size=ROWS, max_size=ROWS).filter(
    lambda values: any(v is not None for v in values)
)
WORDS = st.text("abcdeé", min_size=1, max_size=2)
CATEGORIES = st.lists(WORDS, min_size=ROWS, max_size=ROWS)
TEXTS = st.lists(
    st.lists(st.sampled_from(["red", "Green", "blue", "x", "été"]), max_size=6).map(" ".join),
    min_size=ROWS,
    max_size=ROWS,
)


def fitted(step, values, label=None, dtype=None):
    """Fit a step to a column `x`, and apply it to the same rows."""
    rows = pl.DataFrame({"x": pl.Series(values, dtype=dtype)})
    steps = fit([step], rows, None if label is None else pl.Series(label), where="service").steps
    return apply(rows.lazy(), steps).collect()


def column(values):
    """Return values as the matrix of one column that scikit-learn takes; None is NaN."""
    return np.array([np.nan if value is None else value for value in values], dtype=float).reshape(-1, 1)


def assert_within_one_ulp(actual, expected):
    """Compare floats; NaN equals null."""
    actual = np.array([np.nan if value is None else value for value in actual])
    expected = np.asarray(expected, dtype=float).ravel()
    np.testing.assert_array_equal(np.isnan(actual), np.isnan(expected))
    known = ~np.isnan(expected)
    distance = np.abs(actual[known] - expected[known])
    limit = np.spacing(np.maximum(np.abs(actual[known]), np.abs(expected[known])))
    assert (distance <= limit).all(), (actual, expected)


@examples(COLUMNS)
@given(GAPS, st.sampled_from(["mean", "median", "most_frequent"]))
def test_impute(values, strategy):
    """Means, medians and most frequent values."""
    known = [value for value in values if value is not None]
    values = values + known[: 1 if len(known) % 2 else 0]
    expected = SimpleImputer(strategy=strategy, add_indicator=True).fit_transform(column(values))

    actual = fitted(preprocessing.impute(strategy, columns="x", indicator=True), values, dtype=pl.Float64)

    assert_within_one_ulp(actual["x"], expected[:, 0])
    if None in values:
        assert_within_one_ulp(actual["missingindicator_x"], expected[:, 1])


@examples(COLUMNS)
@given(NUMBERS, st.sampled_from(["standard", "min_max", "robust"]))
def test_scale(values, method):
    """The three scalers, also of columns whose values do not differ."""
    scaler = {"standard": StandardScaler, "min_max": MinMaxScaler, "robust": RobustScaler}[method]()

    actual = fitted(preprocessing.scale(method, columns="x"), values)

    assert_within_one_ulp(actual["x"], scaler.fit_transform(column(values)))


@examples(COLUMNS)
@given(
    NUMBERS.filter(lambda values: len(set(values)) > 1),
    st.integers(2, 6),
    st.sampled_from(["uniform", "quantile"]),
)
def test_discretize(values, bins, strategy):
    """Bins of one width, and bins of about as many rows each."""
    method = {"quantile_method": "linear"} if strategy == "quantile" else {}
    peer = KBinsDiscretizer(bins, encode="ordinal", strategy=strategy, subsample=None, **method)

    actual = fitted(preprocessing.discretize(strategy, columns="x", bins=bins), values)

    # Of edges that coincide scikit-learn keeps one too, and warns.
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        assert_within_one_ulp(actual["x"], peer.fit_transform(column(values)))


@examples(COLUMNS)
@given(st.lists(EIGHTHS, min_size=ROWS, max_size=ROWS, unique=True), st.integers(2, 5))
def test_discretize_by_clusters(values, bins):
    """Edges halfway between the centers that k-means finds."""
    peer = KBinsDiscretizer(bins, encode="ordinal", strategy="kmeans", subsample=None)

    actual = fitted(preprocessing.discretize("kmeans", columns="x", bins=bins), values)

    assert_within_one_ulp(
        actual["x"], peer.fit_transform(np.sort(column(values), axis=0))[np.argsort(np.argsort(values))]
    )


@examples(COLUMNS)
@given(CATEGORIES, CATEGORIES)
def test_one_hot(values, served):
    """A column for each category in sorted order; a category that was never seen has none of them."""
    rows, others = pl.DataFrame({"x": values}), pl.DataFrame({"x": served})
    peer = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(rows.to_numpy())

    steps = fit([preprocessing.one_hot("x")], rows, None, where="service").steps
    actual = apply(others.lazy(), steps).collect()

    assert actual.columns == [*peer.get_feature_names_out(["x"]), "x_unknown"]
    np.testing.assert_array_equal(actual.drop("x_unknown").to_numpy(), peer.transform(others.to_numpy()))
    assert (actual.sum_horizontal() == 1).all()


@examples(COLUMNS)
@given(CATEGORIES, CATEGORIES)
def test_ordinal(values, served):
    """The position in sorted order, and -1."""
    rows, others = pl.DataFrame({"x": values}), pl.DataFrame({"x": served})
    peer = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1).fit(rows.to_numpy())

    steps = fit([preprocessing.ordinal("x")], rows, None, where="service").steps

    assert_within_one_ulp(apply(others.lazy(), steps).collect()["x"], peer.transform(others.to_numpy()))


@examples(COLUMNS)
@given(st.lists(st.tuples(WORDS, st.booleans()), min_size=ROWS, max_size=ROWS), CATEGORIES)
def test_target(pairs, served):
    """The smoothed mean label of a category; that of all rows for one that was never seen."""
    values, label = map(list, zip(*pairs, strict=True))
    label[:2] = [False, True]
    rows, others = pl.DataFrame({"x": values}), pl.DataFrame({"x": served})
    peer = TargetEncoder(smooth=8.0, target_type="binary").fit(rows.to_numpy(), label)

    steps = fit([preprocessing.target("x", smooth=8.0)], rows, pl.Series(label), where="service").steps

    assert_within_one_ulp(apply(others.lazy(), steps).collect()["x"], peer.transform(others.to_numpy()))


@examples(COLUMNS)
@given(TEXTS.filter(lambda texts: any(len(word) > 1 for text in texts for word in text.split())))
def test_words(texts):
    """Counts are equal; weights differ in the last digits, because the squares are added in another order."""
    counts, weights = CountVectorizer(), TfidfVectorizer()
    expected = counts.fit_transform(texts).toarray()
    names = [f"x_{word}" for word in counts.get_feature_names_out()]

    actual = fitted(preprocessing.bag_of_words("x", min_frequency=1), texts)
    weighted = fitted(preprocessing.tf_idf("x", min_frequency=1), texts)

    assert actual.columns == weighted.columns == names
    np.testing.assert_array_equal(actual.to_numpy(), expected)
    np.testing.assert_allclose(weighted.to_numpy(), weights.fit_transform(texts).toarray(), rtol=1e-15)
