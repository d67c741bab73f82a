"""Push: rows of a feature view that come between two builds, for training and serving at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import DefinitionError
from featurestore.operations.materialize import Materialized, materialize
from featurestore.quality.gate.casting import cast_plan
from featurestore.quality.gate.inspection import admit
from featurestore.quality.gate.view_rows import inspect_view
from featurestore.storage.lock import locked
from featurestore.storage.online import next_watermark
from featurestore.storage.views import log_rows
from featurestore.timing.columns import CREATED_TIMESTAMP
from featurestore.values.table import UTC_MICROSECONDS

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
        known = next_watermark(view, now, store)
        stamped = rows.with_columns(_made(view, rows, known).alias(CREATED_TIMESTAMP))
        admitted = admit(inspect_view(view, stamped.lazy()), tolerate=False)
        log_rows(view, admitted, layout)
        return materialize(view, known, layout, store)


def _made(view: FeatureView, rows: pl.DataFrame, known: datetime) -> pl.Expr:
    now = pl.lit(known, dtype=UTC_MICROSECONDS)
    if CREATED_TIMESTAMP not in rows.columns:
        return now
    created = cast_plan(rows.schema, view.contract, dataset=view.name)[CREATED_TIMESTAMP]
    if created.failed is not None and rows.select(created.failed.any()).item():
        # What is no moment must not become one.
        admit(inspect_view(view, rows.lazy()), tolerate=False)
    return pl.max_horizontal(created.value, now)
