"""Delete: remove entities from the online store; no older row brings them back."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from featurestore.definitions.feature_service import REQUEST, feature_service
from featurestore.errors import ContractError
from featurestore.operations.materialize import materialize_view
from featurestore.operations.push.logged import logged
from featurestore.operations.release.active_release import (
    active_release_with,
    materialize_release,
    next_timestamp,
)
from featurestore.storage.commits import keep_commit
from featurestore.storage.lock import locked
from featurestore.storage.views import compact_log, log_deleted
from featurestore.timing.epoch import timestamp_of
from featurestore.values.codec import encode_keys, is_tombstone, require_intact, storable
from featurestore.values.event_codec import decode_head
from featurestore.values.key_columns import select_columns
from featurestore.values.wording import counted
from featurestore.vectors.request import entity_rows_of
from featurestore.vectors.state import check_state

if TYPE_CHECKING:
    import polars as pl

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
    definition = workspace.catalog.view(view)
    rows = _key_rows(definition, keys.lazy().collect())
    plan, _ = _plan(workspace, definition, rows, active_release_with(workspace, view))
    return plan


def delete(workspace: Workspace, view: str, keys: pl.DataFrame | pl.LazyFrame) -> int:
    """Mark keys of a view as deleted, in the project and in its active release; returns how many were not deleted yet.

    From now on a deleted key is `NOT_FOUND`, online and in training sets, until a row of a later event arrives.
    The marks are logged, and every store of the project and its releases replays the log: neither a full
    materialization nor another release brings the key back. Reads as of an earlier time do not change: rows of the past
    stay in the offline data, which their owner cleans.

    Raises
    ------
    ContractError
        If the keys cannot be used; nothing is written then.
    MissingDataError
        If the view is not materialized.
    SkewError
        If another definition of the view built its rows or wrote the store.
    LoggedError
        If a store or the file system fails after the keys were logged: the next write applies them.
    """
    definition = workspace.catalog.view(view)
    layout = workspace.layout
    rows = _key_rows(definition, keys.lazy().collect())
    with locked(layout.pushing(view)):
        release = active_release_with(workspace, view)
        with locked(layout.lock(view)):
            plan, deleted = _plan(workspace, definition, rows, release)
            file = log_deleted(definition, rows, plan.at, layout)
            with logged(view, rows.height):
                materialize_view(workspace, definition, plan.at, workspace.store())
        if release is not None:
            with logged(view, rows.height):
                materialize_release(release, view, plan.at)
        with logged(view, rows.height):
            keep_commit(view, file, plan.at, layout)
            compact_log(definition, layout)
    return plan.keys - deleted


def _plan(
    workspace: Workspace, view: FeatureView, rows: pl.DataFrame, release: Workspace | None
) -> tuple[DeletePlan, int]:
    """Return the plan, and how many of the keys are deleted already."""
    store = workspace.store()
    at = next_timestamp(workspace, view.name, release)
    state = store.state(view.name)
    # A watermark that is ahead of the time of the deletion is far ahead of the clock: the deletion brings it back.
    check_state(
        view, state, at if state is None else max(at, timestamp_of(state.watermark)), workspace.layout
    )
    keys = encode_keys(rows, view.keys)
    [(_, stored)] = store.read([(view.name, keys)])
    require_intact(keys, stored)
    is_deleted = _has_no_events if view.windows else is_tombstone
    deleted = sum(row is not None and is_deleted(row) for row in stored)
    plan = DeletePlan(
        view=view.name,
        at=at,
        keys=rows.height,
        stored=sum(row is not None for row in stored) - deleted,
        release=None if release is None else release.root.name,
    )
    return plan, deleted


def _has_no_events(row: bytes) -> bool:
    return not decode_head(row).events


def _key_rows(view: FeatureView, keys: pl.DataFrame) -> pl.DataFrame:
    service = feature_service(REQUEST, (view,), owner=REQUEST)
    rows = select_columns(entity_rows_of(keys, service, with_timestamp=False), view.keys)
    for name, count in rows.null_count().row(0, named=True).items():
        if count:
            raise ContractError(
                f"keys of view {view.name!r}: {name!r} is missing in {counted(count, 'row')}; expected a value in each row",
                hint=f"leave out the rows without {name!r}",
            )
    # Stores refuse longer keys, also after the marks are logged.
    for key in encode_keys(rows, view.keys):
        storable(key)
    return rows.unique(maintain_order=True)
