"""Measures of a single feature agree with scikit-learn, and say nothing about chance."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score, roc_auc_score

from featurestore.quality.feature_scores import (
    auc,
    codes_of,
    information,
    label_codes,
    rare_categories,
    rare_words,
    redundant_pairs,
)
from tests.laws import examples

ROWS = 600
RANDOM = np.random.default_rng(3)
CHANCE = pl.Series(RANDOM.normal(size=ROWS))
LABEL = pl.Series(RANDOM.random(ROWS) < 0.4)
TELLING = pl.Series(RANDOM.normal(size=ROWS)) + LABEL.cast(pl.Float64) * 2
GROUP = pl.Series(RANDOM.integers(0, 8, ROWS)).cast(pl.String)


@examples(20)
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=2, max_size=60))
def test_information_is_that_of_scikit_learn_less_chance(rows):
    """Bits are nats over the logarithm of 2, less the correction of Miller and Madow."""
    feature, label = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    degrees = (len(set(feature)) - 1) * (len(set(label)) - 1)
    expected = max(mutual_info_score(feature, label) - degrees / (2 * len(rows)), 0) / np.log(2)

    assert information(feature, label).bits == pytest.approx(expected, abs=1e-12)


@examples(20)
@given(st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=2, max_size=60))
def test_auc_is_that_of_scikit_learn(rows):
    """Ties count half; the better direction counts."""
    values, positive = zip(*rows, strict=True)
    if len(set(positive)) == 1:
        assert auc(pl.Series(values), pl.Series(positive)) is None
        return
    area = roc_auc_score(positive, values)
    assert auc(pl.Series(values), pl.Series(positive)) == pytest.approx(max(area, 1 - area))


def test_chance_is_told_from_information():
    """A feature that was drawn without the label tells nothing; one that was drawn with it does."""
    label = label_codes(LABEL)

    assert information(codes_of(CHANCE), label).is_chance
    assert information(codes_of(GROUP), label).is_chance
    assert not information(codes_of(TELLING), label).is_chance
    assert information(codes_of(TELLING), label).share > 0.2


def test_missing_values_tell_too():
    """A feature that is null for one class has all there is to know in its nulls."""
    feature = CHANCE.set(LABEL, None)

    assert information(codes_of(feature), label_codes(LABEL)).share > 0.9


def test_features_that_say_the_same_are_pairs():
    """A monotone function of a number, and a renaming of categories."""
    features = {
        "telling": TELLING,
        "cubed": TELLING**3,
        "other": CHANCE,
        "group": GROUP,
        "renamed": GROUP.str.replace("", "x"),
    }

    assert list(redundant_pairs(features)) == [("telling", "cubed"), ("group", "renamed")]


def test_rare_categories_are_counted():
    """Fewer than 10 rows."""
    assert rare_categories(pl.Series(["a"] * 10 + ["b"] * 9 + ["c", None])) == 2


def test_rare_words_are_counted():
    """Words of fewer than 10 rows; a row counts once for a word that it repeats."""
    assert rare_words(pl.Series(["red wine"] * 9 + ["Red red", None, ""])) == 1
