"""Between a view's own names and those of a request that reads it under an alias."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.timing.join import status_column

if TYPE_CHECKING:
    from featurestore.definitions.feature_view import Selection


def view_keys(selection: Selection) -> list[pl.Expr]:
    """Take the columns that a caller gives as the keys of the view."""
    return [pl.col(given).alias(key) for given, key in zip(selection.keys, selection.view.keys, strict=True)]


def as_asked(read: pl.DataFrame, selection: Selection) -> pl.DataFrame:
    """Name a view's features and statuses as the request does."""
    if selection.alias is None:
        return read
    pairs = list(zip(selection.features, selection.names, strict=True))
    statuses = {status_column(feature): status_column(name) for feature, name in pairs}
    return read.rename({**dict(pairs), **statuses})
