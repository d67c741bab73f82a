"""Each step computes what the transformer of its name in scikit-learn computes, within one unit in the last place."""

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
    MultiLabelBinarizer,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from featurestore import preprocessing
from tests.laws import examples
from tests.preprocessing.generated_columns import (
    CATEGORIES,
    COLUMNS,
    GAPS,
    NUMBERS,
    WORDS,
    applied,
    assert_within_one_ulp,
    column,
    columns_of,
    fitted,
    state_of,
)

TEXTS = columns_of(st.lists(st.sampled_from(["red", "Green", "blue", "x", "été"]), max_size=6).map(" ".join))


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
@given(NUMBERS, NUMBERS, st.integers(2, 6), st.sampled_from(["uniform", "quantile"]))
def test_discretize(values, served, bins, strategy):
    """Bins of one width, and bins of about as many rows each."""
    method = {"quantile_method": "linear"} if strategy == "quantile" else {}
    peer = KBinsDiscretizer(bins, encode="ordinal", strategy=strategy, subsample=None, **method)

    actual = fitted(preprocessing.discretize(strategy, columns="x", bins=bins), values, served)

    # Of edges that coincide scikit-learn keeps one too, and warns.
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        assert_within_one_ulp(actual["x"], peer.fit(column(values)).transform(column(served)))


@examples(COLUMNS)
@given(NUMBERS.filter(lambda values: len(set(values)) > 6), NUMBERS, st.integers(2, 6))
def test_discretize_by_clusters(values, served, bins):
    """Edges halfway between the centers that k-means finds in sorted numbers; where it looks first depends on their order."""
    peer = KBinsDiscretizer(bins, encode="ordinal", strategy="kmeans", subsample=None)
    peer.fit(column(sorted(values)))

    state = state_of(preprocessing.discretize("kmeans", columns="x", bins=bins), values)

    assert_within_one_ulp(state.edges, peer.bin_edges_[0])
    assert_within_one_ulp(applied(state, served)["x"], peer.transform(column(served)))


def test_few_different_numbers_have_a_bin_each():
    """k-means has no other clusters for at most `bins` different numbers; scikit-learn makes bins without rows there."""
    step = preprocessing.discretize("kmeans", columns="x", bins=5)

    assert fitted(step, [9.0, 1.0, 2.0, 1.0, 9.0, 4.0])["x"].to_list() == [3.0, 0.0, 1.0, 0.0, 3.0, 2.0]


@examples(COLUMNS)
@given(CATEGORIES, CATEGORIES)
def test_one_hot(values, served):
    """A column for each category in sorted order; a category that was never seen has none of them."""
    peer = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(_texts(values))

    actual = fitted(preprocessing.one_hot("x"), values, served)

    assert actual.columns == [*peer.get_feature_names_out(["x"]), "x_unknown"]
    np.testing.assert_array_equal(actual.drop("x_unknown").to_numpy(), peer.transform(_texts(served)))
    assert (actual.sum_horizontal() == 1).all()


@examples(COLUMNS)
@given(*[columns_of(st.lists(WORDS, max_size=4))] * 2)
def test_multi_hot(values, served):
    """A column for each category of a list, and one for those that were never seen."""
    peer = MultiLabelBinarizer().fit([*values, ["a"]])

    actual = fitted(preprocessing.multi_hot("x"), [*values, ["a"]], served, dtype=pl.List(pl.String()))

    assert actual.columns == [*(f"x_{name}" for name in peer.classes_), "x_unknown"]
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # of classes that it does not know
        np.testing.assert_array_equal(actual.drop("x_unknown").to_numpy(), peer.transform(served))
    others = [float(not set(row) <= set(peer.classes_)) for row in served]
    assert actual["x_unknown"].to_list() == others


@examples(COLUMNS)
@given(CATEGORIES, CATEGORIES, st.randoms(use_true_random=False) | st.none())
def test_ordinal(values, served, random):
    """The position in sorted order or in one that is declared, and -1."""
    order = sorted(set(values))
    if random is not None:
        random.shuffle(order)
    peer = OrdinalEncoder(categories=[order], handle_unknown="use_encoded_value", unknown_value=-1)

    actual = fitted(preprocessing.ordinal("x", categories=random and order), values, served)

    assert_within_one_ulp(actual["x"], peer.fit(_texts(values)).transform(_texts(served)))


@examples(COLUMNS)
@given(columns_of(st.tuples(WORDS, st.booleans())), CATEGORIES)
def test_target(pairs, served):
    """The smoothed mean label of a category; that of all rows for one that was never seen."""
    values, label = map(list, zip(*pairs, strict=True))
    label[:2] = [False, True]
    peer = TargetEncoder(smooth=8.0, target_type="binary").fit(_texts(values), label)

    actual = fitted(preprocessing.target("x", smooth=8.0), values, served, label)

    assert_within_one_ulp(actual["x"], peer.transform(_texts(served)))


@examples(COLUMNS)
@given(columns_of(st.tuples(WORDS, st.sampled_from(["no", "maybe", "yes"]))), CATEGORIES)
def test_target_of_classes(pairs, served):
    """A column for each class of a label of three, in sorted order."""
    values, label = map(list, zip(*pairs, strict=True))
    label[:3] = ["no", "maybe", "yes"]
    peer = TargetEncoder(smooth=8.0, target_type="multiclass").fit(_texts(values), label)

    actual = fitted(preprocessing.target("x", smooth=8.0), values, served, label)

    assert actual.columns == [f"x_{name}" for name in peer.classes_]
    assert_within_one_ulp(actual.to_numpy(), peer.transform(_texts(served)))


@examples(COLUMNS)
@given(TEXTS.filter(lambda texts: any(len(word) > 1 for text in texts for word in text.split())))
def test_words(texts):
    """Counts and weights; scikit-learn adds up squares in the order in which it first saw the words, unless they are named."""
    counts = CountVectorizer()
    expected = counts.fit_transform(texts).toarray()
    words = counts.get_feature_names_out()

    actual = fitted(preprocessing.bag_of_words("x", min_frequency=1), texts)
    weighted = fitted(preprocessing.tf_idf("x", min_frequency=1), texts)

    assert actual.columns == weighted.columns == [f"x_{word}" for word in words]
    np.testing.assert_array_equal(actual.to_numpy(), expected)
    weights = TfidfVectorizer(vocabulary=words).fit_transform(texts).toarray()
    assert_within_one_ulp(weighted.to_numpy(), weights)


def _texts(values):
    return np.array(values, dtype=object).reshape(-1, 1)
