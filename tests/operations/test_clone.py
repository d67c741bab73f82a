"""Own raw data have versions: a colleague's clone gets them by `dvc pull`, and an older revision gives the older data."""

import json
import os
import shutil
import subprocess
from dataclasses import replace

import forks
import polars as pl
import pytest
from runner import run as command
from servers import s3_server
from shop import ORDERS, write_files

import featurestore
from featurestore.adapters.dvc import DvcVersions
from featurestore.errors import MissingDataError
from featurestore.operations.add.add import add
from featurestore.storage.lock import try_locked
from featurestore.testing import FolderVersions

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
    # A machine has one identity of git; the test brings its own.
    who = {f"GIT_{role}_{part}": "a@b" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["bash", "-ec", "\n".join(lines)],
        cwd=cwd,
        env={**os.environ, **who, "PATH": forks.search_path()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{lines}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def daily_shop(root):
    """Write the shop in a repository of git and DVC; its orders in daily files."""
    write_files(root)
    (root / "data/raw/orders.csv").unlink()
    for name, lines in DAILY.items():
        path = root / "data/raw/orders" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
    definitions = root / "feature_repo/shop.py"
    definitions.write_text(definitions.read_text().replace("raw/orders.csv", "raw/orders/*.csv"))
    DvcVersions().start(root)
    return root


@pytest.fixture
def own(tmp_path):
    return daily_shop(tmp_path / "own")


def digest(root):
    return featurestore.open(root).training_manifest("visits").digest


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """A shop of two revisions: then a new day arrived, rows were pushed and corrected, and a customer was deleted."""
    root = daily_shop(tmp_path_factory.mktemp("history") / "own")
    project = featurestore.open(root)
    DvcVersions().add(root, [root / "data/raw/orders"])
    project.run()
    digests = [digest(root)]
    shell(root, "git add -A", "git commit -qm first")
    (root / "data/raw/orders/2024-01-03.csv").write_text(NEW_DAY)
    rows = pl.DataFrame({"customer": [2], **PUSHED})
    for amount in (4.0, 5.0):
        project.push("last_order", rows.with_columns(amount=pl.lit(amount, dtype=pl.Float32)))
    project.delete("last_order", pl.DataFrame({"customer": [3]}))
    # A new store holds no other counts than a clone's.
    shutil.rmtree(root / "data/online")
    project.run()
    digests.append(digest(root))
    shell(root, "git add -A", "git commit -qm second")
    return root, *digests


@pytest.fixture(params=["folder", "S3"])
def remote(request, tmp_path):
    """Yield the lines of DVC's configuration that name a remote."""
    if request.param == "folder":
        yield f"    url = {tmp_path}/remote\n"
    else:
        with s3_server() as lines:
            yield lines


def test_a_clone_pulls_and_has_the_same_training_set(history, remote, tmp_path):
    """Only what is outside DVC runs in a clone; pushed rows travel; an older revision has its older digest."""
    template, first, second = history
    assert second != first
    own, theirs = shutil.copytree(template, tmp_path / "own", symlinks=True), tmp_path / "theirs"
    settings = f"[core]\n    remote = store\n    analytics = false\n['remote \"store\"']\n{remote}"
    (own / ".dvc/config.local").write_text(settings)
    shell(own, "dvc push -q --all-commits")
    # What a clone has comes from the remote.
    shutil.rmtree(own / ".dvc/cache")
    shell(tmp_path, f"git clone -q {own} {theirs}")
    (theirs / ".dvc/config.local").write_text(settings)
    shell(theirs, "dvc pull -q")
    assert featurestore.open(theirs).run().steps == ("apply", "materialize", "report")
    assert "Data and pipelines are up to date." in shell(theirs, "dvc repro")
    assert digest(theirs) == second
    for path in ("data/raw/orders/2024-01-03.csv", "data/raw/orders/2024-01-01.csv"):
        assert (theirs / path).read_bytes() == (own / path).read_bytes()
    shutil.rmtree(theirs / "data/training")
    assert featurestore.open(theirs).training_set("visits").digest == second
    # The order of the new day sees the pushed row, as it was corrected; serving sees it, and not the deleted customer.
    rows = pl.read_parquet(theirs / "data/training/visits.parquet").sort("event_timestamp")
    assert rows["amount"].to_list()[-1] == 5.0
    customers = pl.DataFrame({"customer": [2, 3], "basket": [10.0, 10.0]})
    assert featurestore.open(theirs).get_online(customers, "buying")["amount"].to_list() == [5.0, None]
    assert command("check", cwd=theirs).stderr == ""
    shell(theirs, "git restore dvc.lock", "git checkout -q HEAD~1", "dvc pull -q")
    assert digest(theirs) == first
    assert not (theirs / "data/raw/orders/2024-01-03.csv").exists()
    shutil.rmtree(theirs / "data/training")
    assert featurestore.open(theirs).training_set("visits").digest == first


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
    assert "changed since" in warnings_of(own, "orders")[1]


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
    """Rows that were pushed are data too; their first version makes the stages that read them depend on them."""
    DvcVersions().add(own, [own / "data/raw/orders"])
    project = featurestore.open(own)
    project.pipeline(write=True)
    project.validate("orders")
    project.build("last_order")
    with pytest.raises(
        MissingDataError, match="nothing was pushed or deleted yet\n  hint: run: featurestore push"
    ):
        project.add("data/pushed")
    project.push("last_order", pl.DataFrame({"customer": [2], **PUSHED}))
    [gap] = project.unversioned()
    assert (gap.name, gap.path, gap.files) == ("pushed rows", "data/pushed", 1)
    # What a killed process left, and what hides the records, do not count.
    (own / "data/pushed/last_order/.a.parquet.1.partial").write_text("half")
    (own / ".gitignore").write_text("/data/\n")
    (own / ".dvcignore").unlink()
    added = project.add("data/pushed/last_order")
    assert (added.versioned, added.written) == (("data/pushed.dvc",), ("dvc.yaml",))
    assert (project.stale_pipeline(), project.unversioned()) == (None, ())
    files = [
        path for path in (own / "data/pushed").rglob("*") if path.suffix in {".parquet", ".jsonl", ".json"}
    ]
    assert f"nfiles: {len(files)}\n" in (own / "data/pushed.dvc").read_text()
    assert shell(own, "git check-ignore data/pushed.dvc || true") == ""
    assert project.add("data/pushed").written == ()


class Watching(FolderVersions):
    """Versions that see whether somebody could push while the log is versioned."""

    def __init__(self, lock):
        self.lock, self.was_free = lock, None

    def add(self, root, paths):
        with try_locked(self.lock) as is_free:
            self.was_free = is_free
        return super().add(root, paths)


def test_no_push_is_written_while_the_log_is_versioned(shop):
    """A version holds whole pushes."""
    shop.push("last_order", pl.DataFrame({"customer": [2], **PUSHED}))
    workspace = shop._workspace
    versions = Watching(workspace.layout.pushing("last_order"))
    watched = replace(workspace, parts=replace(workspace.parts, versions=versions))
    assert add(watched, "data/pushed").versioned == ("data/pushed.version",)
    assert versions.was_free is False
    with try_locked(versions.lock) as is_free:
        assert is_free


def test_a_push_since_the_last_version_is_named(history, tmp_path):
    """`check` and `summary` say that a clone does not get it, and which command versions it."""
    own = shutil.copytree(history[0], tmp_path / "own", symlinks=True)
    featurestore.open(own).push("last_order", pl.DataFrame({"customer": [4], **PUSHED}))
    expected = (
        "pushed rows: data/pushed changed since its last version (3 files now), so a clone gets other rows\n"
        "  hint: run: featurestore add data/pushed\n"
    )
    warnings = [command(name, cwd=own).stderr for name in ("check", "summary")]
    assert warnings == [expected, expected]
    [gap] = json.loads(command("summary", "--json", cwd=own).stdout)["unversioned"]
    assert gap["command"] == "featurestore add data/pushed"
    assert command("add", "data/pushed/", cwd=own).stdout == (
        "pushed rows: data/pushed has a new version\ncommit: data/pushed.dvc\n"
    )
    assert [command(name, cwd=own).stderr for name in ("check", "summary")] == ["", ""]


def test_without_a_repository_nothing_has_a_version(shop_files):
    """The reason is then the missing repository."""
    assert "is not in a repository of DVC or git" in command("check", cwd=shop_files).stderr
