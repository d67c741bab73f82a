"""Training set: rows and labels, joined with the features that serving would have given at their timestamps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from msgspec import structs

from featurestore.definitions.fingerprint import fingerprint
from featurestore.errors import StoreError
from featurestore.labels.classes import pinned_classes
from featurestore.operations.read.locate import SERVED
from featurestore.operations.training_set.build_record import build_record
from featurestore.operations.training_set.fit import fitted_rows, fitted_tables, is_fitting_set, train_mask
from featurestore.operations.training_set.frozen_splits import require_frozen, split_changes
from featurestore.operations.training_set.label_rows import label_rows
from featurestore.operations.training_set.manifest import TrainingManifest
from featurestore.operations.training_set.served_answers import count_different_cells
from featurestore.operations.training_set.split_rows import label_counts, sample_rows, split_parts, split_rows
from featurestore.quality.gate.request_gate import RequestGate
from featurestore.quality.profile.profile import Profiler
from featurestore.splits.measure import has_classes
from featurestore.storage.datasets import dataset_path
from featurestore.storage.files import (
    read_record,
    sink_parquet,
    translated_write_errors,
    write_parquet,
    write_record,
)
from featurestore.storage.fingerprint import file_fingerprint
from featurestore.storage.fingerprint import fingerprint as digest_of
from featurestore.storage.fitted import keep_definition, write_state
from featurestore.storage.made_by import metadata_of, other_definition
from featurestore.storage.together import replaced_together
from featurestore.timing.join import STATUS_SUFFIX, Status, status_column
from featurestore.vectors.historical import historical

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from featurestore.definitions.feature_service import FeatureService, TrainingSet
    from featurestore.operations.training_set.frozen_splits import SplitChange
    from featurestore.operations.training_set.label_rows import LabelRows
    from featurestore.operations.training_set.served_labels import ServedCounts
    from featurestore.workspace import Workspace


def training_set(
    workspace: Workspace,
    name: str,
    *,
    as_of: datetime | str | None = None,
    on_split_change: Callable[[SplitChange], None] = lambda _: None,
) -> TrainingManifest:
    """Build a training set as Parquet, with a manifest and a profile beside it; fit the steps of its service; keep a record.

    A row whose label is not known yet is left out and counted, before the gate looks at its label. Labels of answers get
    the rows of the served log; of the labels of several labellers a policy keeps one.

    The rows are in the order of their content, by the columns that the schema declares unique or by time first: equal
    rows have an equal digest, in any order that the function returns.

    Parameters
    ----------
    as_of
        Build what could have been built at this timestamp: rows up to then, whose labels were known by then. None: the
        current time, if the training set says when labels are known; otherwise all rows.
    on_split_change
        Called with each validation or test split that differs from the build which this one replaces.

    Raises
    ------
    ConfigError
        If `as_of` is in the future, and the settings have no fixed timestamp.
    ContractError
        If no label is known, the entity rows break their contract, or the request values theirs, labels do not fit the
        served log or their policy, a label of several classes has none or a null, or a step cannot be fitted; the training
        set in place does not change.
    MissingDataError
        If a dataset is not built yet, or nothing was served that labels can be of.
    SkewError
        If another definition made a dataset or view that the training set reads; if its definition changed after this
        process read it; or if validation or test changed although definition and data did not.
    SplitError
        If a split has no rows, or lacks a class of the label, also after sampling.
    StoreError
        If a file cannot be written: all files of the training set stay as they were, or only the record is of the former
        build. If the manifest in place is damaged, and the training set declares a split.
    """
    layout = workspace.layout
    training = workspace.catalog.training_set(name)
    workspace.require_current(training)
    service = training.service
    timestamp = _label_time(workspace, training, as_of)
    labels = label_rows(workspace, training, timestamp)
    rows, left_out = split_rows(labels.rows, training)
    rows, sampled = sample_rows(rows, training)
    check = RequestGate(service).check_frame
    views = workspace.rows_of(service)
    joined = historical(rows, service, views, workspace.engine, check=check, statuses=True)
    result = joined.select(pl.exclude(f"^.*{STATUS_SUFFIX}$"))
    fitted = fitted_rows(workspace, training, result)
    label = result.get_column(training.label)
    manifest = TrainingManifest(
        name=name,
        service=service.name,
        rows=result.height,
        columns=tuple(result.columns),
        digest=digest_of(result),
        definition=fingerprint(service).digest,
        features={s.view.name: file_fingerprint(dataset_path(s.view, layout)) for s in service.reads},
        label=training.label,
        labels=label_counts(label) if has_classes(label) else {},
        classes=pinned_classes(label, train_mask(result), where=f"training set {name!r}"),
        statuses=_statuses(joined, service),
        train_statuses=_statuses(joined.filter(train_mask(joined)), service)
        if training.split or training.sample is not None
        else {},
        fingerprint=fingerprint(training),
        as_of=timestamp,
        immature=labels.immature,
        inputs=_inputs(workspace, training, labels),
        split=training.split,
        splits=split_parts(result, training),
        left_out=left_out,
        fitted=None if fitted is None else fitted.state.digest,
        sample=training.sample,
        sampled=sampled,
        labellers=training.labellers,
        agreement=labels.agreement,
        served=_served(labels, training, result),
    )
    before = former_manifest(workspace, name)
    changes = () if before is None else split_changes(before, manifest, at_given_time=as_of is not None)
    if not any(view.has_log for view in views):
        require_frozen(changes, name)
    path = layout.training(name)
    with replaced_together(layout, name) as files, translated_write_errors(path):
        profiler = Profiler(result.schema, dataset=name, contract=training.joined)
        sink_parquet(profiler.passed(result.lazy()), files.aside(path), metadata=metadata_of(training))
        write_record(manifest, files.aside(layout.training_manifest(name)))
        write_record(profiler.profile(), files.aside(layout.training_profile(name)), indent=0)
        if fitted is not None:
            vectors = files.aside(layout.fitted_training(name))
            write_parquet(fitted.rows, vectors, metadata=metadata_of(training))
        if fitted is not None and is_fitting_set(workspace.catalog, training):
            write_state(fitted.state, files.aside(layout.fitted(service.name)))
            keep_definition(service, layout)
    write_record(build_record(workspace, manifest, result, path), layout.training_record(name))
    for change in changes:
        on_split_change(change)
    return manifest


def _inputs(workspace: Workspace, training: TrainingSet, labels: LabelRows) -> dict[str, str]:
    inputs = {
        node.name: file_fingerprint(dataset_path(node, workspace.layout))
        for node in (*workspace.catalog.inputs(training), *fitted_tables(workspace.catalog, training))
    }
    return inputs if labels.log is None else inputs | {f"{SERVED}{training.service.name}": labels.log.digest}


def _served(labels: LabelRows, training: TrainingSet, joined: pl.DataFrame) -> ServedCounts | None:
    if labels.counts is None or labels.log is None:
        return None
    different = count_different_cells(joined, training, labels.log)
    return structs.replace(labels.counts, different=different)


def _statuses(joined: pl.DataFrame, service: FeatureService) -> dict[str, dict[str, int]]:
    return {
        name: {
            Status(int(value)).name: count
            for value, count in label_counts(joined[status_column(name)]).items()
        }
        for name in service.feature_names
    }


def _label_time(workspace: Workspace, training: TrainingSet, as_of: datetime | str | None) -> datetime | None:
    """Return the time at which labels must be known; None: all are. Raises `ConfigError` for a time in the future."""
    if as_of is not None:
        return workspace.settings.require_reached(workspace.timestamp(as_of), for_labels=True)
    return None if training.matures is None else workspace.now()


def training_manifest(workspace: Workspace, name: str) -> TrainingManifest | None:
    """Read the manifest of a training set; None: the training set is not built yet."""
    path = workspace.layout.training_manifest(workspace.catalog.training_set(name).name)
    if not path.exists():
        return None
    return read_record(path, TrainingManifest, made_by=f"featurestore training-set {name}")


def former_manifest(workspace: Workspace, name: str) -> TrainingManifest | None:
    """Read the manifest that a build replaces; None: there is none, or it is damaged and no split is frozen by it.

    Raises
    ------
    StoreError
        If it is damaged, and the training set declares a split.
    """
    try:
        return training_manifest(workspace, name)
    except StoreError as error:
        if not workspace.catalog.training_set(name).split:
            return None
        raise StoreError(
            f"{error.message}; so validation and test cannot be compared with the last build",
            hint=f"run: dvc checkout training-set-{name}; or remove the file, if validation and test may change",
        ) from error


def require_same_service(workspace: Workspace, name: str) -> None:
    """Refuse a training set on disk that was joined with another definition of its service.

    Raises
    ------
    SkewError
        If it was. A training set that is not built yet passes.
    """
    training = workspace.catalog.training_set(name)
    manifest = training_manifest(workspace, name)
    if manifest is not None and manifest.definition != fingerprint(training.service).digest:
        raise other_definition(
            f"training set {name} was made with another definition of service {training.service.name!r}",
            manifest.fingerprint,
            training,
        )


def require_same_definition(workspace: Workspace, name: str) -> None:
    """Refuse a training set on disk that its own definition, or one that it reads, would not make any more.

    Raises
    ------
    SkewError
        If its function, its contract, its service or a dataset that it reads was changed since. A training set that
        is not built yet passes.
    """
    require_same_service(workspace, name)
    training = workspace.catalog.training_set(name)
    manifest = training_manifest(workspace, name)
    now = fingerprint(training)
    before = None if manifest is None else manifest.fingerprint
    if manifest is not None and (before is None or before.digest != now.digest):
        raise other_definition(f"training set {name} was made by another definition of it", before, training)
