"""Polars as the compute engine: the point-in-time join of each view, run in one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.timing.join import point_in_time_join

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featurestore.ports import ViewRows


class PolarsEngine:
    """Joins all views of a request side by side."""

    def historical(self, entity_rows: pl.DataFrame, views: Sequence[ViewRows]) -> pl.DataFrame:
        """Join features and their statuses to entity rows, in their order."""
        plans = [
            point_in_time_join(
                entity_rows.lazy(),
                view.rows,
                keys=view.selection.view.keys,
                features=view.selection.features,
                timing=view.selection.view.timing,
            )
            for view in views
        ]
        return pl.concat([entity_rows, *pl.collect_all(plans)], how="horizontal")
