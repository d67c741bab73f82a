"""A label that names several classes of a row: a column of lists, read as a matrix of pinned classes."""

import shutil

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.multioutput import MultiOutputClassifier
from sklearn.preprocessing import MultiLabelBinarizer
from sklearn.tree import DecisionTreeClassifier

import featurestore
from featurestore import random_sample, random_split, undersample
from featurestore.errors import ContractError, DefinitionError
from featurestore.labels.classes import combinations, multi_hot, pinned_classes
from featurestore.operations.check_leaks.labels import label_leaks
from featurestore.operations.training_set.split_rows import label_counts
from featurestore.splits.check import sample_of
from featurestore.splits.measure import SplitError, require_every_split
from featurestore.splits.resample import class_counts, resample
from tests.laws import examples

LISTS = pl.List(pl.String)
LABEL = (
    'bought=pl.when(pl.col("amount") > 9).then(pl.lit(["large", "coupon"])).when(pl.col("customer") == 3)'
    '.then(pl.lit(["late"])).otherwise(pl.lit([], dtype=pl.List(pl.String)))'
)


def declared(root, label=LABEL, dtype="pl.List(pl.String)"):
    """Let the visits of a shop have several classes each."""
    schemas, views = root / "schemas/shop.py", root / "feature_repo/shop.py"
    schemas.write_text(
        schemas.read_text().replace(
            "bought: pl.Boolean = pa.Field(", f"bought: {dtype} = pa.Field(nullable=True, "
        )
    )
    views.write_text(views.read_text().replace("bought=pl.lit(True)", label))
    return root


@pytest.fixture(scope="module")
def project(template_shop, tmp_path_factory):
    root = declared(shutil.copytree(template_shop, tmp_path_factory.mktemp("labels") / "shop"))
    project = featurestore.open(root)
    project.materialize()
    project.training_set("visits")
    return project


def test_the_manifest_pins_the_classes(project):
    """In their own order, with the rows of each; a row may have none."""
    manifest = project.training_manifest("visits")

    assert manifest.classes == ("coupon", "large", "late")
    assert manifest.labels == {"coupon": 2, "large": 2, "late": 2}
    assert manifest.rows == 5


def test_the_label_is_read_as_a_matrix(project):
    """In arrays and batches, with the names of its columns; frames keep the lists."""
    data = project.read_training_set("visits", features=["amount", "ratio"])
    arrays = data.numpy()
    batch = next(data.batches(2))

    assert arrays.classes == batch.classes == data.classes == ("coupon", "large", "late")
    assert arrays.y.dtype == np.uint8
    assert arrays.y.sum(axis=0).tolist() == [2, 2, 2]
    assert batch.y.shape == (2, 3)
    assert data.polars().schema["bought"] == LISTS
    model = MultiOutputClassifier(DecisionTreeClassifier()).fit(np.nan_to_num(arrays.X), arrays.y)
    assert model.predict(np.nan_to_num(arrays.X)).shape == arrays.y.shape


def test_every_proof_takes_several_classes(project):
    """The audit, the proof for leaks and the scorecard read the training set."""
    scorecard = project.quality.scorecard("visits")

    assert project.audit().mismatches == 0
    assert project.check_leaks(["visits"]).training_sets[0].leaks == ()
    assert scorecard.rows == 5


def test_rows_are_sampled_by_combination():
    """A random sample keeps a row of each combination of classes, if it stratifies by the label."""
    rows = pl.DataFrame(
        {"k": range(40), "label": [["a"], ["a", "b"], [], ["b"]] * 10}, schema_overrides={"label": LISTS}
    )
    sampled = resample(rows, random_sample(share=0.1, seed=1, stratify="label"), ["k"], "label", where="s")

    assert sampled.height == 4
    assert sampled["label"].n_unique() == 4
    assert class_counts(rows["label"]) == {"a": 20, "b": 20}


CLASSES = st.lists(st.sampled_from(["a", "b", "é", ""]), max_size=4)


