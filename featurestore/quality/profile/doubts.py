"""Doubts: what the values of a column look like, though the draft does not read them so.

Text such as ``36,3`` or ``05.01.24`` and numbers such as ``1704067200`` have several meanings. The draft takes none of
them: it asks, and says how the column is read if the answer is yes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from featurestore.quality.profile.text_columns import reading_of
from featurestore.values.escapes import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

_DECIMAL_COMMA: Final = r"^\s*[+-]?[0-9]+(?:[.' ][0-9]{3})*(?:,[0-9]+)?\s*$"
_THOUSANDS: Final = r"^\s*[+-]?[0-9]{1,3}(?:,[0-9]{3})*(?:\.[0-9]+)?\s*$"
_CURRENCY: Final = r"^\s*[+-]?\s*(?:[€$£¥]|[A-Z]{3}\s)\s*[+-]?[0-9][0-9.,]*\s*$"
_WITH_UNIT: Final = r"^\s*[+-]?[0-9][0-9.,]*\s*(?:%|[€$£¥]|°?[a-zA-Zµ/]{1,5})\s*$"
_UNIT: Final = r"\s*([^0-9.,+\s-]+)\s*$"
_SHORT_YEAR: Final = r"^\s*[0-9]{1,2}([./-])[0-9]{1,2}[./-][0-9]{2}\s*$"
_DATE: Final = (
    r"(?i)^\s*[0-9]{1,4}[./-][0-9]{1,2}[./-][0-9]{1,4}\b"
    r"|^(?:[a-z]+[ ,.]+)?[0-9]{1,2}[. -]*(?:jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[a-zä]*[ .,-]+[0-9]{2,4}\b"
    r"|^(?:jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[a-zä]*[ .]+[0-9]{1,2}\b"
)
_COMPACT_DAY: Final = r"^(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])$"
_YES_AND_NO: Final = (
    *({"y", "n"}, {"yes", "no"}, {"j", "n"}, {"ja", "nein"}, {"o", "n"}, {"oui", "non"}),
    *({"s", "n"}, {"si", "no"}, {"sí", "no"}, {"on", "off"}),
)
# From 2001 to 2040, in each unit.
_FIRST_SECOND, _LAST_SECOND = 978_307_200, 2_208_988_800
_UNITS: Final = {
    1: ("seconds", "s"),
    10**3: ("milliseconds", "ms"),
    10**6: ("microseconds", "us"),
    10**9: ("nanoseconds", "ns"),
}


def doubts_of(values: pl.Series, null_words: tuple[str, ...]) -> Iterator[str]:
    """Ask what a column means: a question, and what to do if the answer is yes.

    Parameters
    ----------
    values
        The values, in the dtype that the draft gives them.
    null_words
        Words that stand for a missing value.
    """
    present = values.drop_nulls().unique().alias("value")
    if present.dtype == pl.String:
        present = present.filter(~present.is_in(null_words))
        if not present.is_empty():
            yield from _of_text(values.name, present)
    elif present.dtype.is_integer() and not present.is_empty():
        yield from _of_whole_numbers(values.name, present)


def _of_text(column: str, values: pl.Series) -> Iterator[str]:
    def all_match(pattern: str) -> bool:
        return bool(values.str.contains(pattern).all())

    has_comma = bool(values.str.contains(",", literal=True).any())
    name = f"pl.col({quoted(column)})"
    digits = f'{name}.str.replace_all("[^-0-9.]", "").cast(pl.Float64)'
    if has_comma and all_match(_THOUSANDS):
        yield f"numbers with commas between thousands? A view reads {digits}"
    elif has_comma and all_match(_DECIMAL_COMMA):
        yield (
            f'numbers with a decimal comma? A view reads {name}.str.replace_all("[^-0-9,]", "")'
            '.str.replace(",", ".").cast(pl.Float64)'
        )
    elif all_match(_CURRENCY):
        yield f"amounts with a currency? A view reads {digits}"
    elif (unit := _common_unit(values)) is not None:
        yield f"numbers in {unit}? A view reads {digits}"
    elif all_match(_SHORT_YEAR):
        mark = values.str.extract(_SHORT_YEAR)[0]
        wanted = mark.join(("%d", "%m", "%y"))
        yield f'days with a year of two digits? Then declare pl.Date, and "format": "{wanted}" in its metadata'
    elif (reading := reading_of(values)).dtype.is_temporal():
        day_or_time = "pl.Date" if reading.dtype == pl.Date else 'Annotated[pl.Datetime, "us", "UTC"]'
        spelling = (
            "" if reading.text_format is None else f', and "format": "{reading.text_format}" in its metadata'
        )
        zone = ". Times without a zone are read as UTC" if reading.lacks_zone else ""
        yield f"{'dates' if reading.dtype == pl.Date else 'times'} as text? Then declare {day_or_time}{spelling}{zone}"
    elif all_match(_DATE):
        yield (
            "dates or times? No known format fits all of them: declare pl.Date or pl.Datetime, "
            'and "format" in its metadata'
        )
    elif values.len() == 2 and set(values.str.to_lowercase()) in _YES_AND_NO:  # noqa: PLR2004 - yes and no
        yes = next(v for v in sorted(values) if v.lower() not in {"n", "no", "nein", "non", "off"})
        yield f'yes and no? A view reads {name} == "{yes}"'


def _common_unit(values: pl.Series) -> str | None:
    if not values.str.contains(_WITH_UNIT).all():
        return None
    units = values.str.extract(_UNIT).unique()
    return units[0] if units.len() == 1 and re.search(r"[^0-9eE]", units[0]) else None


def _of_whole_numbers(column: str, values: pl.Series) -> Iterator[str]:
    low, high = values.cast(pl.Int128).min(), values.cast(pl.Int128).max()
    if not isinstance(low, int) or not isinstance(high, int):
        return
    for scale, (unit, short) in _UNITS.items():
        if _FIRST_SECOND * scale <= low and high < _LAST_SECOND * scale:
            yield (
                f"times, as {unit} since 1970? A view reads "
                f'pl.from_epoch({quoted(column)}, "{short}").dt.replace_time_zone("UTC")'
            )
    if values.cast(pl.String).str.contains(_COMPACT_DAY).all():
        yield f'days, such as {high}? Then declare pl.Date, and "format": "%Y%m%d" in its metadata'
