"""Audit of a kept training set: every row is joined again, and each cell compared with what was kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from featurestore.operations.audit.causes import Cause, cause_in_history
from featurestore.operations.audit.record import Compared, Difference, compare_cells
from featurestore.operations.training_set.manifest import TrainingManifest
from featurestore.storage.files import read_record, require_parquet
from featurestore.storage.fingerprint import content_fingerprint, file_fingerprint
from featurestore.storage.parquet import scan_files
from featurestore.storage.views import deleted_keys
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.epoch import EPOCH
from featurestore.timing.join import Status, status_column
from featurestore.values.key_columns import join_by_key
from featurestore.values.rounding import is_rounded
from featurestore.vectors.historical import historical

if TYPE_CHECKING:
    from datetime import datetime

    from featurestore.definitions.feature_service import FeatureService, TrainingSet
    from featurestore.definitions.feature_view import Selection
    from featurestore.operations.audit.causes import CauseOf
    from featurestore.ports import ViewRows
    from featurestore.workspace import Workspace

PATH = "training set"
BATCH_ROWS = 1 << 18
WHOLE = "(all rows)"


def audit_training_set(workspace: Workspace, training: TrainingSet) -> tuple[Compared, list[Difference]]:
    """Join the rows of a kept training set again, and compare them with what was kept, a batch of rows at a time.

    The content must also have the digest of the manifest, and each feature its counts of statuses.

    Raises
    ------
    MissingDataError
        If the manifest is missing, or a view is not built.
    SkewError
        If another definition built a view.
    StoreError
        If the file is damaged.
    """
    layout = workspace.layout
    command = f"featurestore training-set {training.name}"
    path = require_parquet(layout.training(training.name), made_by=command)
    manifest = read_record(layout.training_manifest(training.name), TrainingManifest, made_by=command)
    service = training.service
    kept_rows = scan_files(path)
    digest = content_fingerprint(path)
    is_edited = digest != manifest.digest
    differences = []
    if is_edited:
        differences.append(_whole(training, "content", manifest.digest, digest, Cause.EDITED))
    last = kept_rows.select(pl.col(EVENT_TIMESTAMP).max()).collect().item() or EPOCH
    if columns := _other_columns(training, kept_rows.collect_schema()):
        differences.append(_whole(training, *columns, Cause.EDITED))
        return _total(training, [], differences, last), differences
    views = workspace.rows_of(service)
    causes = _Causes(workspace, service, views, _rewritten(views, manifest), is_edited)
    parts: list[Compared] = []
    counts: dict[str, Counter[int]] = {name: Counter() for name in service.feature_names}
    height = kept_rows.select(pl.len()).collect().item()
    for start in range(0, height, BATCH_ROWS):
        kept = kept_rows.slice(start, BATCH_ROWS).collect()
        entity_rows = kept.select(pl.exclude(service.feature_names))
        joined = historical(entity_rows, service, views, workspace.engine, statuses=True)
        for name in service.feature_names:
            counts[name].update(dict(joined[status_column(name)].value_counts().rows()))
        compared, different = compare_cells(
            training.name,
            (*service.key_schema, EVENT_TIMESTAMP),
            service.feature_names,
            offline=joined,
            served=_with_statuses(kept, joined, service.feature_names),
            as_of=last,
            path=PATH,
            personal=service.personal,
            cause_of=causes.of(joined, kept),
        )
        parts.append(compared)
        differences += different
    named = {
        name: {Status(status).name: count for status, count in sorted(counted.items())}
        for name, counted in counts.items()
    }
    if not any(part.mismatches for part in parts):
        differences += [
            _whole(
                training,
                f"{name} (statuses)",
                f"{named[name]}",
                f"{manifest.statuses.get(name)}",
                Cause.UNKNOWN,
            )
            for name in service.feature_names
            if manifest.statuses.get(name) != named[name]
        ]
    return _total(training, parts, differences, last), differences


def _other_columns(training: TrainingSet, schema: pl.Schema) -> tuple[str, str, str] | None:
    for column in training.joined.columns:
        dtype = schema.get(column.name)
        if dtype != column.dtype:
            return column.name, f"{column.dtype}", "no such column" if dtype is None else f"{dtype}"
    return None


def _with_statuses(kept: pl.DataFrame, joined: pl.DataFrame, features: tuple[str, ...]) -> pl.DataFrame:
    """Add statuses to kept values, which have none: those of the join, where both are null or both are not."""
    columns = []
    for name in features:
        status = joined[status_column(name)]
        present = pl.lit(Status.PRESENT.value, dtype=pl.UInt8)
        null = pl.lit(Status.NULL_VALUE.value, dtype=pl.UInt8)
        is_null = kept[name].is_null()
        columns.append(
            pl.select(
                pl.when(is_null == joined[name].is_null())
                .then(status)
                .when(is_null)
                .then(null)
                .otherwise(present)
                .alias(status_column(name))
            ).to_series()
        )
    return kept.with_columns(columns)


@dataclass(frozen=True)
class _Causes:
    """Names why a kept cell differs from the join.

    Attributes
    ----------
    rewritten
        Names of the views whose built rows are not those that the training set was made from.
    is_edited
        Whether the file of the training set was changed.
    """

    workspace: Workspace
    service: FeatureService
    views: list[ViewRows]
    rewritten: set[str]
    is_edited: bool

    def of(self, joined: pl.DataFrame, kept: pl.DataFrame) -> CauseOf:
        """Return the function that names the cause for a feature and the number of a row."""
        return lambda feature, row: self._cause(feature, joined[row : row + 1], kept[feature][row : row + 1])

    def _cause(self, feature: str, joined: pl.DataFrame, kept: pl.Series) -> Cause:
        if self.is_edited:
            return Cause.EDITED
        reads = self._reads(feature)
        for view in reads:
            if joined[feature].null_count() and _is_deleted(self.workspace, view.selection, joined):
                return Cause.DELETED
            if feature in view.selection.names:
                history = cause_in_history(self.workspace.engine, view, joined, feature, kept)
                if history is not None:
                    return history
        if self.rewritten & {view.selection.view.name for view in reads}:
            return Cause.OTHER_DATA
        if any(len(view.files) > 1 for view in reads):
            return Cause.PUSHED_LATER
        return Cause.ROUNDED if is_rounded(joined[feature].item(), kept.item()) else Cause.UNKNOWN

    def _reads(self, feature: str) -> list[ViewRows]:
        labels = {selection.label for selection in self.service.sources_of(feature)}
        return [view for view in self.views if view.selection.label in labels]


def _rewritten(views: list[ViewRows], manifest: TrainingManifest) -> set[str]:
    return {
        view.selection.view.name
        for view in views
        if file_fingerprint(view.files[0]) != manifest.features.get(view.selection.view.name)
    }


def _is_deleted(workspace: Workspace, selection: Selection, entity_row: pl.DataFrame) -> bool:
    deleted = deleted_keys(selection.view, workspace.layout)
    keys = dict(zip(selection.view.keys, selection.keys, strict=True))
    return bool(join_by_key(entity_row, deleted.rename(keys), selection.keys, "semi").height)


def _whole(training: TrainingSet, feature: str, offline: str, kept: str, cause: Cause) -> Difference:
    return Difference(
        view=training.name, key=WHOLE, feature=feature, offline=offline, online=kept, path=PATH, cause=cause
    )


def _total(
    training: TrainingSet, parts: list[Compared], differences: list[Difference], last: datetime
) -> Compared:
    of_all_rows = sum(difference.key == WHOLE for difference in differences)
    return Compared(
        name=training.name,
        as_of=last,
        rows=sum(part.rows for part in parts),
        cells=sum(part.cells for part in parts),
        mismatches=sum(part.mismatches for part in parts) + of_all_rows,
        path=PATH,
    )
