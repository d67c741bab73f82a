"""Push: rows of a feature view that come between two builds, for training and serving at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import polars as pl

from featurestore.errors import DefinitionError
from featurestore.operations.materialize import Materialized, materialize
from featurestore.quality.gate import admit
from featurestore.quality.view_rows import inspect_view
from featurestore.storage.lock import locked
from featurestore.storage.views import log_rows
from featurestore.timing.columns import CREATED_TIMESTAMP
from featurestore.timing.epoch import moment_of
from featurestore.timing.fold import known_rows, newest_rows
from featurestore.values.codec import encode_rows
from featurestore.values.table import UTC_MICROSECONDS
from featurestore.vectors.state import check_state

if TYPE_CHECKING:
    from datetime import datetime

    from featurestore.definitions.feature_view import FeatureView
    from featurestore.ports import OnlineStore
    from featurestore.storage.layout import Layout


def push(
    view: FeatureView, rows: pl.DataFrame, layout: Layout, store: OnlineStore, *, now: datetime
) -> Materialized:
    """Let rows through the view's gate, log them offline, and bring the online store to now.

    A pushed row is known from now on, and never before: training on the past does not see it.

    Parameters
    ----------
    rows
        Rows of the view. ``created_timestamp`` may be left out or null: it becomes `now`.

    Raises
    ------
    ContractError
        If a row breaks the view's contract; nothing is written then.
    DefinitionError
        If the view's schema has no ``created_timestamp``: training would believe the row known since its event.
    MissingDataError
        If the view is not built yet.
    """
    if not view.timing.created:
        raise DefinitionError(
            f"feature view {view.name!r} cannot be pushed to: its schema has no {CREATED_TIMESTAMP!r}, so training "
            "would believe a pushed row known since its event",
            hint=f"declare {CREATED_TIMESTAMP!r} in schema {view.contract.name}",
        )
    with locked(layout.lock(view.name)):
        before = store.state(view.name)
        # Clocks of writers differ: what the store was read at must not change afterwards.
        known = max(now, moment_of(before.watermark)) if before is not None else now
        made = pl.lit(known, dtype=UTC_MICROSECONDS)
        if CREATED_TIMESTAMP in rows.columns:
            made = pl.max_horizontal(CREATED_TIMESTAMP, made)
        stamped = inspect_view(view, rows.lazy().with_columns(made.alias(CREATED_TIMESTAMP)))
        admitted = admit(stamped, whole=True)
        log_rows(view, admitted, layout)
        done = materialize(view, known, layout, store)
        # A row known at the very moment of the last run was not among those known since.
        newest = newest_rows(known_rows(admitted.lazy(), view.timing, until=known), view.keys, view.timing)
        pairs = encode_rows(newest.collect(), view.keys, view.feature_schema)
        late = store.write(view.name, pairs, check_state(view, store.state(view.name), known), replace=False)
    return msgspec.structs.replace(
        done, rows_read=done.rows_read + late, rows_applied=done.rows_applied + late
    )
