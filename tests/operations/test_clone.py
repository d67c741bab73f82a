"""Own raw data have versions: a colleague's clone gets them by `dvc pull`, and an older revision gives the older data."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from runner import run as command
from shop import ORDERS, write_files

import featurestore
from featurestore.adapters.dvc import DvcVersions

DAILY = {
    "2024-01-01.csv": ORDERS.splitlines()[:3],
    "2024-01-02.csv": [ORDERS.splitlines()[0], *ORDERS.splitlines()[3:]],
}
NEW_DAY = f"{ORDERS.splitlines()[0]}\n8,2,2024-01-10T12:00:00Z,2024-01-10T13:00:00Z,9,\n"

PUSHED = {
    "event_timestamp": pl.Series(["2024-01-09T23:00:00"]).str.to_datetime(time_zone="UTC", time_unit="us"),
    "ordered_at": pl.Series(["2024-01-09T23:00:00"]).str.to_datetime(time_zone="UTC", time_unit="us"),
    "amount": pl.Series([4.0], dtype=pl.Float32),
    "coupon": pl.Series([None], dtype=pl.String),
}


def shell(cwd, *lines):
    """Run commands as a person would; returns what they print."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # A machine has one identity of git; the test brings its own.
    who = {f"GIT_{role}_{part}": "a@b" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["bash", "-ec", "\n".join(lines)],
        cwd=cwd,
        env={**os.environ, **who, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{lines}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def own(tmp_path):
    """The shop in a repository of git and DVC, with a remote; its orders in daily files."""
    root = write_files(tmp_path / "own")
    (root / "data/raw/orders.csv").unlink()
    for name, lines in DAILY.items():
        path = root / "data/raw/orders" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
    definitions = root / "feature_repo/shop.py"
    definitions.write_text(definitions.read_text().replace("raw/orders.csv", "raw/orders/*.csv"))
    DvcVersions().start(root)
    (root / ".dvc/config").write_text(
        f"[core]\n    remote = store\n    analytics = false\n['remote \"store\"']\n    url = {tmp_path}/remote\n"
    )
    return root


def digest(root):
    return featurestore.open(root).training_manifest("visits").digest


def test_a_clone_pulls_and_has_the_same_training_set(own, tmp_path):
    """Only what is outside DVC runs in a clone; pushed rows travel; an older revision has its older digest."""
    project = featurestore.open(own)
    DvcVersions().add(own, [own / "data/raw/orders"])
    project.run()
    first = digest(own)
    shell(own, "git add -A", "git commit -qm first")
    (own / "data/raw/orders/2024-01-03.csv").write_text(NEW_DAY)
    project.push("last_order", pl.DataFrame({"customer": [2], **PUSHED}))
    project.run()
    second = digest(own)
    assert second != first
    shell(own, "git add -A", "git commit -qm second", "dvc push -q --all-commits")
    theirs = tmp_path / "theirs"
    shell(tmp_path, f"git clone -q {own} {theirs}", f"cd {theirs}", "dvc pull -q")
    assert featurestore.open(theirs).run().steps == ("apply", "materialize", "report")
    assert "Data and pipelines are up to date." in shell(theirs, "dvc repro")
    assert digest(theirs) == second
    for path in ("data/raw/orders/2024-01-03.csv", "data/raw/orders/2024-01-01.csv"):
        assert (theirs / path).read_bytes() == (own / path).read_bytes()
    shutil.rmtree(theirs / "data/training")
    assert featurestore.open(theirs).training_set("visits").digest == second
    # The order of the new day sees the pushed row.
    rows = pl.read_parquet(theirs / "data/training/visits.parquet").sort("event_timestamp")
    assert rows["amount"].to_list()[-1] == 4.0
    assert command("check", cwd=theirs).stderr == ""
    shell(theirs, "git checkout -q HEAD~1", "dvc pull -q --force")
    assert digest(theirs) == first
    assert not (theirs / "data/raw/orders/2024-01-03.csv").exists()


def warnings_of(root, *names):
    """Return what `check` and `validate` say, without the names of files."""
    return command("check", cwd=root).stderr, command("validate", *names, cwd=root).stderr


def test_a_raw_file_without_a_version_is_named(own):
    """`check` and `validate`, which `dvc repro` runs, name the source, the reason and the command."""
    expected = (
        "orders: 2 files of data/raw/orders/*.csv are versioned by neither DVC nor git, so a clone does not get them\n"
        "  hint: run: featurestore add 'data/raw/orders/*.csv'\n"
    )
    assert warnings_of(own, "orders") == (expected, expected)
    [gap] = json.loads(command("check", "--json", cwd=own).stdout)["unversioned"]
    assert (gap["name"], gap["files"], gap["reason"]) == ("orders", 2, "no version")
    DvcVersions().add(own, [own / "data/raw/orders"])
    assert warnings_of(own, "orders") == ("", "")


def test_a_raw_file_that_changed_since_its_version_is_named(own):
    """A new daily file, or another content of the same size, is in no version yet."""
    DvcVersions().add(own, [own / "data/raw/orders"])
    first = own / "data/raw/orders/2024-01-01.csv"
    text = first.read_text()
    first.write_text(text.replace("10.5", "10.6"))
    [gap] = featurestore.open(own).unversioned()
    assert gap.reason == "changed"
    first.write_text(text)
    assert featurestore.open(own).unversioned() == ()
    (own / "data/raw/orders/2024-01-03.csv").write_text(NEW_DAY)
    assert "changed since their last version" in warnings_of(own, "orders")[1]


def test_a_file_in_git_has_a_version(own):
    """A small file may be in git itself, without a record of DVC."""
    shell(own, "git add -f data/raw/orders/*.csv")
    assert featurestore.open(own).unversioned() == ()


def test_a_record_that_git_ignores_is_no_version(own):
    """DVC does not see a record that .gitignore hides, and pushes nothing: the file has no version."""
    DvcVersions().add(own, [own / "data/raw/orders"])
    (own / ".gitignore").write_text("/data/*\n!/data/raw/\n")
    [gap] = featurestore.open(own).unversioned()
    assert gap.reason == "no version"


def test_pushed_rows_without_a_version_are_named(own):
    """Rows that were pushed are data too; `run` gives them a version."""
    DvcVersions().add(own, [own / "data/raw/orders"])
    project = featurestore.open(own)
    project.validate("orders")
    project.build("last_order")
    project.push("last_order", pl.DataFrame({"customer": [2], **PUSHED}))
    [gap] = project.unversioned()
    assert (gap.name, gap.path, gap.files) == ("pushed rows", "data/pushed", 1)


def test_without_a_repository_nothing_has_a_version(shop_files):
    """The reason is then the missing repository."""
    assert "are not in a repository of DVC or git" in command("check", cwd=shop_files).stderr
