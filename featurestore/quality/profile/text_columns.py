"""Text columns: how each is best read, and which words stand for a missing value.

A reading is taken only if the gate can read every value of the column by it, without loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.values.text_casts import text_cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NULL_WORDS: Final = (
    *("NA", "N/A", "n/a", "na", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None", "none", "nil"),
    *(".", "-", "--", "?"),
)
_BOOLEANS: Final = {"true", "false", "t", "f"}
# A number with a leading zero is a code, such as a postal code; NaN and infinity are not measured values.
_NOT_A_NUMBER: Final = r"(?i)^\s*[+-]?(?:0[0-9]|nan|inf)"
_DAY_FIRST: Final = ("%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y")
_YEAR_FIRST: Final = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d")
_MONTH_FIRST: Final = ("%m/%d/%Y", "%m-%d-%Y")
_TIMES: Final = (" %H:%M", " %H:%M:%S", " %H:%M:%S%.f", "T%H:%M", "T%H:%M:%S", "T%H:%M:%S%.f")
# The parser of dates takes a year of two digits for the first century.
_YEAR: Final = {"%d": r"^[0-9]{1,2}.[0-9]{1,2}.[0-9]{4}\b", "%m": r"^[0-9]{1,2}.[0-9]{1,2}.[0-9]{4}\b"}
_YEAR_AT_START: Final = r"^[0-9]{4}\b"


@dataclass(frozen=True)
class Reading:
    """How a column of text is read.

    Attributes
    ----------
    dtype
        The dtype of its values.
    text_format
        How a date or time is written; None: ISO 8601, or the dtype has no format.
    null_words
        Words of the column that stand for a missing value: without them it would be text.
    other_format
        Another format by which every value can be read, with the month first. None: there is none.
    """

    dtype: pl.DataType
    text_format: str | None = None
    null_words: tuple[str, ...] = ()
    other_format: str | None = None

    @property
    def lacks_zone(self) -> bool:
        """Whether the text has a time of day without an offset from UTC."""
        return "%H" in (self.text_format or "") and not (self.text_format or "").endswith("z")


def read_columns(texts: pl.DataFrame) -> dict[str, Reading]:
    """Find the reading of each column of text; a column that nothing else fits stays text.

    Times without a zone are read as UTC.
    """
    return {name: reading_of(texts[name].drop_nulls().unique().alias("text")) for name in texts.columns}


def null_words(by_column: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the words that stand for a missing value in any column, in a fixed order."""
    words = {word for words in by_column.values() for word in words}
    return tuple(word for word in NULL_WORDS if word in words)


def doubtful_words(values: pl.Series) -> tuple[str, ...]:
    """Return the words of a column that might stand for a missing value, though the column is text."""
    present = set(values.filter(values.is_in(NULL_WORDS)).unique())
    return tuple(word for word in NULL_WORDS if word in present)


def reading_of(values: pl.Series) -> Reading:
    """Find the reading of different values of text, none of them null."""
    words = doubtful_words(values)
    rest = values.filter(~values.is_in(words)) if words else values
    if not rest.is_empty():
        fits = [candidate for candidate in _candidates(rest) if _fits(rest, *candidate)]
        if fits:
            (dtype, text_format), *others = fits
            month_first = next(
                (swapped for _, swapped in others if _swaps_day_and_month(text_format, swapped)), None
            )
            return Reading(dtype, text_format, words, month_first)
    return Reading(pl.String())


def _swaps_day_and_month(text_format: str | None, swapped: str | None) -> bool:
    return text_format is not None and swapped is not None and text_format[:2] == "%d" and swapped[:2] == "%m"


def _candidates(values: pl.Series) -> Iterator[tuple[pl.DataType, str | None]]:
    if not values.str.contains(_NOT_A_NUMBER).any():
        yield pl.Int64(), None
        yield pl.Float64(), None
    if set(values.str.to_lowercase().unique()) <= _BOOLEANS:
        yield pl.Boolean(), None
    # A date has a digit, and a separator that a number does not have twice.
    if not values.str.contains(r"^[0-9]{1,4}[-./][0-9]{1,2}[-./][0-9]{1,4}").all():
        return
    yield pl.Date(), None
    yield pl.Datetime("us", "UTC"), None
    for day in (*_YEAR_FIRST, *_DAY_FIRST, *_MONTH_FIRST):
        yield pl.Date(), day
    for day, time in product((*_YEAR_FIRST, *_DAY_FIRST, *_MONTH_FIRST), _TIMES):
        yield pl.Datetime("us", "UTC"), day + time
        yield pl.Datetime("us", "UTC"), f"{day}{time}%#z"


def _fits(values: pl.Series, dtype: pl.DataType, text_format: str | None) -> bool:
    """Return whether the gate reads every value."""
    if text_format is not None:
        year = _YEAR_AT_START if text_format.startswith("%Y") else _YEAR[text_format[:2]]
        if not values.str.contains(year).all():
            return False
    cast = text_cast(pl.col(values.name), dtype, text_format)
    if cast is None:
        return False
    head = values.head(1_000)
    return not any(
        part.to_frame().select(cast[1].any()).item() for part in (head, values[head.len() :]) if part.len()
    )
