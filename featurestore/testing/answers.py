"""Answers as plain Python values, so that engines and stores can be compared with the oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from featurestore.timing.join import Status, status_column
from featurestore.values.plain import in_utc_zone

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl


def answers(frame: pl.DataFrame, features: Sequence[str]) -> list[list[tuple[Any, Status]]]:
    """Return for each row of a frame the value and the status of each feature, as the oracle does."""
    plain = in_utc_zone(frame)
    columns = [
        list(zip(plain[name].to_list(), map(Status, plain[status_column(name)].to_list()), strict=True))
        for name in features
    ]
    return [list(row) for row in zip(*columns, strict=True)]
