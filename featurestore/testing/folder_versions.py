"""Versions of data files in a folder, without git and DVC, for tests."""

from __future__ import annotations

import shutil
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec
import yaml

from featurestore.errors import ConfigError, MissingDataError
from featurestore.storage.files import atomic_write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from featurestore.ports import StepFinder, VersionGap

FOLDER = ".versions"
SUFFIX = ".version"


class FolderVersions:
    """Versions (`featurestore.ports.DatasetVersions`) whose contents are kept in the folder ``.versions`` of a project.

    It passes `featurestore.testing.require_versions`, as the versions of DVC do. The record of a file or folder is
    beside it, and has the digest of each file. It is for one process: it takes no locks.
    """

    def start(self, root: Path) -> tuple[str, ...]:
        """Make the folder of the versions, if it is missing. Returns the name of what was made."""
        if (root / FOLDER).is_dir():
            return ()
        (root / FOLDER).mkdir(parents=True)
        return ("versions",)

    def gaps(self, root: Path, files: Sequence[Path]) -> dict[Path, VersionGap]:
        """Return the files whose content in place has no version, each with the reason."""
        if not (root / FOLDER).is_dir():
            return dict.fromkeys(files, "no repository")
        gaps: dict[Path, VersionGap] = {}
        for file in files:
            record = _record_around(root, file)
            if record is None:
                gaps[file] = "no version"
            elif _read(record) != _digests(root, record.with_name(record.name.removesuffix(SUFFIX))):
                gaps[file] = "changed"
        return gaps

    def add(self, root: Path, paths: Sequence[Path]) -> tuple[Path, ...]:
        """Version files and folders as they are now. Returns the records.

        Raises
        ------
        ConfigError
            If the project has no folder of versions, or a path does not exist.
        """
        self._require(root)
        if missing := [path for path in paths if not path.exists()]:
            raise ConfigError(f"{missing[0]}: does not exist", hint="name a file or folder that exists")
        records = []
        for path in paths:
            digests = _digests(root, path)
            for name, digest in digests.items():
                _copy(root / name, root / FOLDER / digest)
            records.append(path.with_name(f"{path.name}{SUFFIX}"))
            _write(digests, records[-1])
        return tuple(records)

    def run(self, root: Path, step_of: StepFinder) -> tuple[str, ...]:
        """Run the stages of dvc.yaml, in their order, whose command, inputs or outputs are others than after their last run.

        Data that changed get a new version first, as with DVC.

        Raises
        ------
        ConfigError
            If the project has no folder of versions or no dvc.yaml, or a stage is not one of ours.
        """
        self._require(root)
        path = root / "dvc.yaml"
        if not path.is_file():
            raise ConfigError(f"{root}: has no dvc.yaml", hint="run: featurestore pipeline --write")
        ran = []
        for record in _records(root):
            data = record.with_name(record.name.removesuffix(SUFFIX))
            if data.exists() and _read(record) != _digests(root, data):
                self.add(root, [data])
                ran.append(data.relative_to(root).as_posix())
        for name, stage in yaml.safe_load(path.read_text(encoding="utf-8"))["stages"].items():
            done = root / FOLDER / f"{name}.stage"
            if done.exists() and _read(done) == _state(root, stage):
                continue
            step = step_of(name, stage["cmd"])
            if step is None:
                raise ConfigError(
                    f"stage {name!r}: is not one of ours; expected one", hint="use DVC for such stages"
                )
            step()
            _write(_state(root, stage), done)
            ran.append(name)
        return tuple(ran)

    def fetch(self, root: Path, path: Path, revision: str, target: Path) -> Path:
        """Copy a file or folder, as it was at a revision, to `target`. Returns `target`.

        Raises
        ------
        MissingDataError
            If the revision does not exist, or has no such file.
        """
        kept = root / FOLDER / f"{revision}.revision"
        name = path.resolve().relative_to(root.resolve()).as_posix()
        digests = _read(kept) if kept.is_file() else {}
        below = [file for file in digests if file.startswith(f"{name}/")]
        if below:
            for file in below:
                _copy(root / FOLDER / digests[file], target / file.removeprefix(f"{name}/"))
            return target
        if name not in digests:
            raise MissingDataError(f"{name} at {revision}: has no version", hint="name another revision")
        return _copy(root / FOLDER / digests[name], target)

    def commit(self, root: Path) -> str:
        """Keep the records of all data as a revision. Returns its name."""
        digests = {name: digest for record in _records(root) for name, digest in _read(record).items()}
        revision = f"r{len(list((root / FOLDER).glob('*.revision')))}"
        _write(digests, root / FOLDER / f"{revision}.revision")
        return revision

    def _require(self, root: Path) -> None:
        if not (root / FOLDER).is_dir():
            raise ConfigError(f"{root}: has no folder {FOLDER}", hint="call start first")


def _records(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob(f"*{SUFFIX}") if path.is_file())


def _record_around(root: Path, file: Path) -> Path | None:
    """Return the record of a file, or of a folder around it."""
    inside = [path for path in (file, *file.parents) if path != root and path.is_relative_to(root)]
    records = [path.with_name(f"{path.name}{SUFFIX}") for path in inside]
    return next((record for record in records if record.is_file()), None)


def _digests(root: Path, path: Path) -> dict[str, str]:
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    return {file.relative_to(root).as_posix(): _digest(file) for file in files if file.exists()}


def _digest(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()


def _state(root: Path, stage: Mapping[str, object]) -> dict[str, str]:
    """Return the command of a stage, and the digests of its inputs and outputs."""
    state = {"": str(stage["cmd"])}
    for part in ("deps", "outs"):
        values = stage.get(part, [])
        for value in values if isinstance(values, list) else []:
            name = next(iter(value)) if isinstance(value, dict) else value
            state |= {name: "", **_digests(root, root / name)}
    return state


def _copy(source: Path, target: Path) -> Path:
    with atomic_write(target) as partial:
        shutil.copyfile(source, partial)
    return target


def _write(digests: dict[str, str], path: Path) -> None:
    with atomic_write(path) as partial:
        partial.write_bytes(msgspec.json.encode(digests, order="sorted"))


def _read(path: Path) -> dict[str, str]:
    return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
