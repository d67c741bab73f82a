"""Translate between the names of a view and those of a request under an alias."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.timing.join import status_column

if TYPE_CHECKING:
    from featurestore.definitions.feature_view import Selection


def view_keys(selection: Selection) -> list[pl.Expr]:
    """Select the request's key columns under the names of the view's keys. Empty: the view has no entity."""
    return [
        pl.col(column).alias(key) for column, key in zip(selection.keys, selection.view.keys, strict=True)
    ]


def as_requested(read: pl.DataFrame, selection: Selection) -> pl.DataFrame:
    """Rename the features and statuses of a view to the names of the request."""
    if selection.alias is None:
        return read
    pairs = list(zip(selection.features, selection.names, strict=True))
    statuses = {status_column(feature): status_column(name) for feature, name in pairs}
    return read.rename({**dict(pairs), **statuses})
