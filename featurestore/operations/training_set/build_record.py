"""The record of a build of a training set: all that is needed to build it again, and to see that it is the same."""

from __future__ import annotations

import hashlib
import platform
from contextlib import suppress
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final

import msgspec
import yaml

from featurestore.adapters.git import changed_files, revision_of
from featurestore.definitions.source import Source
from featurestore.errors import MissingDataError
from featurestore.operations.training_set.manifest import TrainingManifest
from featurestore.quality.rules.expectations import referenced
from featurestore.storage.files import read_record
from featurestore.storage.fingerprint import file_fingerprint, fingerprint
from featurestore.storage.layout import version_record

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from featurestore.definitions.catalog import Derived, Node
    from featurestore.definitions.feature_service import TrainingSet
    from featurestore.workspace import Workspace

LOCK: Final = "dvc.lock"
PACKAGES: Final = ("featurestore", "polars", "numpy", "pyarrow", "duckdb", "scikit-learn")


class BuildRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a training set was built from, and what came out.

    Attributes
    ----------
    manifest
        The manifest: digests, fingerprint, timestamps, seeds, splits.
    columns
        Digest of the values of each column.
    file
        Digest of the bytes of the Parquet file. None: not known, as for a manifest without a record.
    md5
        The hash by which DVC knows the Parquet file; for a manifest without a record, the manifest.
    state_md5
        The hash by which DVC knows the fitted state of the service. None: it has no steps, or the hash is not known.
    revision
        The git commit that was checked out. None: the project is in no repository.
    changed
        Files of the project that differed from the commit. dvc.lock, which a run writes, does not count.
    data
        DVC's hashes of the raw files, datasets and features that went in, by path. Empty without DVC.
    logged
        The views whose pushed or deleted rows went in. None: not known.
    packages
        Versions of Python and of the packages that compute.
    built_at
        When it was built, in UTC: the clock of rules about time.
    """

    manifest: TrainingManifest
    columns: dict[str, str]
    file: str | None
    md5: str
    revision: str | None
    changed: tuple[str, ...]
    data: dict[str, str]
    logged: tuple[str, ...] | None
    packages: dict[str, str]
    built_at: datetime
    state_md5: str | None = None


def build_record(
    workspace: Workspace, manifest: TrainingManifest, rows: pl.DataFrame, path: Path
) -> BuildRecord:
    """Describe a build of a training set, whose rows are in a file."""
    training = workspace.catalog.training_set(manifest.name)
    root = workspace.root
    return BuildRecord(
        manifest=manifest,
        columns={column.name: fingerprint(column.to_frame()) for column in rows},
        file=file_fingerprint(path),
        md5=_md5(path),
        state_md5=None if manifest.fitted is None else _md5(workspace.layout.fitted(manifest.service)),
        revision=revision_of(root),
        changed=tuple(name for name in changed_files(root) if name != LOCK),
        data=_data_hashes(workspace, training),
        logged=tuple(
            rows.selection.view.name for rows in workspace.rows_of(training.service) if rows.has_log
        ),
        packages={"python": platform.python_version(), **_versions()},
        built_at=workspace.now(),
    )


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def last_record(workspace: Workspace, name: str) -> BuildRecord:
    """Read the record of the build that made the training set on disk.

    Raises
    ------
    MissingDataError
        If the training set is not built here, or the record is of another build: DVC restores results, and no records.
    """
    command = f"featurestore training-set {name}"
    layout = workspace.layout
    manifest = read_record(layout.training_manifest(name), TrainingManifest, made_by=command)
    record = read_record(layout.training_record(name), BuildRecord, made_by=command)
    if record.manifest != manifest:
        raise MissingDataError(
            f"{layout.training_record(name)} is the record of another build than the training set in place",
            hint=f"run: {command}",
        )
    return record


def _versions() -> dict[str, str]:
    """Return the versions of the packages that are installed: a serving machine does not have all of them."""
    versions = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def upstream(workspace: Workspace, *training_sets: TrainingSet) -> tuple[list[Source], list[Derived]]:
    """List the sources, and the datasets and views in the order of their build, that training sets need."""
    catalog = workspace.catalog
    nodes: dict[str, Node] = {}
    waiting: list[Node] = []
    for training in training_sets:
        waiting += [*catalog.inputs(training), *(selection.view for selection in training.service.reads)]
        waiting += [*catalog.tables(training.service)]
        waiting += [catalog.node(name) for name in referenced(training.contract)]
    while waiting:
        node = waiting.pop()
        if node.name not in nodes:
            nodes[node.name] = node
            waiting += [catalog.node(name) for name in referenced(node.contract)]
            waiting += [] if isinstance(node, Source) else catalog.inputs(node)
    sources = [source for name, source in catalog.sources.items() if name in nodes]
    return sources, [derived for derived in catalog.build_order() if derived.name in nodes]


def raw_path(workspace: Workspace, source: Source) -> Path:
    """Return the raw file of a source, or the folder that holds its files."""
    return source.location(workspace.root / source.path)[0]


def _data_hashes(workspace: Workspace, training: TrainingSet) -> dict[str, str]:
    """Read DVC's hashes from its own records, without DVC: those of raw data, and of the stages that made the rest."""
    sources, derived = upstream(workspace, training)
    layout, root = workspace.layout, workspace.root
    paths = [raw_path(workspace, source) for source in sources]
    paths += [layout.dataset(node.name) for node in (*sources, *derived)]
    paths += [layout.features(node.name) for node in derived]
    paths += [layout.all_pushed, layout.all_served]
    wanted = {path.relative_to(root).as_posix() for path in paths if path.is_relative_to(root)}
    hashes: dict[str, str] = {}
    for stage in _parsed(root / LOCK).get("stages", {}).values():
        for entry in (*stage.get("deps", ()), *stage.get("outs", ())):
            hashes[entry["path"]] = entry.get("md5", "")
    for path in paths:
        for entry in _parsed(version_record(path)).get("outs", ()):
            hashes[path.relative_to(root).as_posix()] = entry.get("md5", "")
    return {path: digest for path, digest in sorted(hashes.items()) if path in wanted and digest}


def _parsed(path: Path) -> dict[str, Any]:
    content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    return content if isinstance(content, dict) else {}
