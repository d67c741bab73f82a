"""Keys: the columns that identify a row together."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

MAX_COLUMNS: Final = 3
MAX_CANDIDATES: Final = 10
MIN_ROWS: Final = 60  # with fewer rows a key is an accident
_SAMPLE: Final = 20_000


def key_of(rows: pl.DataFrame) -> tuple[str, ...]:
    """Find the smallest set of columns without missing values whose values occur only once together.

    Sets with a column further left come first. Columns of floats, lists and structs are
    left out: they are measures. Empty if there is none, or too few rows to be sure.
    """
    if rows.height < MIN_ROWS:
        return ()
    candidates = [
        name
        for name, dtype in rows.schema.items()
        if not (dtype.is_float() or dtype.is_nested()) and not rows[name].null_count()
    ]
    sample = rows.head(_SAMPLE)
    for columns in _sets(candidates[:MAX_CANDIDATES]):
        if (
            not sample.select(columns).is_duplicated().any()
            and not rows.select(columns).is_duplicated().any()
        ):
            return columns
    return ()


def _sets(candidates: list[str]) -> Iterator[tuple[str, ...]]:
    for size in range(1, MAX_COLUMNS + 1):
        yield from combinations(candidates, size)
