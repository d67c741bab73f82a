"""Audit of the online store: every key of a view at the store's watermark, and rows of training sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from featurestore.definitions.vector import shown_names_of
from featurestore.operations.audit.causes import Cause, path_cause, store_cause
from featurestore.operations.audit.record import Compared, Difference, compare_cells
from featurestore.operations.get_online import read_online
from featurestore.storage.datasets import scan_dataset
from featurestore.storage.parquet import scan_files
from featurestore.storage.views import rows_of
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.epoch import timestamp_of
from featurestore.timing.join import Status, read_at, status_column
from featurestore.values.codec import decode_keys, decode_rows, is_tombstone, require_intact
from featurestore.values.event_codec import is_block
from featurestore.values.key_columns import join_by_key, select_columns
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.vectors.historical import historical
from featurestore.vectors.state import check_state
from featurestore.vectors.stored_windows import read_stored_windows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from featurestore.definitions.feature_service import TrainingSet
    from featurestore.definitions.feature_view import FeatureView
    from featurestore.ports import OnlineStore
    from featurestore.workspace import Workspace

SAMPLE_ROWS = 2_000
BATCH_ROWS = 97  # not a divisor of the sample: on-demand features must not depend on the size of a batch


@dataclass(frozen=True)
class AuditedView:
    """What was compared of a view, and its keys.

    Attributes
    ----------
    watermark
        The watermark of the view in the store.
    keys
        Every key of the store and of the offline rows, sorted, without deleted ones.
    """

    result: tuple[Compared, list[Difference]]
    watermark: datetime
    keys: pl.DataFrame


def audit_view(workspace: Workspace, view: FeatureView, store: OnlineStore) -> AuditedView:
    """Compare every key of a view at the store's watermark. Errors as of `audit`."""
    stored_state = store.state(view.name)
    as_of = workspace.now() if stored_state is None else timestamp_of(stored_state.watermark)
    state = check_state(view, stored_state, as_of, workspace.layout)
    scanned = list(store.scan(view.name))
    require_intact([key for key, _ in scanned], [row for _, row in scanned])
    all_pairs = [pair for pair in scanned if not is_block(pair[0])] if view.windows else scanned
    pairs = [(key, row) for key, row in all_pairs if not is_tombstone(row)]
    deleted = decode_keys((key for key, row in all_pairs if is_tombstone(row)), view.key_schema)
    keys = decode_keys((key for key, _ in pairs), view.key_schema)
    timestamp = pl.lit(as_of, dtype=UTC_MICROSECONDS)
    stored = keys.hstack(_read(view, store, pairs, as_of))
    offline_rows = scan_dataset(view, workspace.layout).select(*view.keys, EVENT_TIMESTAMP).collect()
    offline_keys = select_columns(offline_rows, view.keys)
    # A deleted key has no row to compare; the suite of the store proves that it is not served.
    all_keys = join_by_key(
        pl.concat([keys, offline_keys]).unique().sort(view.keys), deleted, view.keys, "anti"
    )
    rows = rows_of(view[view.feature_names], workspace.layout)
    offline = workspace.engine.historical(all_keys.with_columns(timestamp.alias(EVENT_TIMESTAMP)), [rows])
    absent = pl.lit(Status.NOT_FOUND.value, dtype=pl.UInt8)
    served = join_by_key(all_keys, stored, view.keys, "left").with_columns(
        pl.col(status_column(name)).fill_null(absent) for name in view.feature_names
    )
    result = compare_cells(
        view.name,
        view.keys,
        view.feature_names,
        offline=offline,
        served=served,
        as_of=as_of,
        personal=view.feature_contract.personal,
        cause_of=store_cause(workspace.engine, rows, state, offline, served),
    )
    return AuditedView(result, as_of, all_keys)


def _read(
    view: FeatureView, store: OnlineStore, pairs: list[tuple[bytes, bytes]], as_of: datetime
) -> pl.DataFrame:
    stored_keys, rows = [key for key, _ in pairs], [row for _, row in pairs]
    if view.windows:
        read = read_stored_windows(view[view.feature_names], store, stored_keys, rows, as_of)
        return read.drop(EVENT_TIMESTAMP)
    return read_at(
        decode_rows(rows, view.feature_schema).lazy(),
        features=view.feature_names,
        timing=view.timing,
        as_of=pl.lit(as_of, dtype=UTC_MICROSECONDS),
    ).collect()


def audit_service(
    workspace: Workspace, training: TrainingSet, store: OnlineStore, views: Mapping[str, AuditedView]
) -> tuple[Compared, list[Difference]]:
    """Compare the last rows of a training set at the greatest watermark, with on-demand features."""
    service = training.service
    as_of = max(views[selection.view.name].watermark for selection in service.reads)
    rows = scan_files(workspace.layout.training(training.name))
    columns = [*service.key_schema, *service.request_schema]
    entity_rows = select_columns(rows.select(*columns, EVENT_TIMESTAMP).tail(SAMPLE_ROWS).collect(), columns)
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
    return compare_cells(
        service.name,
        tuple(service.key_schema),
        service.feature_names,
        offline=offline,
        served=served,
        as_of=as_of,
        personal=service.personal,
        names=shown_names_of(service),
        cause_of=path_cause(service, broken(views), offline, served),
    )


def broken(views: Mapping[str, AuditedView]) -> dict[str, Cause]:
    """Return the views whose rows in the store differ from the historical join, with the cause of the first cell."""
    return {
        name: differences[0].cause if differences else Cause.STORE
        for name, (compared, differences) in ((name, view.result) for name, view in views.items())
        if compared.mismatches
    }
