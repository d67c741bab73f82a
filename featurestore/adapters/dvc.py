"""DVC: which files have a version, new versions of data files, and the files of a git revision."""

from __future__ import annotations

import hashlib
import logging
import shutil
import warnings
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from featurestore.adapters.git import git
from featurestore.errors import ConfigError, MissingDataError, StoreError, package_needed_by
from featurestore.storage.durable import make_folder
from featurestore.storage.inside import inside

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dvc.repo import Repo

    from featurestore.ports import StepFinder, VersionGap


NEEDED_BY = "versions of data in DVC"
# DVC shows no bar if these loggers are silent. A bar whose start is interrupted ends in an error of its own.
_BARS: Final = ("dvc.progress", "dvc_data.callbacks")


class DvcVersions:
    """Versions of data files in DVC, beside git."""

    def start(self, root: Path) -> tuple[str, ...]:
        """Make a git repository and a DVC repository of a folder that is inside none. Returns what was made.

        Raises
        ------
        ConfigError
            If git is not installed, or a repository cannot be made.
        """
        with package_needed_by(NEEDED_BY):
            from dvc.repo import Repo  # noqa: PLC0415 - DVC takes a second to import

        created = []
        top = git(root, "rev-parse", "--show-toplevel")
        if top is None:
            if git(root, "init", "--quiet") is None:
                raise ConfigError(f"{root}: git cannot make a repository", hint="install git")
            created.append("git")
        repo = _opened(root)
        if repo is not None:
            repo.close()
        else:
            is_below = top is not None and Path(top.strip()).resolve() != root.resolve()
            with _translated(root):
                Repo.init(str(root), subdir=is_below).close()
            created.append("dvc")
        return tuple(created)

    def gaps(self, root: Path, files: Sequence[Path]) -> dict[Path, VersionGap]:
        """Return the files of which neither DVC nor git has the content in place, each with the reason.

        A file that git tracks has a version: git itself shows what changed.
        """
        repo = _opened(root)
        if repo is None:
            return dict.fromkeys(_not_in_git(root, files), "no repository")
        with repo, _translated(root):
            owners = {file: _owner(repo, file) for file in files}
            changed = {out for out in owners.values() if out is not None and out.workspace_status()}
        gaps: dict[Path, VersionGap] = {f: "changed" for f, out in owners.items() if out in changed}
        without = [file for file, out in owners.items() if out is None]
        return gaps | dict.fromkeys(_not_in_git(root, without), "no version")

    def add(self, root: Path, paths: Sequence[Path]) -> tuple[Path, ...]:
        """Version files and folders as they are now, as ``dvc add`` does. Returns the ``.dvc`` files.

        Raises
        ------
        ConfigError
            If the folder is not inside a DVC repository, git ignores the ``.dvc`` file, or another output of DVC
            contains the path.
        """
        repo = _opened(root)
        if repo is None:
            raise ConfigError(f"{root}: is not inside a DVC repository", hint="run: git init && dvc init")
        with repo, _translated(root):
            stages = repo.add([str(path) for path in paths])
        return tuple(root / inside(root, Path(stage.path)) for stage in stages)

    def run(self, root: Path, step_of: StepFinder) -> tuple[str, ...]:
        """Run the stages that are out of date, as ``dvc repro`` does. Raises as `run_stages` does."""
        with package_needed_by(NEEDED_BY):
            from featurestore.adapters.dvc_stages import run_stages  # noqa: PLC0415 - DVC takes a second to import

        repo = _opened(root)
        if repo is None:
            raise ConfigError(f"{root}: is not inside a DVC repository", hint="run: git init && dvc init")
        with repo, _translated(root):
            return run_stages(repo, root, step_of)

    def fetch(self, root: Path, path: Path, revision: str, target: Path) -> Path:
        """Copy a file or folder of a git revision, and return `target`.

        It comes from git, DVC's cache or a DVC remote; or from its place, if its content there is that of the revision.

        Raises
        ------
        MissingDataError
            If the revision does not exist, has no such file, or neither the cache nor a remote has the
            file.
        """
        with package_needed_by(NEEDED_BY):
            from dvc.api import DVCFileSystem  # noqa: PLC0415 - DVC takes a second to import
            from dvc.exceptions import DvcException  # noqa: PLC0415
            from dvc.scm import SCMError  # noqa: PLC0415

        name = inside(root, path)
        make_folder(target.parent)
        try:
            with _silent(), closing(DVCFileSystem(str(root), rev=revision)) as files:
                _fetch(files, root, name, revision, target)
        except MissingDataError:
            raise
        except (DvcException, SCMError, OSError) as error:
            raise MissingDataError(
                f"{name} at {revision}: {_reason(error)}", hint="`git log` lists revisions"
            ) from error
        return target


