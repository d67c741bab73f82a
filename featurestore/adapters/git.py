"""Git: the revision of a project, what differs from it, and a clean work tree of another revision."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from featurestore.errors import MissingDataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GET_REVISION = "get it: git fetch --unshallow, or git fetch from where it was pushed to"


def revision_of(root: Path) -> str | None:
    """Return the commit that is checked out; None: git is not installed, or the folder is in no repository."""
    text = git(root, "rev-parse", "--verify", "HEAD")
    return None if text is None else text.strip()


def changed_files(root: Path) -> tuple[str, ...]:
    """Return the files of a project, relative to it, that differ from the commit, or that git does not track."""
    text = git(root, "status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all", "--", ".")
    prefix = git(root, "rev-parse", "--show-prefix")
    if text is None or prefix is None:
        return ()
    names = [entry[3:] for entry in text.split("\0") if entry]
    return tuple(sorted(name.removeprefix(prefix.strip()) for name in names))


def commit_time(root: Path, revision: str) -> datetime:
    """Return when a commit was made, in UTC.

    Raises
    ------
    MissingDataError
        If the repository does not have it.
    """
    text = git(root, "show", "--no-patch", "--format=%cI", revision)
    if text is None:
        raise MissingDataError(
            f"git revision {revision} is not in the repository of {root}", hint=GET_REVISION
        )
    return datetime.fromisoformat(text.strip()).astimezone(UTC)


def first_commit_with(root: Path, texts: Sequence[str], file: str) -> str | None:
    """Return the oldest commit in which a file holds hashes that it did not all hold before; None: there is none."""
    changed = f"-G{'|'.join(texts)}"
    commits = git(root, "log", "--all", "--reverse", "--format=%H", changed, "--", file) or ""
    for revision in commits.split():
        content = git(root, "show", f"{revision}:./{file}") or ""
        if all(text in content for text in texts):
            return revision
    return None


@contextmanager
def work_tree(root: Path, revision: str) -> Iterator[Path]:
    """Check a revision out into a temporary folder, and remove it at the end; yields the folder of the project in it.

    Raises
    ------
    MissingDataError
        If the repository does not have the revision.
    """
    prefix = git(root, "rev-parse", "--show-prefix")
    # Hooks of the project, such as DVC's, belong to its own work tree.
    without_hooks = ("-c", "core.hooksPath=/dev/null")
    with tempfile.TemporaryDirectory(prefix="featurestore-") as folder:
        tree = Path(folder, "tree")
        added = git(root, *without_hooks, "worktree", "add", "--detach", "--quiet", str(tree), revision)
        if added is None or prefix is None:
            raise MissingDataError(
                f"git revision {revision} is not in the repository of {root}",
                hint=GET_REVISION,
            )
        try:
            yield tree / prefix.strip()
        finally:
            git(root, "worktree", "remove", "--force", str(tree))


def git(root: Path, *words: str) -> str | None:
    """Run git in a folder and return what it prints; None if it fails or is not installed."""
    try:
        done = subprocess.run(  # noqa: S603 - the words are ours
            ["git", "-C", str(root), *words],  # noqa: S607 - git is on PATH
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None
