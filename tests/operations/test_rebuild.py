"""A training set is built again from its record, in a clean work tree, and every difference is named."""

import hashlib
import os
import shutil
import subprocess
from datetime import UTC, datetime

import msgspec
import polars as pl
import pytest
import yaml
from labelled_shop import HOUR, NOW, label_shop
from logged import log_answers
from runner import run
from shop import ORDERS, write_files

import featurestore
from featurestore.adapters.dvc import DvcVersions
from featurestore.errors import ConfigError, MissingDataError, SkewError, StoreError
from featurestore.operations.training_set.build_record import BuildRecord

WHO = {f"GIT_{role}_{part}": "a@b" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}


def git(root, *words) -> str:
    """Run git as a person would."""
    done = subprocess.run(
        ["git", *words], cwd=root, env=os.environ | WHO, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit(root) -> str:
    """Commit all files; returns the revision."""
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "x")
    return git(root, "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A shop in git and DVC, whose training set was built from a commit; then the order file grew."""
    root = write_files(tmp_path_factory.mktemp("kept") / "shop")
    versions = DvcVersions()
    versions.start(root)
    versions.add(root, [root / "data/raw/orders.csv"])
    revision = commit(root)
    built(root)
    orders = root / "data/raw/orders.csv"
    orders.write_text(orders.read_text() + "8,2,2024-01-09T20:00:00Z,,5,\n")
    versions.add(root, [orders])
    commit(root)
    return root, revision


@pytest.fixture
def shop(kept, tmp_path):
    """A copy of it."""
    root, revision = kept
    return shutil.copytree(root, tmp_path / "shop", symlinks=True), revision


def built(root):
    """Validate and build all that a training set needs."""
    project = featurestore.open(root)
    project.validate("orders")
    project.build("last_order")
    return project.training_set("visits")


def record_of(root) -> BuildRecord:
    """Read the record of the last build."""
    return msgspec.json.decode((root / "data/records/training/visits.json").read_bytes(), type=BuildRecord)


def test_a_build_is_recorded(kept):
    """The record holds revision, DVC's hashes, packages, the clock, and digests of values, columns and bytes."""
    root, revision = kept
    record = record_of(root)
    assert (record.revision, record.changed) == (revision, ())
    assert record.data == {"data/raw/orders.csv": "7081d1c5f61e716f13e83127dd81237f"}
    assert set(record.packages) == {
        *("python", "featurestore", "polars", "numpy", "pyarrow", "duckdb", "scikit-learn")
    }
    assert record.built_at.isoformat() == "2024-01-10T00:00:00+00:00"
    assert list(record.columns) == list(record.manifest.columns)


def test_the_same_is_built_again(shop, tmp_path):
    """From a copy of the record, next to newer data: equal values and bytes, and the project's own data stay."""
    root, revision = shop
    before = featurestore.open(root).layout.training("visits").read_bytes()
    manifest = shutil.copy(root / "data/records/training/visits.json", tmp_path / "kept.json")
    done = run("rebuild", str(manifest), cwd=root)
    assert done.returncode == 0, done.stderr
    assert f"visits: built again from revision {revision}\n  values: equal\n  bytes: equal\n" in done.stdout
    assert featurestore.open(root).layout.training("visits").read_bytes() == before
    assert "kept.json" not in git(root, "worktree", "list")
    assert git(root, "worktree", "list").count("\n") == 0


def test_a_difference_is_named(shop):
    """Another definition, and other raw data, give the first column that differs and the reason."""
    root, _ = shop
    path = root / "data/records/training/visits.json"
    record = record_of(root)
    definitions = root / "feature_repo/shop.py"
    definitions.write_text(definitions.read_text().replace('pl.col("basket") /', '2 * pl.col("basket") /'))
    git(root, "checkout", "--quiet", "HEAD~1", "--", "data/raw/orders.csv.dvc")
    later = commit(root)
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(record, revision=later)))
    result = featurestore.open(root).rebuild("visits")
    assert (result.same_values, result.same_bytes, result.column) == (False, False, "ratio")
    assert any("compared" in reason for reason in result.reasons)
    done = run("rebuild", "visits", cwd=root)
    assert done.returncode == 5
    assert "column 'ratio' differs first:\n  " in done.stderr
    git(root, "checkout", "--quiet", "HEAD~1", "--", ".")
    grown = commit(root)
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(record, revision=grown)))
    with pytest.raises(
        SkewError, match=r"the number of its rows \(5 -> 6\) differs first:\n  rows of orders sha256"
    ):
        featurestore.open(root).rebuild("visits").require_same()


def test_a_renamed_column_is_named(shop):
    """Beside its new name; and so is the package that computes, if its version is another one."""
    root, _ = shop
    path = root / "data/records/training/visits.json"
    record = record_of(root)
    for file in (root / "feature_repo/shop.py", root / "schemas/shop.py"):
        file.write_text(file.read_text().replace("ratio", "share"))
    git(root, "checkout", "--quiet", "HEAD~1", "--", "data/raw/orders.csv.dvc")
    later = commit(root)
    packages = record.packages | {"polars": "1.0.0"}
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(record, revision=later, packages=packages)))

    result = featurestore.open(root).rebuild("visits")

    assert result.column == "ratio"
    assert result.reasons[0] == "columns ratio -> share"
    assert any(reason.startswith("package polars 1.0.0 -> ") for reason in result.reasons)
    with pytest.raises(SkewError, match="column 'ratio' differs first:\n  columns ratio -> share"):
        result.require_same()


