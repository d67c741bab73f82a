"""The same inputs give the same bytes for any thread count and any order of the raw rows."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
REBUILD = """
import polars as pl

import featurestore

project = featurestore.open()
for name, source in project.catalog.sources.items():
    path = project.ingest(name)
    pl.read_csv(path, infer_schema=False).sample(fraction=1, shuffle=True, seed=1).write_csv(path)
    project.validate(name)
for derived in project.catalog.build_order():
    project.build(derived.name)
for name in project.catalog.training_sets:
    project.training_set(name)
"""


@pytest.mark.pipeline
def test_shuffled_raw_rows_on_one_thread_give_the_bytes_of_dvc_lock(tmp_path):
    """dvc.lock was made on every core from the rows in their order; all derived Parquet is the same here."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for folder in ("schemas", "feature_repo"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    alone = os.environ | {"POLARS_MAX_THREADS": "1"}
    subprocess.run([sys.executable, "-c", REBUILD], cwd=tmp_path, env=alone, check=True)
    stages = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"]
    locked = {
        out["path"]: out["md5"]
        for name, stage in stages.items()
        if name.startswith(("build-", "training-set-"))
        for out in stage["outs"]
    }
    digests = {path: hashlib.md5((tmp_path / path).read_bytes()).hexdigest() for path in locked}  # noqa: S324 - DVC's hash
    assert len(locked) == 48
    assert digests == locked
