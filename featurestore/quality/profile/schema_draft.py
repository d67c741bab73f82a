"""The draft of a schema as data: fields and checks, and how sure each check is.

A draft is made from the rows of today, and must let the ordinary rows of tomorrow pass. So a number may exceed what
was seen by ten times the range; whole numbers that are never negative, such as identifiers and counts, have no upper
bound; and a new value of a list, or of another form, is counted and passes.

If a check held for all of n values, at most 3/n of all values break it, with 95% confidence (the
rule of three; Hanley and Lippman-Hand, 1983). Its sureness is therefore ``1 - 3/n``. The sureness
of a list of allowed values is the probability that the next value is one of them, ``1 - (values
that occur once)/n`` (Good, 1953). A draft leaves out checks below 0.95.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from math import ceil, floor, isfinite, log10
from typing import TYPE_CHECKING, Any

from featurestore.quality.profile.column_profile import WHOLE
from featurestore.quality.profile.keys import is_identifier, is_unique

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from featurestore.quality.profile.column_profile import ColumnProfile, Value
    from featurestore.quality.profile.late_column import LateColumn
    from featurestore.quality.profile.profile import Profile

MIN_SURENESS = 0.95
MAX_CATEGORIES = 20
MAX_CODE = 20
MAX_BAD = 0.05  # the share of rows that may go to quarantine
WARNINGS = ("isin", "str_matches")  # checks that only warn: the next new value may be right
_SKEWED = 0.4  # the mean beside the largest number: amounts and counts have many small numbers
_ROOM = 10  # how many times the range seen a number may leave it
_FIRST_GAP = 2**53  # from here on, not every integer is a float
_LETTERS = ("[0-9]", "[A-Z]", "[a-z]", "[A-Z0-9]", r"\w")


@dataclass(frozen=True)
class CheckDraft:
    """A check that all values of a column pass.

    Attributes
    ----------
    argument, value
        The keyword argument of ``pandera.Field``, and its value.
    sureness
        0 to 1: how sure it is that the next value passes too.
    """

    argument: str
    value: Any
    sureness: float


@dataclass(frozen=True)
class FieldDraft:
    """The draft of a field.

    Attributes
    ----------
    attribute
        The name of the column as an identifier of Python.
    null_share
        The share of missing values; the field is nullable if it is not 0.
    checks
        In printed order.
    metadata
        What the schema declares beyond the checks, such as a unit to fill in.
    description
        The meaning of the column; empty: a person writes it.
    """

    column: str
    attribute: str
    dtype: pl.DataType
    null_share: float
    checks: tuple[CheckDraft, ...]
    metadata: dict[str, Any]
    description: str = ""


@dataclass(frozen=True)
class SchemaDraft:
    """The draft of a schema.

    Attributes
    ----------
    rows
        The number of rows that the draft is made from.
    unique
        The column that identifies a row without other columns, if there is one.
    perhaps_unique
        Other columns without a repeated value, which may be chance.
    min_rows
        The smallest expected number of rows; None: no bound.
    null_shares
        For each column with missing values, the largest expected share, and the share that was
        seen.
    key
        Columns that identify a row together.
    tolerance
        The share of rows that may go to quarantine.
    late
        The column that may say when a row became known. None: none does.
    """

    name: str
    dataset: str
    rows: int
    fields: tuple[FieldDraft, ...]
    unique: tuple[str, ...]
    perhaps_unique: tuple[str, ...]
    min_rows: float | None
    null_shares: dict[str, tuple[float, float]]
    key: tuple[str, ...] = ()
    tolerance: float = MAX_BAD
    late: LateColumn | None = None


def draft_schema(profile: Profile, schema: pl.Schema, *, name: str) -> SchemaDraft:
    """Draft a schema.

    Parameters
    ----------
    schema
        The dtypes of the profiled columns.
    name
        The name of the class.
    """
    attributes = _attributes(list(profile.columns))
    rows = profile.rows
    without_repeats = [column for column, of_column in profile.columns.items() if is_unique(of_column)]
    unique = tuple(c for c in without_repeats if is_identifier(c, profile.columns[c]))[:1]
    shares = {column: p.null_share for column, p in profile.columns.items() if p.nulls and p.null_share < 1}
    return SchemaDraft(
        name=name,
        dataset=profile.dataset,
        rows=rows,
        fields=tuple(
            FieldDraft(
                column=column,
                attribute=attributes[column],
                dtype=schema[column],
                null_share=of_column.null_share,
                checks=tuple(
                    check
                    for check in _checks(of_column, unique=column in unique)
                    if check.sureness >= MIN_SURENESS
                ),
                metadata={"unit": ""} if of_column.number_type in ("float", "decimal") else {},
            )
            for column, of_column in profile.columns.items()
        ),
        unique=unique,
        perhaps_unique=tuple(column for column in without_repeats if column not in unique),
        min_rows=_round(rows / 2, floor),
        null_shares={column: (min(1.0, _two(s * 2 + 5 / rows)), s) for column, s in shares.items()},
    )


def sureness(values: int) -> float:
    """Return the confidence in a check that a number of values passed, 0 to 1."""
    return max(0.0, 1 - 3 / values) if values else 0.0


def _checks(profile: ColumnProfile, *, unique: bool) -> Iterator[CheckDraft]:
    """List the checks that all values pass, with their sureness."""
    present = profile.present
    if present == 0:
        return
    if unique:
        yield CheckDraft("unique", value=True, sureness=sureness(present))
    values = [(value, count) for _, value, count in profile.values.counts if value is not None]
    once = sum(count == 1 for _, count in values)
    if _is_category(profile, values) and 1 - once / present >= MIN_SURENESS:
        allowed = sorted((value for value, _ in values), key=_natural)
        yield CheckDraft("isin", allowed, min(1 - once / present, sureness(present)))
    elif profile.kind == "number":
        for argument, bound in zip(("ge", "le"), _bounds(profile), strict=True):
            if bound is not None and _can_be_bound(bound):
                yield CheckDraft(argument, bound, sureness(present))
    elif profile.kind == "text" and profile.values.complete:
        pattern = _pattern([str(value) for value, _ in values])
        if pattern:
            yield CheckDraft("str_matches", pattern, sureness(sum(count for _, count in values)))


def _can_be_bound(bound: Any) -> bool:
    """Return whether Polars can compare with a bound: a widened range may leave the numbers that it knows."""
    if isinstance(bound, timedelta):
        return True
    return isfinite(bound) if isinstance(bound, float) else -(2**63) <= bound < 2**63


def _is_category(profile: ColumnProfile, values: list[tuple[Value, int]]) -> bool:
    listable = profile.kind == "text" or profile.number_type == "integer"
    few = 0 < len(values) <= MAX_CATEGORIES and len(values) < profile.present / 3
    # Text that has a digit each time names single things or periods, and the next one is new.
    numbered = profile.kind == "text" and all(re.search("[0-9]", str(value)) for value, _ in values)
    return listable and few and profile.values.complete and not numbered


def _bounds(profile: ColumnProfile) -> tuple[Any, Any]:
    """Widen the range, to round numbers; None: no bound.

    Zero is the lower bound of numbers that are never negative, if some are zero, or most are small beside the largest: such
    as prices, and not degrees.
    """
    minimum = float(profile.min or 0)
    maximum = float(profile.max or 0)
    width = maximum - minimum
    is_share = profile.number_type == "float" and minimum >= 0 and 0.5 < maximum <= 1  # noqa: PLR2004 - a share
    room = max(width * _ROOM, abs(minimum), abs(maximum))
    is_amount = 0 <= minimum <= width / 10 and (profile.zeros > 0 or (profile.mean or 0) <= _SKEWED * maximum)
    low: float | None = 0.0 if is_amount or is_share else _round(minimum - room, floor)
    high: float | None = 1.0 if is_share else _round(maximum + room, ceil)
    if profile.number_type == "integer" and minimum >= 0:
        low, high = 0.0 if low == 0 else None, None
    if not width and not is_share:
        low = high = None
    return _as_number(low, profile), _as_number(high, profile)


def _as_number(bound: float | None, profile: ColumnProfile) -> Any:
    if bound is None or profile.number_type not in WHOLE or not isfinite(bound):
        return bound
    if profile.number_type == "integer":
        return int(bound)
    try:
        return timedelta(microseconds=int(bound))
    except OverflowError:
        # A duration in Python ends before the rounded limit: there is nothing to check.
        return None


def _round(number: float, to: object) -> float:
    """Round to two digits, downwards or upwards."""
    if number == 0:
        return 0
    if not isfinite(number):
        return number
    step = 10.0 ** (floor(log10(abs(number))) - 1)
    if not step:  # the smallest numbers have no digits to round
        return number
    rounded = (floor if to is floor else ceil)(number / step) * step
    if isfinite(rounded) and rounded == int(rounded) and abs(rounded) < _FIRST_GAP:
        return int(rounded)
    return float(f"{rounded:.12g}")


def _two(share: float) -> float:
    return float(f"{share:.2g}")


def _pattern(values: list[str]) -> str | None:
    """Return the narrowest class of letters that all values of one length consist of, with the length.

    None if there is none, or the lengths differ: the next value may have another length.
    """
    lengths = {len(value) for value in values}
    if len(lengths) != 1 or not 0 < max(lengths) <= MAX_CODE:
        return None
    for letters in _LETTERS:
        if all(re.fullmatch(f"{letters}+", value, flags=re.ASCII) for value in values):
            return f"^{letters}{{{max(lengths)}}}$"
    return None


def _attributes(columns: list[str]) -> dict[str, str]:
    """Return an identifier of Python for each column, no two the same."""
    names = {column: column for column in columns if column == _identifier(column)}
    for column in columns:
        wanted = attribute = names.get(column) or _identifier(column)
        number = 2
        while column not in names and attribute in names.values():
            attribute = f"{wanted}_{number}"
            number += 1
        names[column] = attribute
    return names


def _identifier(column: str) -> str:
    """Return a name that a field of a schema can have: Pandera skips names that begin with an underscore."""
    # Python compares identifiers in this form.
    cleaned = re.sub(r"\W", "_", unicodedata.normalize("NFKC", column))
    if not cleaned[:1].isidentifier() or cleaned.startswith("_"):
        cleaned = f"column_{cleaned.lstrip('_')}"
    return f"{cleaned}_" if keyword.iskeyword(cleaned) or cleaned in _taken() else cleaned


@cache
def _taken() -> frozenset[str]:
    """Return the names that the body of a schema reads or inherits: a field of such a name would hide it."""
    from pandera.polars import DataFrameModel  # noqa: PLC0415 - Pandera imports pandas

    return frozenset({"pl", "pa", "Annotated", "timedelta", "Config", *dir(DataFrameModel)})


def _natural(value: object) -> tuple[float, str]:
    # Numbers by size, text by its letters.
    return (float(value), "") if isinstance(value, int | float) else (0.0, str(value))
