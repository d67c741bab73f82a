"""DVC: the files of a git revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.errors import MissingDataError, package_needed_by

if TYPE_CHECKING:
    from pathlib import Path


def fetch(root: Path, path: Path, revision: str, target: Path) -> Path:
    """Copy a file of a git revision from git, DVC's cache or a DVC remote, and return `target`.

    Raises
    ------
    MissingDataError
        If the revision does not exist, has no such file, or neither the cache nor a remote has the
        file.
    MissingPackageError
        If DVC is not installed.
    """
    with package_needed_by("a dataset of a git revision"):
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
            hint="`git log` lists revisions; `dvc fetch` gets files from the remote",
        ) from error
    return target
