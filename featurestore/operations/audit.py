"""Audit: compare every cell of the online store with the historical join at the same timestamp."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
import polars as pl

from featurestore.definitions.fingerprint import Fingerprint, fingerprint
from featurestore.errors import MissingDataError, SkewError
from featurestore.operations.cause import Cause
from featurestore.operations.get_online import read_online
from featurestore.operations.training_set import require_same_service
from featurestore.storage.datasets import scan_dataset
from featurestore.storage.files import write_record
from featurestore.storage.views import rows_of
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.epoch import timestamp_of
from featurestore.timing.join import Status, read_at, status_column
from featurestore.values.codec import decode_keys, decode_rows, is_tombstone
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.vectors.historical import historical
from featurestore.vectors.state import check_state

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from featurestore.definitions.catalog import Catalog
    from featurestore.definitions.feature_service import FeatureService
    from featurestore.definitions.feature_view import FeatureView
    from featurestore.ports import OnlineStore
    from featurestore.workspace import Workspace

MAX_SHOWN = 20
SAMPLE_ROWS = 2_000
BATCH_ROWS = 97  # not a divisor of the sample: on-demand features must not depend on the size of a batch


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One cell on which the two sides disagree.

    Attributes
    ----------
    cause
        Why they disagree.
    """

    view: str
    key: str
    feature: str
    offline: str
    online: str
    cause: Cause = Cause.UNKNOWN


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """What was compared for one view or service.

    Attributes
    ----------
    as_of
        The timestamp of both sides, in UTC.
    """

    name: str
    as_of: datetime
    rows: int
    cells: int
    mismatches: int


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a parity audit. A cell is one feature of one key: its value and its status.

    Attributes
    ----------
    differences
        The first cells that differ.
    definitions
        Digests of the definitions of the views and services, by name.
    """

    cells: int
    mismatches: int
    views: tuple[Compared, ...]
    services: tuple[Compared, ...]
    differences: tuple[Difference, ...]
    definitions: dict[str, str] = {}

    def require_parity(self) -> None:
        """Raise if a cell differs.

        Raises
        ------
        SkewError
            If a cell differs; the message names view, key, feature and both values of the first such cells.
        """
        if self.mismatches:
            shown = "\n".join(
                f"  {d.view} {d.key} {d.feature}: offline {d.offline}, online {d.online}; cause: {d.cause.value}"
                for d in self.differences
            )
            raise SkewError(
                f"{self.mismatches:,} of {self.cells:,} cells differ between training and serving\n{shown}",
                hint="run: featurestore materialize; if cells still differ, the store or a view is broken",
            )


def audit(workspace: Workspace) -> AuditRecord:
    """Compare the online store with the historical join, cell by cell: values bit for bit, and statuses.

    For each view, every key of the store and every key known offline is compared, at the store's watermark. For each
    training set that is built, its service is asked for rows of it: vectors with on-demand features are compared too.

    Raises
    ------
    MissingDataError
        If a view is not built or not materialized.
    SkewError
        If another definition built or materialized a view, or made a training set.
    """
    for training in workspace.catalog.training_sets:
        require_same_service(workspace, training)
    store = workspace.store()
    differences: list[Difference] = []
    views = []
    for view in workspace.catalog.views.values():
        compared, differing = _audit_view(workspace, view, store)
        views.append(compared)
        differences += differing
    services = []
    for service, rows in _samples(workspace):
        compared, differing = _audit_service(workspace, service, rows, store)
        services.append(compared)
        differences += differing
    record = AuditRecord(
        cells=sum(part.cells for part in (*views, *services)),
        mismatches=sum(part.mismatches for part in (*views, *services)),
        views=tuple(views),
        services=tuple(services),
        differences=tuple(differences[:MAX_SHOWN]),
        definitions={name: current.digest for name, current in _fingerprints(workspace.catalog).items()},
    )
    write_record(record, workspace.layout.audit)
    return record


def _fingerprints(catalog: Catalog) -> dict[str, Fingerprint]:
    views = {name: fingerprint(view) for name, view in catalog.views.items()}
    return views | {name: fingerprint(service) for name, service in catalog.services.items()}


def _samples(workspace: Workspace) -> list[tuple[FeatureService, pl.DataFrame]]:
    layout = workspace.layout
    return [
        (training.service, pl.read_parquet(layout.training(training.name)).tail(SAMPLE_ROWS))
        for training in workspace.catalog.training_sets.values()
        if layout.training(training.name).exists()
    ]


def _watermark(view: FeatureView, store: OnlineStore) -> datetime:
    state = store.state(view.name)
    if state is None:
        raise MissingDataError(
            f"view {view.name!r} is not in the online store", hint="run: featurestore materialize"
        )
    return timestamp_of(state.watermark)


def _audit_view(
    workspace: Workspace, view: FeatureView, store: OnlineStore
) -> tuple[Compared, list[Difference]]:
    as_of = _watermark(view, store)
    check_state(view, store.state(view.name), as_of, workspace.layout)
    held = list(store.scan(view.name))
    pairs = [pair for pair in held if not is_tombstone(pair[1])]
    deleted = decode_keys((key for key, row in held if is_tombstone(row)), view.key_schema)
    keys = decode_keys((key for key, _ in pairs), view.key_schema)
    timestamp = pl.lit(as_of, dtype=UTC_MICROSECONDS)
    stored = keys.hstack(
        read_at(
            decode_rows([row for _, row in pairs], view.feature_schema).lazy(),
            features=view.feature_names,
            timing=view.timing,
            as_of=timestamp,
        ).collect()
    )
    offline_keys = scan_dataset(view, workspace.layout).select(view.keys).collect()
    # Deleted keys are not served; the suite of the store proves that.
    all_keys = (
        pl.concat([keys, offline_keys])
        .unique()
        .sort(view.keys)
        .join(deleted, on=list(view.keys), how="anti", maintain_order="left")
    )
    entity_rows = all_keys.with_columns(timestamp.alias(EVENT_TIMESTAMP))
    views = [rows_of(view[view.feature_names], workspace.layout)]
    offline = workspace.engine.historical(entity_rows, views)
    absent = pl.lit(Status.NOT_FOUND.value, dtype=pl.UInt8)
    served = all_keys.join(stored, on=list(view.keys), how="left", maintain_order="left").with_columns(
        pl.col(status_column(name)).fill_null(absent) for name in view.feature_names
    )
    return compare_cells(
        view.name, view.keys, view.feature_names, offline=offline, served=served, as_of=as_of
    )


def _audit_service(
    workspace: Workspace, service: FeatureService, rows: pl.DataFrame, store: OnlineStore
) -> tuple[Compared, list[Difference]]:
    as_of = max(_watermark(selection.view, store) for selection in service.reads)
    entity_rows = rows.select(*service.key_schema, *service.request_schema)
    offline = historical(
        entity_rows.with_columns(pl.lit(as_of, dtype=UTC_MICROSECONDS).alias(EVENT_TIMESTAMP)),
        service,
        workspace.rows_of(service),
        workspace.engine,
        statuses=True,
    )
    served = pl.concat(
        read_online(batch, service, store, as_of=as_of, statuses=True)
        for batch in entity_rows.iter_slices(BATCH_ROWS)
    )
    keys = tuple(service.key_schema)
    return compare_cells(
        service.name, keys, service.feature_names, offline=offline, served=served, as_of=as_of
    )


def compare_cells(
    name: str,
    keys: Sequence[str],
    features: Sequence[str],
    *,
    offline: pl.DataFrame,
    served: pl.DataFrame,
    as_of: datetime,
    cause_of: Callable[[str, int], Cause] = lambda *_: Cause.UNKNOWN,
) -> tuple[Compared, list[Difference]]:
    """Compare vectors and their statuses row by row: those of the historical join with those that were served.

    Parameters
    ----------
    cause_of
        Returns why a cell differs, from its feature and the number of its row. Called for the cells that are shown.
    """
    mismatches = 0
    differences: list[Difference] = []
    for feature in features:
        status = status_column(feature)
        differs = differing_rows(feature, offline, served)
        mismatches += int(differs.sum())
        differences.extend(
            Difference(
                view=name,
                key=repr(dict(zip(keys, offline.select(keys).row(i), strict=True))),
                feature=feature,
                offline=f"{offline[feature][i]!r} ({Status(offline[status][i]).name})",
                online=f"{served[feature][i]!r} ({Status(served[status][i]).name})",
                cause=cause_of(feature, i),
            )
            for i in differs.arg_true().head(MAX_SHOWN - len(differences))
        )
    cells = offline.height * len(features)
    compared = Compared(name=name, as_of=as_of, rows=offline.height, cells=cells, mismatches=mismatches)
    return compared, differences


def differing_rows(feature: str, offline: pl.DataFrame, served: pl.DataFrame) -> pl.Series:
    """Return for each row whether a feature differs between two frames of vectors: in its bits or in its status."""
    status = status_column(feature)
    return _bits(offline[feature]).ne_missing(_bits(served[feature])) | (offline[status] != served[status])


def _bits(values: pl.Series) -> pl.Series:
    # Floats are compared as bits: 0.0 == -0.0, but their bits differ.
    if isinstance(values.dtype, pl.Float32):
        return values.reinterpret(dtype=pl.UInt32)
    if isinstance(values.dtype, pl.Float64):
        return values.reinterpret(dtype=pl.UInt64)
    if isinstance(values.dtype, pl.Array):
        return _bits(values.arr.to_list())
    if isinstance(values.dtype, pl.List) and values.dtype.inner.is_float():
        bits = pl.UInt32 if values.dtype.inner == pl.Float32 else pl.UInt64
        return values.list.eval(pl.element().reinterpret(dtype=bits))
    return values
