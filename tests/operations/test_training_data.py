"""A training set is read as frames, arrays and batches, all of the same rows."""

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import featurestore
from featurestore.errors import (
    ConfigError,
    ContractError,
    FeatureStoreError,
    MissingPackageError,
    SkewError,
    UnknownNameError,
)
from featurestore.operations.training_set.data import TrainingData
from featurestore.storage.files import ROW_GROUP_ROWS, write_parquet


@pytest.fixture(scope="module")
def visits(shared_shop):
    """The training set of the shop: five rows, with numbers, text and times as features."""
    shared_shop.training_set("visits")
    return shared_shop


def data_of(folder: Path, rows: pl.DataFrame, **options) -> TrainingData:
    """Write a training set of some rows, and open it."""
    path = folder / "rows.parquet"
    write_parquet(rows, path)
    splits = ("train", "test") if "split" in rows else ()
    return TrainingData(
        **{"name": "x", "path": path, "features": ("a",), "label": "y", "splits": splits} | options
    )


def test_frames_hold_the_rows_of_the_file(visits):
    """Polars, Arrow and pandas hold the same rows, with all columns."""
    data = visits.read_training_set("visits")
    rows = visits.read("visits")
    assert data.features == ("amount", "coupon", "ordered_at", "ratio")
    assert data.polars().equals(rows)
    assert pl.DataFrame(data.arrow()).equals(rows)
    assert pl.DataFrame(data.pandas())["amount"].equals(rows["amount"])


def test_arrays_have_the_features_in_their_order(visits):
    """A missing value is NaN, and the label keeps its dtype."""
    data = visits.read_training_set("visits", features=["ratio", "amount"])
    arrays = data.numpy()
    expected = visits.read("visits").select("ratio", "amount").cast(pl.Float64).to_numpy()
    assert np.array_equal(arrays.X, expected, equal_nan=True)
    assert arrays.names == ("ratio", "amount")
    assert arrays.y.dtype == bool
    assert (arrays.split, arrays.weight) == (None, None)
    arrays.X[0], arrays.y[0] = 0, False


def test_values_that_are_not_numbers(visits, tmp_path):
    """Text and times are named, a feature of no service is corrected, and large integers are refused."""
    with pytest.raises(
        ContractError, match=r"but coupon \(String\), ordered_at \(Datetime.* hold other values"
    ):
        visits.read_training_set("visits").numpy()
    with pytest.raises(UnknownNameError, match="did you mean 'amount'"):
        visits.read_training_set("visits", features=["amuont"])
    rows = pl.DataFrame({"a": [1, 2**53 + 1], "y": [0, 1]})
    with pytest.raises(ContractError, match="'a' holds integers that a float cannot hold"):
        data_of(tmp_path, rows).numpy()


def test_splits_and_weights_come_along(tmp_path):
    """A split has its rows; the arrays name split and weight of each row."""
    rows = pl.DataFrame(
        {
            "a": [1.0, None, 3.0],
            "y": ["u", "v", "u"],
            "split": ["train", "test", "train"],
            "weight": [2.0, 1.0, 0.5],
        }
    )
    data = data_of(tmp_path, rows)
    train = data.numpy("train")
    assert train.X.tolist() == [[1.0], [3.0]]
    assert train.y.tolist() == ["u", "u"]
    assert data.numpy().split.tolist() == ["train", "test", "train"]
    assert train.weight.tolist() == [2.0, 0.5]
    with pytest.raises(UnknownNameError, match=r"no split named 'tset' in training set 'x'.*\n.*'test'"):
        data.polars("tset")


