"""The entity frames that Feast takes: their column of timestamps can have any name."""

from __future__ import annotations

import polars as pl

from featurestore.errors import ContractError
from featurestore.timing.columns import EVENT_TIMESTAMP


def named_timestamps(rows: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """Name the column of timestamps ``event_timestamp``; returns the rows and the name that the column had.

    As in Feast, the only column of timestamps is meant if no column has that name, and timestamps
    without a time zone are in UTC.

    Raises
    ------
    ContractError
        If no column is named ``event_timestamp``, and several columns hold timestamps.
    """
    name = EVENT_TIMESTAMP
    if name not in rows.columns:
        candidates = [column for column, dtype in rows.schema.items() if isinstance(dtype, pl.Datetime)]
        if len(candidates) > 1:
            raise ContractError(
                f"entity rows: {', '.join(map(repr, candidates))} hold timestamps; expected one such column, or "
                f"{EVENT_TIMESTAMP!r}",
                hint=f"rename the column of the timestamps to {EVENT_TIMESTAMP!r}",
            )
        if not candidates:
            return rows, name  # the join names what is missing
        [name] = candidates
    dtype = rows.schema[name]
    column = pl.col(name)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is None:
        column = column.dt.replace_time_zone("UTC")
    return rows.with_columns(column).rename({name: EVENT_TIMESTAMP}), name