def test_data_that_are_gone(shop):
    """What neither the cache nor a remote has is named with its hash, and how to pull it."""
    root, revision = shop
    shutil.rmtree(root / ".dvc/cache")
    done = run("rebuild", "visits", cwd=root)
    assert done.returncode == 6
    assert "data/raw/orders.csv (md5 7081d1c5f61e716f13e83127dd81237f)" in done.stderr
    assert f"git checkout {revision} && dvc pull data/raw/orders.csv" in done.stderr
    # The file in place with the right digest is as good.
    (root / "data/raw/orders.csv").write_text(ORDERS)
    assert featurestore.open(root).rebuild("visits").same_bytes


def test_code_that_was_never_committed(shop):
    """A build from changed files is refused by their names, until a commit has its result in dvc.lock."""
    root, _ = shop
    definitions = root / "feature_repo/shop.py"
    definitions.write_text(definitions.read_text().replace("hours=1", "hours=2"))
    manifest = built(root)
    assert record_of(root).changed == ("feature_repo/shop.py",)
    project = featurestore.open(root)
    with pytest.raises(
        MissingDataError, match=r"differed from revision .*: feature_repo/shop\.py; no commit"
    ):
        project.rebuild("visits")
    (root / "dvc.lock").write_text(
        f"schema: '2.0'\nstages: {{x: {{outs: [{{path: y, md5: {record_of(root).md5}}}]}}}}\n"
    )
    revision = commit(root)
    result = project.rebuild("visits")
    assert (result.revision, result.digest, result.same_bytes) == (revision, manifest.digest, True)


def test_a_record_that_leads_nowhere(shop, tmp_path):
    """A revision that git does not have, a project without git, and a file that holds no record say what to do."""
    root, _ = shop
    path = root / "data/records/training/visits.json"
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(record_of(root), revision="0" * 40)))
    project = featurestore.open(root)
    with pytest.raises(MissingDataError, match=r"git revision 000.* is not in the repository"):
        project.rebuild("visits")
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(record_of(root), revision=None)))
    with pytest.raises(ConfigError, match="was built outside of a git repository"):
        project.rebuild("visits")
    with pytest.raises(MissingDataError, match=r"none\.json: does not exist"):
        project.rebuild(tmp_path / "none.json")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(StoreError, match=r"other\.json: is neither the record of a build nor the manifest"):
        project.rebuild(tmp_path / "other.json")


def test_a_manifest_leads_to_its_record_or_its_commit(shop, tmp_path):
    """The manifest in place has its record; without one, as in a clone, the commit whose dvc.lock names the manifest."""
    root, _ = shop
    manifest = root / "data/training/visits.json"
    project = featurestore.open(root)
    assert project.rebuild(manifest).same_bytes is True
    (root / "data/records/training/visits.json").unlink()
    with pytest.raises(MissingDataError, match=r"no commit has the manifest in dvc\.lock"):
        project.rebuild("visits")
    git(root, "checkout", "--quiet", "HEAD~1", "--", ".")
    md5 = hashlib.md5(manifest.read_bytes()).hexdigest()  # noqa: S324 - as DVC
    (root / "dvc.lock").write_text(f"schema: '2.0'\nstages: {{x: {{outs: [{{path: y, md5: {md5}}}]}}}}\n")
    later = commit(root)
    result = project.rebuild("visits")
    assert (result.revision, result.same_values, result.same_bytes, result.reasons) == (later, True, True, ())
    copy = shutil.copy(manifest, tmp_path / "copy.json")
    assert "values: equal\n  bytes: not recorded\n" in run("rebuild", str(copy), cwd=root).stdout


def test_pushed_rows_without_a_version(shop):
    """Rows of the log that no commit has are named as the reason."""
    root, _ = shop
    project = featurestore.open(root)
    project.materialize()
    time = datetime(2024, 1, 2, tzinfo=UTC)
    pushed = pl.DataFrame(
        {"customer": [1], "event_timestamp": [time], "ordered_at": [time], "amount": [9.0], "coupon": ["X"]}
    )
    project.push("last_order", pushed)
    git(root, "checkout", "--quiet", "HEAD~1", "--", ".")
    DvcVersions().fetch(root, root / "data/raw/orders.csv", "HEAD~1", root / "data/raw/orders.csv")
    commit(root)
    built(root)
    assert record_of(root).logged == ("last_order",)
    reasons = featurestore.open(root).rebuild("visits").reasons
    assert any(
        reason.startswith("pushed or deleted rows of last_order went into one build only")
        for reason in reasons
    )


def test_a_set_of_labelled_answers_is_built_from_the_version_of_its_log(shop):
    """Answers that were logged since then are not in it; the log is data like others, with a version."""
    root, _ = shop
    project = featurestore.open(root)
    project.materialize(until=NOW - HOUR)
    log_answers(root, 3, as_of=NOW - HOUR, request_id="r1")
    project = label_shop(project, {"request_id": "r1"}, {"request_id": "r2"})
    assert {gap.name for gap in project.unversioned()} == {"outcomes", "served log"}
    DvcVersions().add(root, [root / "data/raw/outcomes.csv"])
    assert project.add("data/served").versioned == ("data/served.dvc",)
    assert project.unversioned() == ()
    stages = yaml.safe_load(project.pipeline())["stages"]
    readers = [name for name, stage in stages.items() if "data/served" in stage["deps"]]
    assert readers == ["training-set-answered"]
    commit(root)
    manifest = project.training_set("answered")
    log_answers(root, 3, as_of=NOW - HOUR, request_id="r2")
    result = project.rebuild("answered")
    assert (result.same_values, result.digest, manifest.rows) == (True, manifest.digest, 1)
    project.training_set("answered")
    digests = [m.inputs["served:buying"] for m in (project.training_manifest("answered"), manifest)]
    assert f"rows of served:buying {digests[0]} -> {digests[1]}" in project.rebuild("answered").reasons
