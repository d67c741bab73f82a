"""Rebuild: build a training set again from its revision and its data, and compare every digest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from featurestore.adapters.git import first_commit_with, work_tree
from featurestore.config import load_settings
from featurestore.definitions.fingerprint import differences
from featurestore.definitions.vector import fitting_set
from featurestore.errors import ConfigError, MissingDataError, SkewError
from featurestore.operations.build.build import build
from featurestore.operations.ingest import ingest
from featurestore.operations.rebuild.record import record_for
from featurestore.operations.training_set.build_record import LOCK, BuildRecord, raw_path, upstream
from featurestore.operations.training_set.training_set import training_set
from featurestore.operations.validate.validate import validate
from featurestore.storage.files import read_record
from featurestore.storage.layout import has_version
from featurestore.values.wording import counted
from featurestore.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from featurestore.definitions.source import Source

MAX_REASONS = 10


class Rebuilt(msgspec.Struct, frozen=True, kw_only=True):
    """What a training set is that was built again.

    Attributes
    ----------
    revision
        The git commit that it was built from.
    digest_before, digest
        Digests of the values, of the record and of the build.
    same_values, same_bytes
        Whether the values, and the bytes of the file, are equal. None: the bytes are not recorded.
    rows_before, rows
        How many rows there were, and are.
    column
        The first column whose values differ, that is gone, or that is new. None: there is none, the number of rows differs,
        or the digests of columns are not recorded.
    reasons
        What differs between the builds, as text: definitions, packages, data. Empty: nothing that is recorded.
    """

    name: str
    revision: str
    digest_before: str
    digest: str
    same_values: bool
    same_bytes: bool | None
    rows_before: int
    rows: int
    column: str | None
    reasons: tuple[str, ...]

    def require_same(self) -> None:
        """Raise `SkewError` if the values differ, with the first column and the reasons."""
        if not self.same_values:
            if self.column is not None:
                place = f"column {self.column!r}"
            elif self.digest == self.digest_before:
                place = "what the steps of its service learned"
            elif self.rows != self.rows_before:
                place = f"the number of its rows ({self.rows_before:,} -> {self.rows:,})"
            else:
                place = "the order of its columns, or a value that is not recorded by column"
            reasons = [f"\n  {reason}" for reason in self.reasons[:MAX_REASONS]]
            raise SkewError(
                f"training set {self.name!r} of revision {self.revision}: {place} differs first"
                f"{':' if reasons else ''}{''.join(reasons)}",
                hint="install the recorded packages, or get the recorded data"
                if self.reasons
                else f"run at this revision: featurestore check --reproducible {self.name}",
                definition=self.name,
            )


def rebuild(
    workspace: Workspace, manifest: Path | str, *, progress: Callable[[str], None] = lambda _: None
) -> Rebuilt:
    """Build a training set again in a clean work tree of its revision, and compare it with its record.

    Raw data come from git, DVC's cache or a DVC remote, or from where their source fetches them; all else is computed. The
    project's own data do not change.

    Parameters
    ----------
    manifest
        The record of the build, the manifest of a training set, or its name: see
        `featurestore.operations.rebuild.record.record_for`.
    progress
        Called with the name of each step.

    Raises
    ------
    ConfigError
        If the project is in no git repository.
    MissingDataError
        If there is no such record, the revision or raw data are gone, or the code was never committed.
    StoreError
        If the file is neither a record nor a manifest.
    """
    record = record_for(workspace, manifest)
    revision = _revision(workspace, record)
    with work_tree(workspace.root, revision) as root:
        settings = load_settings(root)
        # Rules about time see the clock of the build.
        if settings.as_of is None:
            settings = replace(settings, as_of=record.built_at)
        clean = Workspace.of(settings, workspace.parts)
        training = clean.catalog.training_set(record.manifest.name)
        fitting = fitting_set(clean.catalog, training.service) if training.service.steps else training
        sources, derived = upstream(clean, fitting, training)
        progress("data")
        _get_data(workspace, clean, sources, revision, record)
        for source in sources:
            progress(source.name)
            validate(clean, source.name)
        for node in derived:
            progress(node.name)
            build(clean, node.name)
        progress(training.name)
        if fitting is not training:
            # Its state is applied to the training set.
            training_set(clean, fitting.name)
        as_of = record.manifest.as_of
        training_set(clean, training.name, as_of=as_of)
        now = read_record(
            clean.layout.training_record(training.name), BuildRecord, made_by="featurestore rebuild"
        )
    same_state = now.manifest.fitted == record.manifest.fitted
    same_values = now.manifest.digest == record.manifest.digest and same_state
    return Rebuilt(
        name=training.name,
        revision=revision,
        digest_before=record.manifest.digest,
        digest=now.manifest.digest,
        same_values=same_values,
        same_bytes=None if record.file is None else now.file == record.file,
        rows_before=record.manifest.rows,
        rows=now.manifest.rows,
        column=None if same_values else _first_column(record, now),
        reasons=tuple(_reasons(record, now)),
    )


def _revision(workspace: Workspace, record: BuildRecord) -> str:
    """Return the commit to build from: the first that holds the result, or the one that was checked out.

    A run builds before its code and its dvc.lock are committed: the commit that was checked out does not have them.
    """
    hashes = [record.md5] if record.state_md5 is None else [record.md5, record.state_md5]
    committed = first_commit_with(workspace.root, hashes, LOCK)
    if committed is not None:
        return committed
    if record.revision is None:
        raise ConfigError(
            f"training set {record.manifest.name!r} was built outside of a git repository",
            hint="run: git init, commit the project, then build it again",
        )
    if record.changed:
        raise MissingDataError(
            f"training set {record.manifest.name!r} was built from {counted(len(record.changed), 'file')} that differed from "
            f"revision {record.revision}: {', '.join(record.changed[:MAX_REASONS])}; no commit has its result",
            hint="commit these files with dvc.lock, or build the training set again from a commit",
        )
    return record.revision


def _get_data(
    workspace: Workspace, clean: Workspace, sources: list[Source], revision: str, record: BuildRecord
) -> None:
    """Put raw data and the logs of pushed rows and of answers into a work tree.

    Raises
    ------
    MissingDataError
        If some cannot be had. Names each with DVC's hash, and how to pull them.
    """
    gone = []
    for source in sources:
        target = raw_path(clean, source)
        if target.exists():
            continue
        try:
            workspace.parts.versions.fetch(
                workspace.root, _in_project(workspace, clean, target), revision, target
            )
        except MissingDataError:
            if source.origin is None:
                gone.append(target)
            else:
                ingest(clean, source.name)
    for log in (clean.layout.all_pushed, clean.layout.all_served):
        if has_version(log):
            try:
                workspace.parts.versions.fetch(
                    workspace.root, _in_project(workspace, clean, log), revision, log
                )
            except MissingDataError:
                gone.append(log)
    if gone:
        names = [path.relative_to(clean.root).as_posix() for path in gone]
        listing = ", ".join(
            f"{name} (md5 {record.data[name]})" if name in record.data else name for name in names
        )
        raise MissingDataError(
            f"data of training set {record.manifest.name!r} at revision {revision} are in neither DVC's cache nor a "
            f"remote: {listing}",
            hint=f"where they are kept, run: dvc push --all-commits; here, run: git checkout {revision} && dvc pull "
            f"{' '.join(names)}",
        )


def _in_project(workspace: Workspace, clean: Workspace, path: Path) -> Path:
    return workspace.root / path.relative_to(clean.root)


def _first_column(before: BuildRecord, now: BuildRecord) -> str | None:
    """Return the first column that differs, is gone or is new; None: none is known, or the number of rows differs."""
    if before.manifest.rows != now.manifest.rows or not before.columns:
        return None
    names = dict.fromkeys((*before.columns, *now.columns))
    return next((name for name in names if before.columns.get(name) != now.columns.get(name)), None)


def _reasons(before: BuildRecord, now: BuildRecord) -> Iterator[str]:
    """Say what differs between two builds: columns first, then definitions and packages, then data."""
    gone = [name for name in before.manifest.columns if name not in now.manifest.columns]
    new = [name for name in now.manifest.columns if name not in before.manifest.columns]
    if gone or new:
        yield f"columns {', '.join(gone) or '(none)'} -> {', '.join(new) or '(none)'}"
    if before.manifest.fingerprint is not None and now.manifest.fingerprint is not None:
        for difference in differences(before.manifest.fingerprint, now.manifest.fingerprint):
            yield difference.text
    logged = () if before.logged is None else {*before.logged} ^ {*(now.logged or ())}
    for name in sorted(logged):
        yield f"pushed or deleted rows of {name} went into one build only: `featurestore run` gives them a version"
    for name, package in before.packages.items():
        if now.packages.get(name) != package:
            yield f"package {name} {package} -> {now.packages.get(name)}"
    if before.manifest.fitted != now.manifest.fitted:
        yield f"fitted state {before.manifest.fitted} -> {now.manifest.fitted}"
    files_before = {**before.manifest.inputs, **before.manifest.features}
    files = {**now.manifest.inputs, **now.manifest.features}
    for name, digest in files_before.items():
        if files.get(name) != digest:
            yield f"rows of {name} {digest} -> {files.get(name, 'not read')}"
