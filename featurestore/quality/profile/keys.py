"""Keys: the columns that identify a row, alone or together.

In few rows, values differ by chance. Columns are taken for a key only if that would be unlikely: where their values are
drawn independently, more than `MIN_REPEATS` pairs of rows are expected to be equal, and none is.
"""

from __future__ import annotations

import re
from datetime import date
from itertools import combinations
from math import prod
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from featurestore.quality.profile.column_profile import ColumnProfile

MAX_COLUMNS: Final = 3
MAX_CANDIDATES: Final = 10
MIN_ROWS: Final = 60  # with fewer rows nothing is sure
# Without repeats where 12 are expected: the chance is exp(-12), and some hundred sets of columns are tried.
MIN_REPEATS: Final = 12
_SAMPLE: Final = 20_000
# Text that does not repeat in this number of rows, or always has one length of at least `_LONG`, is an identifier.
_MANY_ROWS: Final = 1_000
_LONG: Final = 16
_IDENTIFIER: Final = re.compile(
    r"(?:^|[^a-z])(?:id|key|uuid|guid|sku|isbn|ean|iban|no|nr|num|number|ref|reference|token|hash)$"
)


def is_unique(profile: ColumnProfile) -> bool:
    """Return whether no value of a column repeats, none is missing, and there are enough rows.

    Columns of fractions, durations and times are left out: they are measured, not assigned.
    """
    comparable = profile.kind == "text" or profile.number_type == "integer" or profile.dtype == "Date"
    if not comparable or profile.nulls or profile.present < MIN_ROWS:
        return False
    once = all(count == 1 for _, _, count in profile.values.counts)
    return once and profile.values.distinct > profile.present * 0.9


def is_identifier(column: str, profile: ColumnProfile) -> bool:
    """Return whether a column without repeats identifies a row, and not by chance.

    Its name says so, its whole numbers or days leave few gaps, or its text is long or does not repeat in many rows.
    """
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", column).lower().rstrip("_")
    if _IDENTIFIER.search(words):
        return True
    if profile.kind == "text":
        lengths = (profile.min, profile.max)
        is_long = lengths[0] == lengths[1] and isinstance(lengths[0], int) and lengths[0] >= _LONG
        has_space = any(" " in str(value) for _, value, _ in profile.values.counts)
        return not has_space and (is_long or profile.present >= _MANY_ROWS)
    bounds = (_whole(profile.min), _whole(profile.max))
    if bounds[0] is None or bounds[1] is None:
        return False
    pairs = profile.present * (profile.present - 1) / 2
    return pairs / (bounds[1] - bounds[0] + 1) >= MIN_REPEATS


def key_of(rows: pl.DataFrame) -> tuple[str, ...]:
    """Find the smallest set of two or three columns whose values occur only once together, and not by chance.

    Sets with a column further left come first. Columns with missing values, and columns of floats, lists and structs, are
    left out: these are measured, not assigned. Empty if there is no such set, or too few rows to be sure.
    """
    if rows.height < MIN_ROWS:
        return ()
    candidates = [
        name
        for name, dtype in rows.schema.items()
        if not (dtype.is_float() or dtype.is_nested()) and not rows[name].null_count()
    ][:MAX_CANDIDATES]
    pairs = rows.height * (rows.height - 1) / 2
    equal = {name: _share_of_equal_pairs(rows[name]) for name in candidates}
    sample = rows.head(_SAMPLE)
    for columns in _sets(candidates):
        if (
            pairs * prod(equal[name] for name in columns) >= MIN_REPEATS
            and not sample.select(columns).is_duplicated().any()
            and not rows.select(columns).is_duplicated().any()
        ):
            return columns
    return ()


def _share_of_equal_pairs(values: pl.Series) -> float:
    """Estimate how many pairs of rows have equal values; where none has, by the range of whole numbers and days."""
    rows = values.len()
    counts = values.value_counts()["count"].cast(pl.Int64)
    share = int((counts * (counts - 1)).sum()) / (rows * (rows - 1))
    if values.dtype.is_integer() or values.dtype == pl.Date:
        low, high = _whole(values.min()), _whole(values.max())
        if low is not None and high is not None:
            return max(share, 1 / (high - low + 1))
    return share


def _whole(value: object) -> int | None:
    """Return a whole number as it is, and a day as its number."""
    if isinstance(value, str):
        return date.fromisoformat(value[:10]).toordinal()
    if isinstance(value, date):
        return value.toordinal()
    return value if isinstance(value, int) else None


def _sets(candidates: list[str]) -> Iterator[tuple[str, ...]]:
    for size in range(2, MAX_COLUMNS + 1):
        yield from combinations(candidates, size)
