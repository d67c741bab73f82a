"""A data card says in sentences how rows were split and sampled."""

import pytest

from featurestore import oversample, random_sample, random_split, systematic_sample, time_split, undersample
from featurestore.operations.card.strategy_texts import sample_text, split_text


@pytest.mark.parametrize(
    ("strategy", "text"),
    [
        (
            random_split(validation=0.1, test=0.25, seed=3),
            "By chance, with seed 3: train 65.0%, validation 10.0%, test 25.0%. Rows with equal order are in one split.",
        ),
        (
            random_split(test=0.2, seed=1, by="customer", stratify=["bought", "country"]),
            (
                "By chance, with seed 1: train 80.0%, test 20.0%. Rows with equal customer are in one split. "
                "Every split has each value of bought and country."
            ),
        ),
        (
            time_split(validation_from="2024-03-01T00:00:00Z", test_from="2024-04-01T00:00:00Z", gap="6h"),
            (
                "By time: validation from 2024-03-01T00:00:00+00:00, test from 2024-04-01T00:00:00+00:00. "
                "Rows of the last 6 hours before a split are left out."
            ),
        ),
        (time_split(test_from="2024-04-01T00:00:00Z"), "By time: test from 2024-04-01T00:00:00+00:00."),
    ],
)
def test_a_split(strategy, text):
    """Shares, seed, groups and strata; or timestamps and the gap."""
    assert split_text(strategy, ("order",)) == text


@pytest.mark.parametrize(
    ("strategy", "text"),
    [
        (random_sample(share=0.3, seed=1), "By chance, with seed 1: 30.0% of the rows."),
        (
            random_sample(share=0.3, seed=1, stratify="bought"),
            "By chance, with seed 1: 30.0% of the rows of each value of bought.",
        ),
        (
            random_sample(share=0.3, seed=1, by="customer"),
            "By chance, with seed 1: 30.0% of the rows. Rows with equal customer stay together.",
        ),
        (systematic_sample(every=1_500, seed=2), "Every 1,500th row in the order of time, with seed 2."),
        (oversample(seed=1), "By class, with seed 1: rows of rare classes are repeated, to equal shares."),
        (
            undersample(seed=1, shares={True: 0.3, False: 0.7}),
            "By class, with seed 1: rows of frequent classes are left out, to True 30.0%, False 70.0% shares.",
        ),
    ],
)
def test_a_sample(strategy, text):
    """Which rows of train are kept or repeated."""
    assert sample_text(strategy, is_personal=False) == text


def test_classes_of_a_personal_label_are_not_shown():
    """Their shares were declared; the card does not repeat them."""
    assert "True" not in sample_text(undersample(seed=1, shares={True: 0.3, False: 0.7}), is_personal=True)
