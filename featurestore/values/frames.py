"""Frames as users have them: of Polars, or of another library that exports an Arrow stream, such as pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from typing import Any


def frame_of_any(rows: Any) -> pl.DataFrame | pl.LazyFrame | None:
    """Return a frame of pandas, pyarrow or DuckDB as one of Polars, and one of Polars as it is. None: it is another value."""
    if isinstance(rows, pl.DataFrame | pl.LazyFrame):
        return rows
    if isinstance(rows, pl.Series) or not hasattr(rows, "__arrow_c_stream__"):
        return None
    # pandas exports an index that was not reset as a column.
    return _without_pandas_floats(pl.DataFrame(rows).select(pl.exclude("^__index_level_.*$")))


def _without_pandas_floats(frame: pl.DataFrame) -> pl.DataFrame:
    """Cast floats to integers where pandas, which has no missing integers, made floats of them."""
    integers = [
        name
        for name, dtype in frame.schema.items()
        if isinstance(dtype, pl.Float64)
        and frame[name].null_count()
        and frame[name].cast(pl.Int64, strict=False).cast(pl.Float64).eq_missing(frame[name]).all()
    ]
    return frame.with_columns(pl.col(name).cast(pl.Int64) for name in integers)