@pytest.mark.parametrize("seed", [None, 7])
def test_batches_give_each_row_once(tmp_path, seed):
    """Over several row groups and pools, each row of the split comes once, in batches of the size; a seed shuffles them."""
    height = 5 * ROW_GROUP_ROWS + 3
    rows = pl.select(a=pl.int_range(height)).with_columns(
        y=pl.col("a") % 2, split=pl.when(pl.col("a") % 3 == 0).then(pl.lit("test")).otherwise(pl.lit("train"))
    )
    data = data_of(tmp_path, rows)
    size = 100_000
    batches = list(data.batches(size, "train", seed=seed))
    numbers = np.concatenate([batch.X[:, 0] for batch in batches]).astype(int)
    expected = rows.filter(split="train")["a"].to_numpy()
    assert {len(batch.y) for batch in batches[:-1]} == {size}
    assert len(numbers) == len(expected)
    assert all((batch.X[:, 0] % 2 == batch.y).all() for batch in batches)
    if seed is None:
        assert np.array_equal(numbers, expected)
    else:
        assert np.array_equal(np.sort(numbers), expected)
        # Rows of a pool are mixed: the first batch holds rows of several row groups.
        assert len(set(batches[0].X[:, 0] // ROW_GROUP_ROWS)) > 2
        again = next(data.batches(size, "train", seed=seed))
        assert np.array_equal(again.X, batches[0].X)
        assert not np.array_equal(next(data.batches(size, "train", seed=8)).X, batches[0].X)


def test_a_batch_has_rows(tmp_path):
    """A size below 1 and an unknown split are refused before the first batch; an empty set has no batch."""
    data = data_of(tmp_path, pl.DataFrame({"a": [1], "y": [1]})[:0])
    with pytest.raises(ConfigError, match="size is 0"):
        data.batches(0)
    with pytest.raises(ConfigError, match=r"size is 2\.5; expected an integer of 1 or more"):
        data.batches(2.5)
    with pytest.raises(ConfigError, match="seed is 'a'; expected an integer"):
        data.batches(2, seed="a")
    with pytest.raises(UnknownNameError, match="no split named 'train'"):
        data.batches(1, "train")
    assert list(data.batches(10)) == []


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([], "features: no features are named"),
        (["amount", "amount"], "features: 'amount' is named twice"),
        ([1], r"features is \[1\] \(list\); expected names as text"),
        (5, r"features is 5 \(int\); expected names as text"),
    ],
)
def test_features_to_read_are_a_list_of_names(visits, features, message):
    """A model with no features, or with one twice, is a slip. A single name is a list of one."""
    assert visits.read_training_set("visits", features="amount").features == ("amount",)
    with pytest.raises(FeatureStoreError, match=message):
        visits.read_training_set("visits", features=features)


def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch):
    """Tensors and transformers name the extra to install."""
    data = data_of(tmp_path, pl.DataFrame({"a": [1], "y": [1]}))
    for name in ("torch", "sklearn", "sklearn.base", "featurestore.adapters.sklearn"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingPackageError, match=r"pip install 'featurestore\[torch\]'"):
        data.tensors(1)
    with pytest.raises(MissingPackageError, match=r"pip install 'featurestore\[sklearn\]'"):
        data.transformer()


def test_a_transformer_is_the_first_step_of_a_pipeline(visits):
    """It takes frames with more columns in any order, in a copy and after pickling, and names its features."""
    base = pytest.importorskip("sklearn.base")
    pipeline = pytest.importorskip("sklearn.pipeline")
    dummy = pytest.importorskip("sklearn.dummy")
    data = visits.read_training_set("visits", features=["ratio", "amount"])
    rows = data.polars()
    steps = base.clone(
        pipeline.Pipeline([("features", data.transformer()), ("model", dummy.DummyClassifier())])
    )
    steps.fit(rows, data.numpy().y)
    assert np.array_equal(steps[0].transform(rows.to_pandas()), data.numpy().X, equal_nan=True)
    assert steps[:1].get_feature_names_out().tolist() == ["ratio", "amount"]
    assert steps.predict(rows[:2]).tolist() == [True, True]
    with pytest.raises(ContractError, match="the rows lack 'ratio'"):
        steps.predict(rows.drop("ratio"))


def test_another_definition_is_refused(shop):
    """Rows of a former definition are not read."""
    shop.training_set("visits")
    path = shop.settings.root / "feature_repo/shop.py"
    path.write_text(path.read_text().replace("timedelta(hours=1)", "timedelta(hours=2)"))

    with pytest.raises(SkewError):
        featurestore.open(shop.settings.root).read_training_set("visits")
