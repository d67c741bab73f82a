"""Delete an entity from the online store, so that no older row brings it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from featurestore.definitions.feature_service import feature_service
from featurestore.timing.epoch import microseconds
from featurestore.values.codec import encode_keys, storable, tombstone
from featurestore.vectors.request import entity_rows_of
from featurestore.vectors.state import check_state

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl

    from featurestore.definitions.feature_view import FeatureView
    from featurestore.ports import OnlineStore


def delete(view: FeatureView, keys: pl.DataFrame, store: OnlineStore, *, now: datetime) -> int:
    """Mark keys of a view as deleted, in one transaction; returns how many were marked.

    A deleted key is `NOT_FOUND` until a row arrives whose event is later than `now`; writing the view anew does not
    bring it back. Rows of the past stay in the offline data, which are their owner's to clean.

    Raises
    ------
    ContractError
        If the keys cannot be used.
    MissingDataError
        If the view is not materialized.
    """
    wanted = feature_service("delete", (view,), owner=view.owner)
    rows = entity_rows_of(keys, wanted, with_moment=False)
    state = check_state(view, store.state(view.name), now)
    mark = tombstone(microseconds(now))
    marked = [(storable(key), mark) for key in encode_keys(rows, view.keys)]
    return store.write(view.name, marked, state, replace=False)
