"""The versions of DVC and those of a folder behave the same."""

import gc
import io
import shutil
import subprocess

import pytest

from featurestore.adapters.dvc import DvcVersions
from featurestore.errors import MissingDataError
from featurestore.testing import FolderVersions, require_versions


def git_commit(root):
    """Commit all files, and return the revision."""

    def git(*words):
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        return subprocess.run(
            ["git", "-C", root, *who, *words], check=True, capture_output=True, text=True
        ).stdout

    git("add", "--all")
    git("commit", "--quiet", "--message", "data")
    return git("rev-parse", "HEAD").strip()


def test_the_versions_of_dvc_pass_the_suite(tmp_path):
    """Git keeps the revisions. No database of DVC stays open, which Python 3.13 warns of."""
    require_versions(DvcVersions(), git_commit, tmp_path)
    gc.collect()


def test_the_versions_of_a_folder_pass_the_suite(tmp_path):
    """They need neither git nor DVC."""
    versions = FolderVersions()
    require_versions(versions, versions.commit, tmp_path)


class Sloppy(FolderVersions):
    """Looks at the size of a file alone."""

    def gaps(self, root, files):
        return {f: gap for f, gap in super().gaps(root, files).items() if gap != "changed"}


class Forgetful(FolderVersions):
    """Gives the data in place, if there are any, for those of a revision."""

    def fetch(self, root, path, revision, target):
        return path if path.exists() else super().fetch(root, path, revision, target)


class Eager(FolderVersions):
    """Runs each step each time."""

    def run(self, root, step_of):
        for done in root.rglob("*.stage"):
            done.unlink()
        return super().run(root, step_of)


@pytest.mark.parametrize(
    ("kind", "law"),
    [(Sloppy, "Name each file"), (Forgetful, "Version a folder"), (Eager, "Run each step")],
)
def test_the_suite_finds_versions_that_break_a_law(tmp_path, kind, law):
    """The message is the law."""
    versions = kind()
    with pytest.raises(AssertionError, match=law):
        require_versions(versions, versions.commit, tmp_path)


def test_data_without_a_version_and_data_that_dvc_lost_have_errors_of_their_own(tmp_path):
    """Each error names the file and the revision, and no error of the system is shown."""
    versions = DvcVersions()
    versions.start(tmp_path)
    file, folder = tmp_path / "raw/a.csv", tmp_path / "raw/days"
    folder.mkdir(parents=True)
    for path in (file, folder / "1.csv"):
        path.write_text("a\n1\n")
    versions.add(tmp_path, [file, folder])
    git_commit(tmp_path)
    for path in (tmp_path / "raw/b.csv", tmp_path / "none"):
        with pytest.raises(MissingDataError, match=r"^[a-z/.]+ has no version at HEAD\n"):
            versions.fetch(tmp_path, path, "HEAD", tmp_path / "out")
    shutil.rmtree(tmp_path / ".dvc/cache")
    # What is in place is as good, as long as it is the same.
    assert versions.fetch(tmp_path, file, "HEAD", tmp_path / "copy").read_text() == "a\n1\n"
    assert (versions.fetch(tmp_path, folder, "HEAD", tmp_path / "copies") / "1.csv").read_text() == "a\n1\n"
    file.write_text("a\n2\n")
    (folder / "2.csv").write_text("a\n2\n")
    for path in (file, folder):
        name = path.relative_to(tmp_path).as_posix()
        with pytest.raises(MissingDataError, match=f"^{name} at HEAD: neither DVC's cache nor a remote"):
            versions.fetch(tmp_path, path, "HEAD", tmp_path / "out")
    with pytest.raises(MissingDataError, match="unknown Git revision 'HEADS'"):
        versions.fetch(tmp_path, file, "HEADS", tmp_path / "out")


class Terminal(io.StringIO):
    """Standard error that a person watches."""

    def isatty(self):
        return True


def test_dvc_shows_no_progress(tmp_path, monkeypatch):
    """Also on a terminal: a bar of DVC whose start is interrupted prints an error of its own."""
    versions = DvcVersions()
    versions.start(tmp_path)
    (tmp_path / "a.csv").write_text("a\n1\n")
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    versions.add(tmp_path, [tmp_path / "a.csv"])
    git_commit(tmp_path)
    versions.fetch(tmp_path, tmp_path / "a.csv", "HEAD", tmp_path / "out")
    assert terminal.getvalue() == ""
