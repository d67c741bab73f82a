"""The record that a training set is built again from: that of the build, or what a manifest and git know of it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from featurestore.adapters.git import commit_time, first_commit_with
from featurestore.errors import MissingDataError, StoreError
from featurestore.operations.training_set.build_record import LOCK, BuildRecord
from featurestore.operations.training_set.manifest import TrainingManifest
from featurestore.storage.fingerprint import file_fingerprint, fingerprint
from featurestore.storage.parquet import read_files

if TYPE_CHECKING:
    from featurestore.workspace import Workspace

T = TypeVar("T")


def record_for(workspace: Workspace, manifest: Path | str) -> BuildRecord:
    """Read the record of a build.

    Parameters
    ----------
    manifest
        The record or a copy of it; the manifest of a training set (``data/training/NAME.json``) or a copy; or the name of
        a training set, for the set in place. A manifest whose record is not here, as in a clone, needs a commit whose
        dvc.lock names the manifest.

    Raises
    ------
    MissingDataError
        If there is no such file, or neither a record nor a commit belongs to the manifest.
    StoreError
        If the file holds neither a record nor a manifest.
    """
    is_name = str(manifest) in workspace.catalog.training_sets
    path = workspace.layout.training_manifest(str(manifest)) if is_name else Path(manifest)
    if not path.is_file():
        command = f"featurestore training-set {manifest if is_name else ''}".strip()
        raise MissingDataError(f"{path}: does not exist", hint=f"run: {command}; or name another manifest")
    content = path.read_bytes()
    record = _decoded(content, BuildRecord)
    if record is not None:
        return record
    decoded = _decoded(content, TrainingManifest)
    if decoded is None:
        raise StoreError(
            f"{path}: is neither the record of a build nor the manifest of a training set",
            hint="name data/records/training/NAME.json or data/training/NAME.json, or a copy",
        )
    kept = workspace.layout.training_record(decoded.name)
    record = _decoded(kept.read_bytes(), BuildRecord) if kept.is_file() else None
    if record is not None and record.manifest == decoded:
        return record
    return _from_git(workspace, path, content, decoded)


def _from_git(workspace: Workspace, path: Path, content: bytes, manifest: TrainingManifest) -> BuildRecord:
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    revision = first_commit_with(workspace.root, [md5], LOCK)
    if revision is None:
        raise MissingDataError(
            f"{path}: the record of its build is not here, and no commit has the manifest in {LOCK}",
            hint=f"name the record, a copy of data/records/training/{manifest.name}.json; or build the training set again: "
            f"featurestore training-set {manifest.name}",
        )
    rows_path = path.with_suffix(".parquet")
    rows = read_files(rows_path) if rows_path.is_file() else None
    is_kept = rows is not None and fingerprint(rows) == manifest.digest
    return BuildRecord(
        manifest=manifest,
        columns={c.name: fingerprint(c.to_frame()) for c in rows} if rows is not None and is_kept else {},
        file=file_fingerprint(rows_path) if is_kept else None,
        md5=md5,
        revision=revision,
        changed=(),
        data={},
        logged=None,
        packages={},
        built_at=commit_time(workspace.root, revision),
    )


def _decoded(content: bytes, kind: type[T]) -> T | None:
    """Decode a record of a kind; None: the content is not one."""
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError:
        return None
