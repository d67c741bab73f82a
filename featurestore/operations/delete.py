"""Delete an entity from the online store, so that no older row brings it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.definitions.feature_service import feature_service
from featurestore.errors import ContractError
from featurestore.storage.lock import locked
from featurestore.storage.views import log_deleted
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.codec import encode_deleted
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.vectors.request import entity_rows_of
from featurestore.vectors.state import check_state

if TYPE_CHECKING:
    from datetime import datetime

    from featurestore.definitions.feature_view import FeatureView
    from featurestore.ports import OnlineStore
    from featurestore.storage.layout import Layout


def delete(
    view: FeatureView, keys: pl.DataFrame, layout: Layout, store: OnlineStore, *, now: datetime
) -> int:
    """Mark keys of a view as deleted, in one transaction; returns how many were marked.

    A deleted key is `NOT_FOUND` until a row arrives whose event is later than `now`. The marks are logged, and
    every store of the project and of its releases replays the log: neither writing the view anew nor another release brings
    the key back. Rows of the past stay in the offline data, which are their owner's to clean.

    Raises
    ------
    ContractError
        If the keys cannot be used; nothing is written then.
    MissingDataError
        If the view is not materialized.
    """
    wanted = feature_service("delete", (view,), owner=view.owner)
    rows = entity_rows_of(keys, wanted, with_timestamp=False).select(view.keys)
    for name, count in rows.null_count().row(0, named=True).items():
        if count:
            raise ContractError(f"keys of view {view.name!r}: {name!r} is missing in {count:,} rows")
    marked = encode_deleted(
        rows.with_columns(pl.lit(now, dtype=UTC_MICROSECONDS).alias(EVENT_TIMESTAMP)), view.keys
    )
    with locked(layout.lock(view.name)):
        state = check_state(view, store.state(view.name), now)
        log_deleted(view, rows, now, layout)
        return store.write(view.name, marked, state, replace=False)
