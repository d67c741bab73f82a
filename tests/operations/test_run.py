"""`run` does what `dvc repro` does, in one process."""

import shutil
import subprocess
from functools import partial

import pytest
import yaml
from labelled_shop import NOW, label_shop
from logged import log_answers
from runner import run
from test_split import SPLIT, many_visits

import featurestore
from featurestore.adapters.dvc import DvcVersions
from featurestore.errors import ConfigError, ContractError, StoreError
from featurestore.operations.pipeline.pipeline import stages_of
from featurestore.operations.run import _steps

OWN = """\
stages:
  notes:
    cmd: cat data/datasets/orders.parquet > notes.bin
    deps: [data/datasets/orders.parquet]
    outs: [{notes.bin: {cache: false}}]
  broken:
    cmd: "false"
    deps: [notes.bin]
"""

AROUND = """\
stages:
  needed: {cmd: echo 1 > needed.txt, outs: [{needed.txt: {cache: false}}]}
  foreign: {cmd: echo 1 > foreign.txt, outs: [{foreign.txt: {cache: false}}]}
"""
DEPENDS = """\
stages:
  notes: {cmd: cat ../needed.txt > notes.txt, deps: [../needed.txt], outs: [{notes.txt: {cache: false}}]}
"""


@pytest.fixture
def versioned(shop_files):
    """The shop, with its raw file in DVC."""
    DvcVersions().start(shop_files)
    DvcVersions().add(shop_files, [shop_files / "data/raw/orders.csv"])
    return shop_files


def test_a_run_says_what_changed_and_what_waits(shop):
    """Validation or test changed, as `training-set` says; without a served log, labels of answers have no rows yet.

    A view is not checked for leaks if nothing tells when its inputs become known.
    """
    project = many_visits(shop, SPLIT)
    project.training_set("visits")
    label_shop(project, {"request_id": "r1"})
    root = project.settings.root
    schema = root / "schemas/shop.py"
    known = ', "known": ("loaded_at", "ordered_at")'
    assert known in schema.read_text()
    schema.write_text(schema.read_text().replace(known, ""))
    orders = root / "data/raw/orders.csv"
    more = "".join(f"{n},{n},2024-01-04T00:00:00Z,,1,\n" for n in range(70, 90))
    orders.write_text(orders.read_text() + more)
    DvcVersions().start(root)
    DvcVersions().add(root, [orders, root / "data/raw/outcomes.csv"])
    done = run("run", cwd=root)
    assert done.returncode == 0, done.stderr
    assert "visits: warning: validation changed since the last build (" in done.stdout
    assert "by another version of orders, last_order" in done.stdout
    assert (
        "training set answered: left out, because no answer of service buying is logged yet\n  hint: run:"
        in done.stdout
    )
    assert (
        "last_order: not checked for leaks, because nothing tells when the rows of orders become known; `release` will refuse it\n"
        "  hint: write metadata"
    ) in done.stdout
    assert "training-set-answered" not in (root / "dvc.yaml").read_text()
    log_answers(root, 1, as_of=NOW, request_id="r1")
    featurestore.open(root).add("data/served")
    stages = yaml.safe_load((root / "dvc.yaml").read_text())["stages"]
    assert "data/served" in stages["training-set-answered"]["deps"]


def test_every_stage_of_ours_is_a_step(shop_files):
    """No stage of dvc.yaml is left to DVC by mistake."""
    workspace = featurestore.open(shop_files)._workspace
    assert _steps(workspace).keys() == stages_of(workspace).keys()


def test_a_training_set_of_a_log_that_is_not_pulled_has_a_stage(shop_files):
    """The version of the log may hold its answers; a log that is here without an answer of its service does not."""
    workspace = label_shop(featurestore.open(shop_files), {"request_id": "r1"})._workspace
    served = shop_files / "data/served"
    served.with_name("served.dvc").write_text("outs: []\n")
    assert "training-set-answered" in stages_of(workspace)
    (served / "other").mkdir(parents=True)
    assert "training-set-answered" not in stages_of(workspace)
    assert _steps(workspace).keys() == stages_of(workspace).keys()


def test_a_refused_dataset_stops_the_run_and_a_repaired_one_goes_on(versioned):
    """The stages after it do not run; the good data of before stay; the next run begins at the refused stage."""
    path = versioned / "schemas/shop.py"
    path.write_text(path.read_text().replace('"tolerance": 0.5', '"tolerance": 0.0'))
    names = []
    with pytest.raises(ContractError, match="orders: refused"):
        featurestore.open(versioned).run(progress=names.append)
    assert names == ["validate-orders"]
    assert not (versioned / "data/features").exists()
    raw = versioned / "data/raw/orders.csv"
    raw.write_text(raw.read_text().replace("7,0,2024", "7,4,2024"))
    (versioned / "dvc.yaml").write_text("stages: {}\n")
    project = featurestore.open(versioned)
    with pytest.raises(StoreError, match=r"stage 'broken' of dvc\.yaml fails: false"):
        _run_until_the_view(project, versioned)
    assert (versioned / "notes.bin").read_bytes() == (versioned / "data/datasets/orders.parquet").read_bytes()
    assert "orders.csv" in (versioned / "data/raw/orders.csv.dvc").read_text()
    assert project.unversioned() == ()
    assert "validate-orders" in yaml.safe_load((versioned / "dvc.lock").read_text())["stages"]


def _run_until_the_view(project, root):
    """Run our first stage and those that people wrote; the later stages of ours need Feast, which is slow to import."""
    stages = {
        "validate-orders": stages_of(project._workspace)["validate-orders"],
        **yaml.safe_load(OWN)["stages"],
    }
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))

    def step_of(name, command):
        return partial(project.validate, "orders") if command == "featurestore validate orders" else None

    DvcVersions().run(root, step_of)


def test_a_run_needs_a_repository(shop_files):
    """The message names the commands."""
    with pytest.raises(ConfigError, match="not inside a DVC repository\n  hint: run: git init && dvc init"):
        featurestore.open(shop_files).run()


def test_a_project_inside_a_bigger_repository_has_versions_of_its_own(shop_files):
    """Git is the bigger one's; DVC begins at the project."""
    subprocess.run(["git", "-C", shop_files.parent, "init", "--quiet"], check=True)
    try:
        assert DvcVersions().start(shop_files) == ("dvc",)
        assert DvcVersions().start(shop_files) == ()
        [record] = DvcVersions().add(shop_files, [shop_files / "data/raw/orders.csv"])
        assert record == shop_files / "data/raw/orders.csv.dvc"
        assert featurestore.open(shop_files).unversioned() == ()
    finally:
        subprocess.run(["rm", "-rf", shop_files.parent / ".git"], check=True)


def test_a_run_leaves_the_stages_of_the_repository_around_it_alone(shop_files):
    """A stage outside of the project runs only if one inside depends on it."""
    top = shop_files.parent / "mono"
    project = top / "shop"
    shutil.copytree(shop_files, project)
    DvcVersions().start(top)
    DvcVersions().add(top, [project / "data/raw/orders.csv"])
    (top / "dvc.yaml").write_text(AROUND)
    (project / "dvc.yaml").write_text(DEPENDS)
    ran = featurestore.open(project).run().steps
    assert {"needed", "notes", "apply"} <= set(ran)
    assert "foreign" not in ran
    assert not (top / "foreign.txt").exists()
