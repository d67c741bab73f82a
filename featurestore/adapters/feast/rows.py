"""Rows that Feast writes: what is stored offline already, and what is pushed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import polars as pl

from featurestore.adapters.feast.protos import from_values
from featurestore.storage.views import scan_view
from featurestore.timing.columns import CREATED_TIMESTAMP, EVENT_TIMESTAMP
from featurestore.timing.epoch import in_utc
from featurestore.values.key_columns import frame_of_columns
from featurestore.values.table import UTC_MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from featurestore.definitions.feature_view import FeatureView
    from featurestore.storage.layout import Layout

# Entity key, values by feature, event timestamp, created timestamp.
FeastRow: TypeAlias = "tuple[Any, dict[str, Any], datetime, datetime | None]"


def key_frame(view: FeatureView, entity_keys: Sequence[Any]) -> pl.DataFrame:
    """Read Feast's entity keys as the key columns of a view. The key of Feast's placeholder entity is left out."""
    rows = [dict(zip(key.join_keys, key.entity_values, strict=True)) for key in entity_keys]
    columns = [
        from_values(name, [row[name] for row in rows], dtype) for name, dtype in view.key_schema.items()
    ]
    return frame_of_columns(columns, len(rows))


def versions_of(view: FeatureView, data: Sequence[FeastRow]) -> pl.DataFrame:
    """Read the keys and versions of rows that Feast writes."""
    columns = key_frame(view, [key for key, *_ in data]).get_columns()
    columns.append(
        pl.Series(EVENT_TIMESTAMP, [in_utc(event) for *_, event, _ in data], dtype=UTC_MICROSECONDS)
    )
    if view.timing.created:
        # Feast passes pandas' NaT for a null. It is true and not equal to itself.
        created = [in_utc(time) if time and time == time else None for *_, time in data]  # noqa: PLR0124
        columns.append(pl.Series(CREATED_TIMESTAMP, created, dtype=UTC_MICROSECONDS))
    return pl.DataFrame(columns)


def rows_of(view: FeatureView, data: Sequence[FeastRow]) -> pl.DataFrame:
    """Read rows that Feast writes. A value that does not fit its dtype is left to the gate, which names it."""
    features = [
        from_values(name, [values[name] for _, values, *_ in data], dtype, strict=False)
        for name, dtype in view.feature_schema.items()
    ]
    return versions_of(view, data).with_columns(features)


def stored_rows(view: FeatureView, versions: pl.DataFrame, layout: Layout) -> pl.Series:
    """Return, for each key and version, whether the offline store holds a row of it."""
    wanted = versions.lazy().with_row_index("__row")
    held = scan_view(view, layout).select(versions.columns)
    matches = wanted.join(held, on=versions.columns, how="semi", nulls_equal=True).select("__row")
    return pl.int_range(versions.height, eager=True).is_in(matches.collect()["__row"].implode())
