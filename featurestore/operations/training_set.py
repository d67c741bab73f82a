"""Training set: rows and labels, joined with the features that serving would have given at their timestamps."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
import polars as pl

from featurestore.definitions.fingerprint import Fingerprint, fingerprint
from featurestore.errors import ContractError
from featurestore.operations.inputs import in_total_order, inputs_of
from featurestore.quality.gate.inspection import admit, inspect
from featurestore.quality.gate.request_gate import RequestGate
from featurestore.quality.profile.profile import Profiler
from featurestore.storage.datasets import dataset_path
from featurestore.storage.files import read_record, sink_parquet, translated_write_errors, write_record
from featurestore.storage.fingerprint import file_fingerprint
from featurestore.storage.fingerprint import fingerprint as digest_of
from featurestore.storage.made_by import metadata_of, other_definition
from featurestore.storage.together import replaced_together
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.join import STATUS_SUFFIX, Status, status_column
from featurestore.values.escapes import one_line
from featurestore.values.html_table import html_table
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.values.wording import counted
from featurestore.vectors.historical import historical

if TYPE_CHECKING:
    from featurestore.definitions.feature_service import TrainingSet
    from featurestore.workspace import Workspace


class TrainingManifest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a training set holds, and what it was built from.

    Attributes
    ----------
    digest
        Digest of the content (`featurestore.storage.fingerprint`).
    definition
        Digest of the definition of the feature service that was joined.
    features
        Digests of the feature files that were read, by view.
    label
        The column of labels.
    labels
        Row counts by value of the label.
    statuses
        For each feature, the number of values with each status.
    fingerprint
        What the training set was made by, with every definition that it reads. None: the manifest is of a former
        version of featurestore.
    as_of
        The timestamp at which labels had to be known. None: the training set does not say when labels are known, and
        was built with all of its rows.
    immature
        How many rows were left out, because their label was not known at `as_of`.
    """

    name: str
    service: str
    rows: int
    columns: tuple[str, ...]
    digest: str
    definition: str
    features: dict[str, str]
    label: str
    labels: dict[str, int]
    statuses: dict[str, dict[str, int]]
    fingerprint: Fingerprint | None = None
    as_of: datetime | None = None
    immature: int = 0

    def _repr_html_(self) -> str:
        size = f"{counted(self.rows, 'row')}, {counted(len(self.columns), 'column')}"
        labels = ", ".join(f"{one_line(value)} {count:,}" for value, count in self.labels.items())
        title = f"training set {self.name} of service {self.service}: {size}; {self.label}: {labels}; {self.digest}"
        if self.as_of is not None:
            title += f"; {counted(self.immature, 'row')} left out: {self.label} was not known at {self.as_of.isoformat()}"
        statuses = list(dict.fromkeys(status for counts in self.statuses.values() for status in counts))
        rows = [
            (name, *(counts.get(status, 0) for status in statuses)) for name, counts in self.statuses.items()
        ]
        return html_table(title, ("feature", *statuses), rows)


def training_set(workspace: Workspace, name: str, *, as_of: datetime | str | None = None) -> TrainingManifest:
    """Build a training set as Parquet, with a manifest and a profile beside it.

    A row whose label is not known yet is left out and counted, before the gate looks at its label.

    The rows are in the order of their content, by the columns that the schema declares unique or by time first: equal
    rows have an equal digest, in any order that the function returns.

    Parameters
    ----------
    as_of
        Build what could have been built at this timestamp: rows up to then, whose labels were known by then. None: the
        current time, if the training set says when labels are known; otherwise all rows.

    Raises
    ------
    ConfigError
        If `as_of` is in the future, and the settings have no fixed timestamp.
    ContractError
        If no label is known, or the entity rows break their contract, or the request values theirs; the training set in place does not change.
    MissingDataError
        If a dataset is not built yet.
    SkewError
        If another definition made a dataset or view that the training set reads.
    StoreError
        If a file cannot be written; all files of the training set stay as they were.
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
    check = RequestGate(service).check_frame
    views = workspace.rows_of(service)
    joined = historical(rows, service, views, workspace.engine, check=check, statuses=True)
    result = joined.select(pl.exclude(f"^.*{STATUS_SUFFIX}$"))
    manifest = TrainingManifest(
        name=name,
        service=service.name,
        rows=result.height,
        columns=tuple(result.columns),
        digest=digest_of(result),
        definition=fingerprint(service).digest,
        features={s.view.name: file_fingerprint(dataset_path(s.view, layout)) for s in service.reads},
        label=training.label,
        labels=_counts(result.get_column(training.label)),
        statuses={
            name: {
                Status(int(value)).name: count
                for value, count in _counts(joined[status_column(name)]).items()
            }
            for name in service.feature_names
        },
        fingerprint=fingerprint(training),
        as_of=timestamp,
        immature=immature,
    )
    path = layout.training(name)
    with replaced_together(layout, name) as files, translated_write_errors(path):
        profiler = Profiler(result.schema, dataset=name, contract=training.joined)
        sink_parquet(profiler.passed(result.lazy()), files.aside(path), metadata=metadata_of(training))
        write_record(manifest, files.aside(layout.training_manifest(name)))
        write_record(profiler.profile(), files.aside(layout.training_profile(name)), indent=0)
    return manifest


def _label_time(workspace: Workspace, training: TrainingSet, as_of: datetime | str | None) -> datetime | None:
    """Return the time at which labels must be known; None: all are. Raises `ConfigError` for a time in the future."""
    if as_of is not None:
        return workspace.settings.require_reached(workspace.timestamp(as_of))
    return None if training.matures is None else workspace.now()


def _mature(rows: pl.DataFrame, training: TrainingSet, as_of: datetime | None) -> pl.DataFrame:
    """Keep the rows whose label is known at a timestamp.

    A row without a timestamp stays, and so do all rows if a timestamp has another dtype: the gate refuses them.
    """
    column = training.matures if isinstance(training.matures, str) else EVENT_TIMESTAMP
    if as_of is None or not all(_is_time(rows.schema.get(name)) for name in (column, EVENT_TIMESTAMP)):
        return rows
    limit = pl.lit(as_of, dtype=UTC_MICROSECONDS)
    is_reached = (pl.col(EVENT_TIMESTAMP) <= limit).fill_null(value=True)
    if isinstance(training.matures, str):
        return rows.filter(is_reached & (pl.col(column) <= limit))
    if training.matures is not None:
        known = pl.col(EVENT_TIMESTAMP) + pl.lit(training.matures, dtype=pl.Duration("us"))
        is_reached = (known <= limit).fill_null(value=True)
    return rows.filter(is_reached)


def _is_time(dtype: pl.DataType | None) -> bool:
    return isinstance(dtype, pl.Datetime) and dtype.time_zone is not None


def training_manifest(workspace: Workspace, name: str) -> TrainingManifest | None:
    """Read the manifest of a training set; None: the training set is not built yet."""
    path = workspace.layout.training_manifest(workspace.catalog.training_set(name).name)
    if not path.exists():
        return None
    return read_record(path, TrainingManifest, made_by=f"featurestore training-set {name}")


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


def _counts(values: pl.Series) -> dict[str, int]:
    counted = values.value_counts(name="rows").sort(values.name, nulls_last=True)
    return {str(value): count for value, count in counted.rows()}