def _fetch(files: Any, root: Path, name: str, revision: str, target: Path) -> None:
    from dvc_data.index import DataIndexDirError  # noqa: PLC0415 - DVC takes a second to import

    info: dict[str, Any] = {}
    try:
        info = files.info(name)
        if info["type"] == "directory":
            files.get(name, str(target), recursive=True)
        else:
            files.get_file(name, str(target))
    except (FileNotFoundError, DataIndexDirError) as error:
        if isinstance(error, FileNotFoundError) and not info:
            raise _without_version(name, revision) from error
        if not _is_in_place(root, root / name, info.get("md5")):
            raise MissingDataError(
                f"{name} at {revision}: neither DVC's cache nor a remote has it",
                hint="where they are kept, run: dvc push --all-commits; here, run: dvc fetch --all-commits",
            ) from error
        copy = shutil.copytree if info["type"] == "directory" else shutil.copyfile
        copy(root / name, target)


def _is_in_place(root: Path, path: Path, md5: str | None) -> bool:
    """Return whether the content in place has a hash of DVC; DVC's record of a folder has its hash."""
    if md5 is None or not path.exists():
        return False
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "md5").hexdigest() == md5
    repo = _opened(root)
    if repo is None:
        return False
    with repo, _translated(root):
        out = _owner(repo, path)
        return out is not None and out.hash_info.value == md5 and not out.workspace_status()


def _without_version(name: str, revision: str) -> MissingDataError:
    return MissingDataError(
        f"{name} has no version at {revision}",
        hint="`featurestore run` and `featurestore add` make versions, and `git commit` keeps them; "
        f"`git log -- dvc.lock {name}.dvc` lists revisions that have some",
    )


def _opened(root: Path) -> Repo | None:
    with package_needed_by(NEEDED_BY):
        from dvc.exceptions import NotDvcRepoError  # noqa: PLC0415 - DVC takes a second to import
        from dvc.repo import Repo  # noqa: PLC0415

    try:
        return Repo(str(root))
    except NotDvcRepoError:
        return None


@contextmanager
def _translated(root: Path) -> Iterator[None]:
    """Translate the errors of DVC, and keep its progress and the warnings about its own code to itself.

    Raises
    ------
    ConfigError
        If DVC refuses: a path cannot be versioned, or a file of DVC cannot be read.
    StoreError
        If another process holds DVC's lock.
    """
    from dvc.exceptions import DvcException  # noqa: PLC0415 - DVC takes a second to import
    from dvc.lock import LockError  # noqa: PLC0415

    try:
        with _silent(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"dvc(\.|$)")
            yield
    except LockError as error:
        raise StoreError(
            f"{root}: another process of DVC holds the repository", hint="wait for it to end", retry=True
        ) from error
    except DvcException as error:
        raise ConfigError(f"{root}: {_reason(error)}", hint="`dvc status` shows what DVC tracks") from error


@contextmanager
def _silent() -> Iterator[None]:
    """Show neither bars nor status lines of DVC while the block runs, also on a terminal."""
    from dvc.ui import ui  # noqa: PLC0415 - DVC takes a second to import

    levels = {"dvc": logging.WARNING, **dict.fromkeys(_BARS, logging.CRITICAL)}
    before = {name: logging.getLogger(name).level for name in levels}
    console = ui.error_console
    was_quiet = console.quiet
    try:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        console.quiet = True
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
        console.quiet = was_quiet


def _owner(repo: Repo, file: Path) -> Any:
    """Return the output of DVC that is a file, or a folder around it. None: there is none."""
    place = file.parent.resolve() / file.name  # DVC may link the file to its cache
    around = {str(path) for path in (place, *place.parents)}
    return next((out for out in repo.index.outs if out.fs_path in around and out.use_cache), None)


def _not_in_git(root: Path, files: Iterable[Path]) -> list[Path]:
    names = {inside(root, file): file for file in files}
    if not names:
        return []
    listed = git(root, "ls-files", "-z", "--", *names)
    tracked = set() if listed is None else set(listed.split("\0"))
    return [file for name, file in names.items() if name not in tracked]


def _reason(error: BaseException) -> str:
    text = (isinstance(error, OSError) and error.strerror) or str(error)
    return text.splitlines()[0] if text else type(error).__name__
