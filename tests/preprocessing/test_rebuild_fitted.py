"""A training set with steps is built again from the commit that has its rows and what its steps learned."""

import subprocess

import pytest
import yaml
from fitted_shop import with_steps
from shop import write_files

import featurestore
from featurestore.adapters.dvc import DvcVersions
from featurestore.errors import MissingDataError
from featurestore.operations.training_set.build_record import BuildRecord
from featurestore.storage.files import read_record

AUTHOR = ("-c", "user.name=a", "-c", "user.email=a@b")


def git(root, *words) -> str:
    """Run git; returns what it prints."""
    return subprocess.run(
        ["git", *AUTHOR, *words], cwd=root, capture_output=True, text=True, check=True
    ).stdout.strip()


def commit(root, *hashes) -> str:
    """Commit all files, with hashes of results in dvc.lock; returns the revision."""
    outs = [{"path": f"data/{number}", "md5": md5} for number, md5 in enumerate(hashes)]
    (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": {"x": {"outs": outs}}}))
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "x")
    return git(root, "rev-parse", "HEAD")


def test_equal_rows_of_another_fitted_state_are_of_another_commit(tmp_path):
    """Rows do not change with the table of an embedding: a commit counts if it has the fitted state too."""
    root = with_steps(write_files(tmp_path / "shop"))
    versions = DvcVersions()
    versions.start(root)
    versions.add(root, [root / "data/raw/orders.csv"])
    commit(root)
    (root / "table.csv").write_text("key,x\n")
    project = featurestore.open(root)
    project.validate("orders")
    project.build("last_order")
    project.training_set("visits")
    record = read_record(root / "data/records/training/visits.json", BuildRecord, made_by="")
    assert record.state_md5 is not None

    commit(root, record.md5, "0" * 32)
    with pytest.raises(MissingDataError, match="no commit has its result"):
        project.rebuild("visits")

    second = commit(root, record.md5, record.state_md5)
    commit(root, record.md5, record.state_md5, "1" * 32)
    assert project.rebuild("visits").revision == second
