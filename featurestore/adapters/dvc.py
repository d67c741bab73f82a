"""DVC: files as they were at a git revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.errors import MissingDataError

if TYPE_CHECKING:
    from pathlib import Path


def fetch(root: Path, path: Path, revision: str, target: Path) -> Path:
    """Copy a file of a project as it was at a revision, from git, DVC's cache or its remote; returns `target`.

    Raises
    ------
    MissingDataError
        If there is no such revision, it has no such file, or nobody kept it.
    """
    from dvc.api import DVCFileSystem  # noqa: PLC0415 - DVC takes a second to import
    from dvc.exceptions import DvcException  # noqa: PLC0415
    from dvc.scm import SCMError  # noqa: PLC0415

    inside = path.resolve().relative_to(root.resolve()).as_posix()
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        DVCFileSystem(str(root), rev=revision).get_file(inside, str(target))
    except (DvcException, SCMError, OSError) as error:
        raise MissingDataError(
            f"{inside} at {revision}: {str(error).splitlines()[0] if str(error) else type(error).__name__}",
            hint="see `git log` for revisions; `dvc fetch` brings what a remote keeps",
        ) from error
    return target
