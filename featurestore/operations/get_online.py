"""Get online: look up the features of entities in the online store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.adapters.entity_rows import rows_given
from featurestore.quality.gate.request_gate import RequestGate
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.join import STATUS_SUFFIX, read_at
from featurestore.values.codec import decode_rows, encode_keys, require_intact
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.vectors.alias import as_requested
from featurestore.vectors.complete import complete
from featurestore.vectors.request import entity_rows_of
from featurestore.vectors.state import check_state, read_now
from featurestore.vectors.stored_windows import read_stored_windows, until_unchanged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.definitions.feature_view import Selection
    from featurestore.ports import OnlineStore
    from featurestore.storage.layout import Layout
    from featurestore.workspace import Workspace


def get_online(
    workspace: Workspace,
    entity_rows: pl.DataFrame | pl.LazyFrame | Sequence[Mapping[str, Any]],
    features: str | Sequence[str] | FeatureService,
    *,
    as_of: datetime | str | None = None,
    statuses: bool = False,
) -> pl.DataFrame:
    """Look up features for entity rows.

    Parameters
    ----------
    entity_rows
        Entity keys and the request values of on-demand views: a frame, or a list of dictionaries.
    features
        A feature service or its name; or a list of ``"view:feature"`` and ``"view"``.
    as_of
        The timestamp of reading, with a time zone: it decides which values are expired. None: the current time.
    statuses
        True: add ``<feature>__status`` (`Status`, UInt8) for each feature.

    Returns
    -------
    pl.DataFrame
        One row for each entity row, in the same order: its columns, then the features in the service's order.

    Raises
    ------
    ContractError
        If the entity rows cannot be used, or a request value breaks its contract.
    MissingDataError
        If a view is not materialized.
    SkewError
        If the store was written by another definition, or `as_of` is before the store's watermark.
    StoreError
        If the store does not answer, or a stored row is damaged.
    """
    service = workspace.service(features)
    schema = {**service.key_schema, **service.request_schema}
    rows = rows_given(entity_rows, schema, service.title)
    store = workspace.store()

    def read(timestamp: datetime) -> pl.DataFrame:
        return read_online(rows, service, store, as_of=timestamp, statuses=statuses, layout=workspace.layout)

    return read_now(read, workspace.now()) if as_of is None else read(workspace.timestamp(as_of))


def read_online(
    entity_rows: pl.DataFrame,
    service: FeatureService,
    store: OnlineStore,
    *,
    as_of: datetime,
    statuses: bool = False,
    layout: Layout | None = None,
) -> pl.DataFrame:
    """Look up a service's vector for each entity row. Errors as of `get_online`.

    Parameters
    ----------
    entity_rows
        Entity keys and the request values of on-demand views.
    as_of
        The timestamp of reading, in UTC: it decides which values are expired. Not before the store's watermark.
    statuses
        True: add ``<feature>__status`` (`Status`, UInt8) for each feature.
    layout
        Where the fingerprints of former definitions are kept, so that a refusal names what differs.

    Returns
    -------
    pl.DataFrame
        One row for each entity row, in the same order: its columns, then the features in the service's order.
    """
    rows = entity_rows_of(entity_rows, service, with_timestamp=False)
    RequestGate(service).check_frame(rows)
    parts = until_unchanged(lambda: _parts(rows, service, store, as_of, layout))
    read = pl.concat(parts, how="horizontal") if parts else pl.DataFrame()
    result = pl.concat([rows, complete(rows, read, service)], how="horizontal")
    return result if statuses else result.select(pl.exclude(f"^.*{STATUS_SUFFIX}$"))


def _parts(
    rows: pl.DataFrame, service: FeatureService, store: OnlineStore, as_of: datetime, layout: Layout | None
) -> list[pl.DataFrame]:
    keys = [encode_keys(rows, selection.keys) for selection in service.reads]
    answers = store.read([(s.view.name, k) for s, k in zip(service.reads, keys, strict=True)])
    parts = []
    for selection, read_keys, (state, stored) in zip(service.reads, keys, answers, strict=True):
        check_state(selection.view, state, as_of, layout)
        require_intact(read_keys, stored)
        if selection.view.windows:
            read = read_stored_windows(selection, store, read_keys, stored, as_of).drop(EVENT_TIMESTAMP)
        else:
            read = _read(selection, stored, as_of)
        parts.append(as_requested(read, selection))
    return parts


def _read(selection: Selection, stored: list[bytes | None], as_of: datetime) -> pl.DataFrame:
    view = selection.view
    decoded = decode_rows(stored, view.feature_schema)
    read = read_at(
        decoded.lazy(),
        features=selection.features,
        timing=view.timing,
        as_of=pl.lit(as_of, dtype=UTC_MICROSECONDS),
    )
    return read.collect()
