"""The file dvc.yaml: our stages follow the definitions, and what people wrote stays."""

import json

import pytest
import yaml

import featurestore
from featurestore.errors import ConfigError

OWN = """
params: [limits.yaml]
stages:
  notebook:
    cmd: jupyter execute report.ipynb
    deps: [data/features/last_order/part-0.parquet]
    meta: {owner: ops}
  nightly:
    cmd: featurestore materialize --full
  build-docs:
    cmd: mkdocs build
plots:
  - curve.csv
"""


def written(root):
    featurestore.open(root).pipeline(write=True)
    return yaml.safe_load((root / "dvc.yaml").read_text())


def test_what_people_wrote_survives(shop_files):
    """Their stages and other keys stay as they are, however often the file is written."""
    (shop_files / "dvc.yaml").write_text(OWN)
    first = written(shop_files)
    own = yaml.safe_load(OWN)
    assert {name: first["stages"][name] for name in own["stages"]} == own["stages"]
    assert (first["params"], first["plots"]) == (own["params"], own["plots"])
    assert "build-last_order" in first["stages"]
    assert written(shop_files) == first


def test_stages_of_removed_definitions_go(shop_files):
    """A stage of ours leaves with its definition, also one from before stages carried a mark."""
    stages = written(shop_files)
    stages["stages"]["notebook"] = {"cmd": "true"}
    stages["stages"]["build-gone"] = {"cmd": "featurestore build gone"}
    for name in ("build-last_order", "apply"):
        del stages["stages"][name]["meta"]
    (shop_files / "dvc.yaml").write_text(yaml.safe_dump(stages))
    path = shop_files / "feature_repo/shop.py"
    path.write_text(path.read_text().partition("@training_set")[0])
    now = written(shop_files)["stages"]
    assert {"build-gone", "training-set-visits"}.isdisjoint(now)
    assert {"notebook", "build-last_order", "apply"} <= now.keys()


def test_a_stage_of_the_same_name_is_not_overwritten(shop_files):
    """The person renames one."""
    text = "stages:\n  report:\n    cmd: make report\n"
    (shop_files / "dvc.yaml").write_text(text)
    with pytest.raises(ConfigError, match="the stages report are not made by featurestore"):
        written(shop_files)
    assert (shop_files / "dvc.yaml").read_text() == text


@pytest.mark.parametrize("text", ["stages: [", "- a", "stages: [a]"])
def test_a_file_that_is_no_dvc_yaml_is_refused(shop_files, text):
    """It is not overwritten."""
    (shop_files / "dvc.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"dvc\.yaml"):
        written(shop_files)
    assert (shop_files / "dvc.yaml").read_text() == text


def test_stages_depend_on_what_the_fingerprint_covers(shop_files):
    """Helpers by relative import, a package's __init__.py, modules outside of the two packages, package versions."""
    package = shop_files / "feature_repo/inner"
    package.mkdir()
    (package / "__init__.py").write_text("from .deep import deep\n")
    (package / "deep.py").write_text("from outside import FACTOR\n\n\ndef deep(x):\n    return FACTOR * x\n")
    (shop_files / "outside.py").write_text("FACTOR = 2\n")
    path = shop_files / "feature_repo/shop.py"
    text = path.read_text().replace("from schemas.shop", "from .inner import deep\nfrom schemas.shop")
    path.write_text(text.replace('"customer", "amount"', '"customer", deep(pl.col("amount"))'))
    deps = written(shop_files)["stages"]["build-last_order"]["deps"]
    code = {"feature_repo/inner/__init__.py", "feature_repo/inner/deep.py", "outside.py"}
    assert code | {"feature_repo/shop.py", "schemas/shop.py", "packages.json"} <= set(deps)
    assert {"polars", "pandera", "pyarrow"} <= json.loads((shop_files / "packages.json").read_text()).keys()


def test_pushed_rows_with_a_version_are_an_input(shop_files):
    """What reads pushed rows runs again after a push; without a version, a clone would lack the folder."""
    readers = ("training-set-visits", "materialize", "audit")
    assert not any("data/pushed" in written(shop_files)["stages"][name]["deps"] for name in readers)
    (shop_files / "data/pushed.dvc").write_text("outs: []\n")
    assert all("data/pushed" in written(shop_files)["stages"][name]["deps"] for name in readers)
