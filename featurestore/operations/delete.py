"""Delete: remove entities from the online store; no older row brings them back."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
import polars as pl

from featurestore.definitions.feature_service import feature_service
from featurestore.errors import ContractError
from featurestore.operations.releases import active_release
from featurestore.storage.lock import locked
from featurestore.storage.views import log_deleted
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.values.codec import encode_deleted, encode_keys, is_tombstone
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.vectors.request import entity_rows_of
from featurestore.vectors.state import check_state

if TYPE_CHECKING:
    from featurestore.definitions.feature_view import FeatureView
    from featurestore.workspace import Workspace


class DeletePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What `delete` does.

    Attributes
    ----------
    view
        The feature view.
    at
        When the keys are deleted: only rows of later events bring them back. In UTC.
    keys
        How many keys are marked as deleted.
    stored
        How many of the keys the online store holds now.
    release
        The active release, from which the keys are deleted too; None: there is none, or it does not have the view.
    """

    view: str
    at: datetime
    keys: int
    stored: int
    release: str | None


def plan_delete(workspace: Workspace, view: str, keys: pl.DataFrame | pl.LazyFrame) -> DeletePlan:
    """Plan a deletion without changing anything; raises as `delete` does."""
    return _plan(workspace, view, keys.lazy().collect(), _release_with(workspace, view))


def delete(workspace: Workspace, view: str, keys: pl.DataFrame | pl.LazyFrame) -> int:
    """Mark keys of a view as deleted, in the project and in its active release; returns how many keys were marked.

    A deleted key is `NOT_FOUND` until a row of a later event arrives. The marks are logged, and every store of the
    project and its releases replays the log: neither a full materialization nor another release brings the key back.
    Rows of the past stay in the offline data, which their owner cleans.

    Raises
    ------
    ContractError
        If the keys cannot be used; nothing is written then.
    MissingDataError
        If the view is not materialized.
    """
    rows = keys.lazy().collect()
    release = _release_with(workspace, view)
    plan = _plan(workspace, view, rows, release)
    count = _delete(workspace, plan.view, rows)
    if release is not None:
        _delete(release, plan.view, rows)
    return count


def _plan(workspace: Workspace, view: str, keys: pl.DataFrame, release: Workspace | None) -> DeletePlan:
    definition = workspace.catalog.view(view)
    rows = _key_rows(definition, keys)
    now = workspace.now()
    store = workspace.store()
    check_state(definition, store.state(view), now, workspace.layout)
    [(_, stored)] = store.read([(view, encode_keys(rows, definition.keys))])
    return DeletePlan(
        view=view,
        at=now,
        keys=rows.height,
        stored=sum(row is not None and not is_tombstone(row) for row in stored),
        release=None if release is None else release.root.name,
    )


def _delete(workspace: Workspace, view: str, keys: pl.DataFrame) -> int:
    definition = workspace.catalog.view(view)
    rows = _key_rows(definition, keys)
    now = workspace.now()
    store = workspace.store()
    marks = encode_deleted(
        rows.with_columns(pl.lit(now, dtype=UTC_MICROSECONDS).alias(EVENT_TIMESTAMP)), definition.keys
    )
    with locked(workspace.layout.lock(view)):
        state = check_state(definition, store.state(view), now, workspace.layout)
        log_deleted(definition, rows, now, workspace.layout)
        return store.write(view, marks, state, replace=False)


def _key_rows(view: FeatureView, keys: pl.DataFrame) -> pl.DataFrame:
    service = feature_service("delete", (view,), owner=view.owner)
    rows = entity_rows_of(keys, service, with_timestamp=False).select(view.keys)
    for name, count in rows.null_count().row(0, named=True).items():
        if count:
            raise ContractError(f"keys of view {view.name!r}: {name!r} is missing in {count:,} rows")
    return rows


def _release_with(workspace: Workspace, view: str) -> Workspace | None:
    """Open the active release if it has a view."""
    name = active_release(workspace.layout)
    if name is None:
        return None
    release = workspace.at(workspace.layout.releases / name)
    return release if view in release.catalog.views else None
