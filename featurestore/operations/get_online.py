"""Online lookup: this entity, now, the same features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.quality.gate.request_gate import RequestGate
from featurestore.timing.join import STATUS_SUFFIX, read_at
from featurestore.values.codec import decode_rows, encode_keys
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.vectors.alias import as_requested
from featurestore.vectors.complete import complete
from featurestore.vectors.request import entity_rows_of
from featurestore.vectors.state import check_state

if TYPE_CHECKING:
    from datetime import datetime

    from featurestore.definitions.feature_service import FeatureService
    from featurestore.definitions.feature_view import Selection
    from featurestore.ports import OnlineStore, ViewState


def online(
    entity_rows: pl.DataFrame,
    service: FeatureService,
    store: OnlineStore,
    *,
    moment: datetime,
    statuses: bool = False,
) -> pl.DataFrame:
    """Look up a service's vector for each entity row.

    Parameters
    ----------
    entity_rows
        Entity keys and the request values of on-demand views.
    moment
        The moment of reading, in UTC: it decides what is expired. Not before the store's watermark.
    statuses
        True: add ``<feature>__status`` (`Status`, UInt8) for each feature.

    Returns
    -------
    pl.DataFrame
        One row for each entity row, in the order given: its columns, then the features in the service's order.

    Raises
    ------
    ContractError
        If the entity rows cannot be used, or a request value breaks its contract.
    MissingDataError
        If a view is not materialized.
    SkewError
        If the store was written by another definition, or is ahead of `moment`.
    """
    rows = entity_rows_of(entity_rows, service, with_timestamp=False)
    RequestGate(service).check_frame(rows)
    reads = service.reads
    found = store.read([(s.view.name, encode_keys(rows, s.keys)) for s in reads])
    parts = [
        _read(selection, state, stored, moment)
        for selection, (state, stored) in zip(reads, found, strict=True)
    ]
    read = pl.concat(parts, how="horizontal") if parts else pl.DataFrame()
    result = pl.concat([rows, complete(rows, read, service)], how="horizontal")
    return result if statuses else result.select(pl.exclude(f"^.*{STATUS_SUFFIX}$"))


def _read(
    selection: Selection, state: ViewState | None, stored: list[bytes | None], moment: datetime
) -> pl.DataFrame:
    view = selection.view
    check_state(view, state, moment)
    decoded = decode_rows(stored, view.feature_schema)
    read = read_at(
        decoded.lazy(),
        features=selection.features,
        timing=view.timing,
        as_of=pl.lit(moment, dtype=UTC_MICROSECONDS),
    )
    return as_requested(read.collect(), selection)
