"""A sample keeps or repeats rows of train, marks what is repeated, and says what each row stands for."""

import math
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import examples

from featurestore import oversample, random_sample, systematic_sample, undersample
from featurestore.errors import ContractError, DefinitionError
from featurestore.splits.measure import SplitError, require_every_class
from featurestore.splits.resample import resample

START = datetime(2024, 1, 1, tzinfo=UTC)
KEY = ("row",)


def rows_of(labels: list, splits: list | None = None) -> pl.DataFrame:
    """Make one row for each label, the later ones first; all are in train, if no splits are given."""
    count = len(labels)
    number = pl.int_range(count, eager=True)
    return pl.DataFrame(
        {
            "row": number,
            "customer": number % 7,
            "event_timestamp": START - number * timedelta(hours=1),
            "label": labels,
            "split": splits or ["train"] * count,
        }
    )


SAMPLES = [
    random_sample(share=0.3, seed=1),
    random_sample(share=0.3, seed=1, stratify="label"),
    systematic_sample(every=3, seed=1),
    undersample(seed=1),
    oversample(seed=1),
    oversample(seed=1, shares={"a": 0.2, "b": 0.5, "c": 0.3}),
]


@pytest.mark.parametrize("strategy", SAMPLES)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["train", "test"])), max_size=40))
@examples(10)
def test_weights_add_up_to_train_and_other_splits_stay(strategy, rows):
    """The rows of train that rows stand for are all; test stays row for row; the order stays; a second run is equal."""
    labels = [*"abc", *(label for label, _ in rows)]
    before = rows_of(labels, ["train"] * 3 + [split for _, split in rows])
    after = resample(before, strategy, KEY, "label", where="x")
    train, test = after.filter(split="train"), after.filter(split="test")
    assert math.isclose(train["weight"].sum(), before.filter(split="train").height)
    assert test.drop("weight", "is_repeated").equals(before.filter(split="test"))
    assert test.select(((pl.col("weight") == 1) & ~pl.col("is_repeated")).all()).item()
    assert after["row"].is_sorted()
    assert after.filter(~pl.col("is_repeated"))["row"].is_unique().all()
    assert after.equals(resample(before, strategy, KEY, "label", where="x"))


def test_shares_are_exact():
    """A stratified sample keeps its share of each class, a systematic one every n-th row in time, a class sample its shares."""
    rows = rows_of(["a"] * 80 + ["b"] * 20)

    def counts(strategy) -> dict:
        after = resample(rows, strategy, KEY, "label", where="x")
        return dict(after.group_by("label").len().rows())

    assert counts(random_sample(share=0.25, seed=3, stratify="label")) == {"a": 20, "b": 5}
    assert sum(counts(random_sample(share=0.25, seed=3)).values()) == 25
    assert counts(undersample(seed=3)) == {"a": 20, "b": 20}
    assert counts(oversample(seed=3)) == {"a": 80, "b": 80}
    assert counts(undersample(seed=3, shares={"a": 0.75, "b": 0.25})) == {"a": 60, "b": 20}
    assert counts(oversample(seed=3, shares={"a": 2 / 3, "b": 1 / 3})) == {"a": 80, "b": 40}
    every = resample(rows, systematic_sample(every=10, seed=3), KEY, "label", where="x")["row"]
    assert set(every.diff().drop_nulls()) == {10}
    assert every.len() == 10


def test_repeats_are_spread_and_marked():
    """Each rare row is repeated equally often, give or take one; the first of its copies is not marked."""
    after = resample(rows_of(["a"] * 50 + ["b"] * 20), oversample(seed=1), KEY, "label", where="x")
    copies = (
        after.filter(label="b").group_by("row").agg(pl.len(), pl.col("is_repeated").sum(), pl.first("weight"))
    )
    assert set(copies["len"]) == {2, 3}
    assert (copies["len"] - copies["is_repeated"]).unique().to_list() == [1]
    assert copies["weight"].unique().to_list() == [0.4]
    assert not after.filter(label="a")["is_repeated"].any()


