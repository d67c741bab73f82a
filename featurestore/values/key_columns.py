"""Key columns of frames. A view without an entity has an empty key: no columns, and one key for all rows.

Polars forgets how many rows a frame has when none of its columns is selected, and joins on one column at least.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEY: Final = "__key"
_ONE: Final = pl.lit(0, dtype=pl.UInt8).alias(_KEY)


def select_columns(frame: pl.DataFrame, columns: Sequence[str | pl.Expr]) -> pl.DataFrame:
    """Select columns, and keep the number of rows if there are none."""
    return frame.select(columns) if columns else pl.DataFrame(height=frame.height)


def frame_of_columns(columns: Sequence[pl.Series], height: int) -> pl.DataFrame:
    """Make a frame of columns. `height` is their length, which counts if there are none."""
    return pl.DataFrame(columns) if columns else pl.DataFrame(height=height)


def join_by_key(
    left: pl.DataFrame,
    right: pl.DataFrame,
    keys: Sequence[str],
    how: Literal["left", "inner", "semi", "anti"],
) -> pl.DataFrame:
    """Join frames by their key columns, in the order of the left rows. All rows match by an empty key."""
    if keys:
        return left.join(right, on=list(keys), how=how, maintain_order="left")
    matched = left.with_columns(_ONE).join(right.with_columns(_ONE), on=_KEY, how=how, maintain_order="left")
    return matched.drop(_KEY)
