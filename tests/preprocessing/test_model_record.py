"""A model carries a record of the features that it was trained on, and is refused beside others."""

import shutil

import pytest
from fitted_shop import fitted_shop

import featurestore
from featurestore.errors import ConfigError, DefinitionError, MissingDataError, SkewError


@pytest.fixture(scope="module")
def trained(template_shop, tmp_path_factory):
    """A project with a model of its training set."""
    root = fitted_shop(template_shop, tmp_path_factory.mktemp("trained")).settings.root
    (root / "model.bin").write_bytes(b"weights")
    featurestore.open(root).write_model_record(root / "model.bin", "visits")
    return root


@pytest.fixture
def root(trained, tmp_path):
    """A copy that a test may change."""
    return shutil.copytree(trained, tmp_path / "shop", symlinks=True)


def test_a_model_belongs_to_the_features_that_are_served(root):
    """The record names the training set and the vector."""
    record = featurestore.open(root).require_model(root / "model.bin")
    project = featurestore.open(root)
    assert record.features == project.service("buying").feature_names
    assert record.rows == project.training_manifest("visits").digest


def test_a_model_without_a_record_is_refused(root):
    """Nothing tells what it was trained on."""
    (root / "other.bin").write_bytes(b"weights")
    with pytest.raises(MissingDataError, match=r"write_model_record"):
        featurestore.open(root).require_model(root / "other.bin")
    with pytest.raises(MissingDataError, match=r"gone\.bin is missing"):
        featurestore.open(root).write_model_record(root / "gone.bin", "visits")


def test_a_model_is_a_file(trained, tmp_path):
    """A folder, or no name at all, is refused before anything is read."""
    project = featurestore.open(trained)
    for model in ("/", tmp_path, str(tmp_path), "a\0b"):
        _refuse_model(project, model)
    with pytest.raises(DefinitionError, match=r"model is ''.*; expected a path or a name"):
        project.write_model_record("", "visits")


def _refuse_model(project, model):
    for call in (lambda: project.write_model_record(model, "visits"), lambda: project.require_model(model)):
        with pytest.raises(ConfigError, match="expected the path of the file of a model"):
            call()


def test_another_file_beside_the_record_is_refused(root):
    """A model that was trained later has a record of its own."""
    (root / "model.bin").write_bytes(b"other weights")
    with pytest.raises(
        SkewError, match=r"another file than the one that model\.bin\.features\.json was written for"
    ):
        featurestore.open(root).require_model(root / "model.bin")


def test_a_model_is_refused_beside_another_definition(root):
    """The difference is named, and what to run."""
    path = root / "feature_repo/shop.py"
    path.write_text(path.read_text().replace('scale("standard"', 'scale("robust"'))
    project = featurestore.open(root)
    project.training_set("visits")
    with pytest.raises(SkewError, match=r"train it again") as raised:
        project.require_model(root / "model.bin")
    assert raised.value.differences
    assert raised.value.commands == ("featurestore training-set visits",)


def test_a_model_is_refused_beside_other_fitted_state(root):
    """The steps are the same, and learned something else from other rows."""
    orders = root / "data/raw/orders.csv"
    orders.write_text(orders.read_text().replace(",10.5,", ",11.5,"))
    project = featurestore.open(root)
    project.validate("orders")
    project.build("last_order")
    project.training_set("visits")
    with pytest.raises(SkewError, match=r"fitted state"):
        project.require_model(root / "model.bin")