def test_clusters_stay_together():
    """A cluster sample keeps all rows of a customer or none, those without a customer included."""
    rows = rows_of(["a"] * 35).with_columns(customer=pl.col("customer").replace(3, None))
    kept = resample(rows, random_sample(share=3 / 7, seed=1, by="customer"), KEY, "label", where="x")
    assert kept["customer"].n_unique() == 3
    assert kept.height == 15
    assert kept["weight"].unique().to_list() == [7 / 3]


def test_another_seed_keeps_other_rows():
    """The seed decides which rows stay."""
    rows = rows_of(["a"] * 40)
    for strategy in (random_sample, systematic_sample):
        size = {"share": 0.2} if strategy is random_sample else {"every": 5}
        kept = {
            tuple(resample(rows, strategy(seed=n, **size), KEY, "label", where="x")["row"]) for n in range(5)
        }
        assert len(kept) > 1


def test_without_a_split_every_row_is_of_train():
    """A training set without a split is sampled as a whole."""
    rows = rows_of(["a"] * 10).drop("split")
    assert resample(rows, random_sample(share=0.5, seed=1), KEY, "label", where="x").height == 5


def test_shares_that_do_not_fit_the_classes():
    """A class without a share, and a share without a class, are named."""
    rows = rows_of([True, False, None])
    with pytest.raises(ContractError, match="1 class without a share: None; 1 class without rows: maybe"):
        resample(
            rows, undersample(seed=1, shares={True: 0.5, False: 0.3, "maybe": 0.2}), KEY, "label", where="x"
        )


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: random_sample(share=0, seed=1), "share is 0"),
        (lambda: random_sample(share=1.1, seed=1), "share is 1.1"),
        (lambda: random_sample(share=float("nan"), seed=1), "share is nan"),
        (lambda: random_sample(share=0.1, seed=None), "seed is None"),
        (lambda: random_sample(share=0.1, seed=1, by="a", stratify="b"), "by and stratify"),
        (lambda: systematic_sample(every=0, seed=1), "every is 0"),
        (lambda: systematic_sample(every=2.5, seed=1), r"every is 2\.5"),
        (lambda: undersample(seed=1, shares={True: 0.5, False: 0.6}), r"add up to 1\.1; expected 1"),
        (lambda: undersample(seed=1, shares={True: 0.3, False: 0.70001}), r"add up to 1\.00001; expected 1"),
        (lambda: oversample(seed=1, shares={True: float("inf"), False: 0.5}), "class True is inf; expected"),
        (lambda: oversample(seed=1, shares={True: -0.5, False: 1.5}), r"class True is -0\.5; expected"),
        (lambda: oversample(seed=1, shares={True: 10**400, False: 0.5}), "at most 1"),
        (lambda: undersample(seed=1, shares={True: 0.5, False: -0.5}), "class False is -0.5"),
        (lambda: oversample(seed=1, shares={True: float("nan")}), "class True is nan"),
        (
            lambda: undersample(seed=1, shares=[0.5, 0.5]),
            r"shares is \[0\.5, 0\.5\]; expected a share for each class",
        ),
        (lambda: oversample(seed=1, shares={}), r"shares is \{\}; expected a share for each class"),
        (lambda: oversample(seed=1, shares={1: 0.5, "1": 0.5}), "two of its classes have the same text"),
        (lambda: random_sample(share=0.5, seed=1, by=[]), "by: no columns are named"),
    ],
)
def test_a_sample_that_cannot_be(declare, message):
    """Shares, seeds and steps that say nothing are refused where they are declared."""
    with pytest.raises(DefinitionError, match=message):
        declare()


def test_a_class_of_several_that_the_sample_lacks_is_named():
    """A row may have several classes; each of train must be in a row of its sample."""
    label = pl.Series("tags", [["red"], ["red", "blue"], [], None])
    require_every_class(label, label.head(2), where="x")
    with pytest.raises(
        SplitError, match=r"x: the sample of train lacks 1 value of 'tags': blue; it has 1 of 4 rows"
    ):
        require_every_class(label, label.head(1), where="x")