@examples(20)
@given(st.lists(CLASSES, min_size=1, max_size=9).filter(any))
def test_the_matrix_is_that_of_scikit_learn(rows):
    """Classes in sorted order; a class that a row names twice counts once."""
    label = pl.Series("label", rows, dtype=LISTS)
    peer = MultiLabelBinarizer()
    expected = peer.fit_transform(rows)

    classes = pinned_classes(
        label, pl.repeat(value=True, n=len(rows), dtype=pl.Boolean, eager=True), where="s"
    )

    assert list(classes) == list(peer.classes_)
    np.testing.assert_array_equal(multi_hot(label, classes, where="s"), expected)
    assert label_counts(label) == dict(zip(classes, expected.sum(axis=0).tolist(), strict=True))


def test_a_combination_is_the_same_in_any_order():
    """With each class once; a row without a label has none."""
    label = pl.Series([["b", "a", "b"], ["a", "b"], [], None], dtype=LISTS)

    assert combinations(label).to_list() == ["['a', 'b']", "['a', 'b']", "[]", None]
    assert combinations(pl.Series([1, 2])).to_list() == [1, 2]


ROWS = pl.DataFrame(
    {
        "split": ["train", "train", "train", "test", "test", "test"],
        "label": [["a", "b"], ["a"], ["b"], ["b"], ["a"], None],
    }
)


def test_every_split_has_every_class():
    """A class that one split lacks is named; combinations count only where they are declared to stratify by."""
    split = (random_split(test=0.5, seed=1),)
    require_every_split(ROWS, split, "label", where="s")
    with pytest.raises(SplitError, match="split 'train' lacks 1 value of 'label': c;") as refused:
        require_every_split(
            ROWS.with_columns(label=pl.col("label").fill_null(["c"])), split, "label", where="s"
        )
    assert refused.value.missing == ("c",)

    stratified = (random_split(test=0.5, seed=1, stratify="label"),)
    with pytest.raises(SplitError, match=r"split 'test' lacks 1 value of 'label': \['a', 'b'\]"):
        require_every_split(ROWS.drop_nulls(), stratified, "label", where="s")
    with pytest.raises(SplitError, match=r"of 'label': \(personal\)"):
        require_every_split(ROWS.drop_nulls(), stratified, "label", where="s", personal=["label"])


def test_a_sample_by_class_is_refused():
    """A row of two classes would be drawn for both."""
    with pytest.raises(DefinitionError, match=r"(?s)no classes to sample by.*a row has several classes"):
        sample_of(
            "s", undersample(seed=1), schema={"label": LISTS, "k": pl.Int64()}, identity=["k"], label="label"
        )


@pytest.mark.parametrize(
    ("values", "train", "message"),
    [
        ([[], ["a"], None], [True, False, True], "no row of train has a class in 'label'"),
        ([["a"], ["a", None]], [True, False], "1 row with a null among the classes"),
    ],
)
def test_a_label_without_classes_is_refused(values, train, message):
    """Before a training set is written; a null also in a row of another split."""
    with pytest.raises(ContractError, match=f"training set 's': {message}"):
        pinned_classes(pl.Series("label", values, dtype=LISTS), pl.Series(train), where="training set 's'")


def test_a_row_without_a_label_has_no_row_in_the_matrix():
    """An empty list says that a row has no class; a null says nothing."""
    with pytest.raises(ContractError, match="1 row without a label"):
        multi_hot(pl.Series([["a"], None], dtype=LISTS), ("a",), where="s")


def test_a_list_of_quantities_is_no_label(shop_files):
    """Refused where the training set is declared."""
    root = declared(shop_files, "bought=pl.concat_list(pl.lit(0.5))", "pl.List(pl.Float64)")

    with pytest.raises(
        DefinitionError, match=r"the label 'bought' is List\(Float64\); expected a number, a class, or a list"
    ):
        featurestore.open(root).check()


def test_a_feature_that_tells_one_class_is_a_leak(project):
    """Although it says nothing about the others."""
    training = project.catalog.training_set("visits")
    generator = np.random.default_rng(1)
    amount = generator.normal(size=400)
    chance = generator.random(400) < 0.5
    rows = pl.read_parquet(project.layout.training("visits")).head(1)
    rows = pl.concat([rows] * 400).with_columns(
        amount=pl.Series(amount, dtype=pl.Float32),
        bought=pl.Series(
            [["x"] * bool(a > 0) + ["y"] * bool(o) for a, o in zip(amount, chance, strict=True)], dtype=LISTS
        ),
    )

    leaks = [leak for leak in label_leaks(rows, training) if leak.kind == "predicts_label"]
    assert [leak.column for leak in leaks] == ["amount"]
