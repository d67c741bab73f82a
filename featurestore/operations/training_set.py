"""Training set: rows and labels, joined with the features that serving would have given at their timestamps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.definitions.fingerprint import fingerprint
from featurestore.definitions.known import Known
from featurestore.errors import ContractError, StoreError
from featurestore.operations.build_record import build_record
from featurestore.operations.fit import fitted_rows, fitted_tables, is_fitting_set, train_mask
from featurestore.operations.frozen_splits import require_frozen, split_changes
from featurestore.operations.inputs import in_total_order, inputs_of
from featurestore.operations.split_rows import label_counts, sample_rows, split_parts, split_rows
from featurestore.operations.training_manifest import TrainingManifest
from featurestore.quality.gate.inspection import admit, inspect
from featurestore.quality.gate.request_gate import RequestGate
from featurestore.quality.profile.profile import Profiler
from featurestore.splits.labels import pinned_classes
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
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.epoch import microseconds
from featurestore.timing.join import STATUS_SUFFIX, Status, status_column
from featurestore.values.wording import counted
from featurestore.vectors.historical import historical

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from featurestore.definitions.feature_service import FeatureService, TrainingSet
    from featurestore.operations.frozen_splits import SplitChange
    from featurestore.workspace import Workspace


def training_set(
    workspace: Workspace,
    name: str,
    *,
    as_of: datetime | str | None = None,
    on_split_change: Callable[[SplitChange], None] = lambda _: None,
) -> TrainingManifest:
    """Build a training set as Parquet, with a manifest and a profile beside it; fit the steps of its service; keep a record.

    A row whose label is not known yet is left out and counted, before the gate looks at its label.

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
        If no label is known, the entity rows break their contract, or the request values theirs, a step cannot be fitted,
        or a label of several classes has none or a null; the training set in place does not change.
    MissingDataError
        If a dataset is not built yet.
    SkewError
        If another definition made a dataset or view that the training set reads; or if validation or test changed
        although definition and data did not.
    SplitError
        If a split has no rows, or lacks a class of the label, also after sampling.
    StoreError
        If a file cannot be written: all files of the training set stay as they were, or only the record is of the former
        build. If the manifest in place is damaged, and the training set declares a split.
    """
    layout = workspace.layout
    training = workspace.catalog.training_set(name)
    service = training.service
    transformed = workspace.engine.transform(training, inputs_of(training, workspace.catalog, layout))
    timestamp = _label_time(workspace, training, as_of)
    mature = _mature(transformed, training, timestamp)
    if timestamp is not None and transformed.height and mature.is_empty():
        raise ContractError(
            f"training set {name!r}: no label was known at {timestamp.isoformat()}; all {counted(transformed.height, 'row')} "
            "would be left out",
            hint="build it later, or check `matures` and `as_of`",
        )
    admitted = admit(inspect(mature, training.contract, dataset=name))
    # Again: the gate reads timestamps that were text.
    rows = _mature(
        in_total_order(admitted.lazy(), training.contract, [EVENT_TIMESTAMP]).collect(), training, timestamp
    )
    immature = (transformed.height - mature.height) + (admitted.height - rows.height)
    rows, left_out = split_rows(rows, training)
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
        immature=immature,
        inputs={
            n.name: file_fingerprint(dataset_path(n, layout))
            for n in (*workspace.catalog.inputs(training), *fitted_tables(workspace.catalog, training))
        },
        split=training.split,
        splits=split_parts(result, training),
        left_out=left_out,
        fitted=None if fitted is None else fitted.state.digest,
        sample=training.sample,
        sampled=sampled,
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


def _mature(rows: pl.DataFrame, training: TrainingSet, as_of: datetime | None) -> pl.DataFrame:
    """Keep the rows whose label is known at a timestamp.

    A row without a timestamp stays, and so do all rows if a timestamp has another dtype: the gate refuses them.
    """
    known = training.matures or Known()
    needed = (*known.columns, EVENT_TIMESTAMP)
    if as_of is None or not all(_is_time(rows.schema.get(name)) for name in needed):
        return rows
    limit = microseconds(as_of)
    is_known = (Known((EVENT_TIMESTAMP,)).timestamp() <= limit) & (known.timestamp() <= limit)
    return rows.filter(is_known | pl.col(EVENT_TIMESTAMP).is_null())


def _is_time(dtype: pl.DataType | None) -> bool:
    return isinstance(dtype, pl.Datetime) and dtype.time_zone is not None


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
            fingerprint(training),
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
        raise other_definition(f"training set {name} was made by another definition of it", before, now)
