"""The checks of a column as keywords of JSON Schema, where JSON Schema expresses them exactly.

Other checks are left out: JSON Schema sees more digits of a 32-bit float than are stored, sees timestamps and bytes
only as text, and its dot matches other characters than Rust's.
"""

from __future__ import annotations

import re
from ctypes import c_float
from datetime import date, datetime, timedelta
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.expressions.patterns import ascii_only, flat_pattern
from featurestore.quality.rules.checks import built_in
from featurestore.values.table import integer_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from featurestore.definitions.contract import Column

_BOUNDS: Final = {
    "greater_than": ("exclusiveMinimum", "min_value"),
    "greater_than_or_equal_to": ("minimum", "min_value"),
    "less_than": ("exclusiveMaximum", "max_value"),
    "less_than_or_equal_to": ("maximum", "max_value"),
}
_LENGTHS: Final = (
    ("minLength", "min_value"),
    ("maxLength", "max_value"),
    ("minLength", "exact_value"),
    ("maxLength", "exact_value"),
)
_MEMBERS: Final[dict[str, Callable[[list[Any]], tuple[str, Any]]]] = {
    "equal_to": lambda members: ("enum", members),
    "isin": lambda members: ("enum", members),
    "not_equal_to": lambda members: ("not", {"enum": members}),
    "notin": lambda members: ("not", {"enum": members}),
}
_NO_DOT: Final = re.compile(r"(?:[^\\.]|\\.)*", re.DOTALL)


def json_schema(column: Column) -> dict[str, Any]:
    """Return the checks of a column as keywords of JSON Schema. If two checks have one keyword, the first counts."""
    keywords: dict[str, Any] = {}
    for check in column.checks:
        if not check.raise_warning:
            for keyword, value in _keywords(*built_in(check), column.dtype):
                keywords.setdefault(keyword, value)
    return keywords


def _keywords(
    name: str | None, arguments: Mapping[str, Any], dtype: pl.DataType
) -> Iterator[tuple[str, Any]]:
    number = dtype.is_integer() or dtype == pl.Float64
    if name == "in_range":
        low = "greater_than_or_equal_to" if arguments.get("include_min", True) else "greater_than"
        high = "less_than_or_equal_to" if arguments.get("include_max", True) else "less_than"
        yield from (*_keywords(low, arguments, dtype), *_keywords(high, arguments, dtype))
    elif name in _BOUNDS and number:
        keyword, argument = _BOUNDS[name]
        if _comparable(arguments[argument], dtype) is not None:
            yield keyword, arguments[argument]
    elif name in _MEMBERS and (number or dtype in (pl.String, pl.Boolean)):
        [operand] = arguments.values()
        members = operand if name in ("isin", "notin") else [operand]
        if members and all(_comparable(member, dtype) is not None for member in members):
            yield _MEMBERS[name](sorted(members))
    elif name == "str_length":
        yield from (
            (keyword, arguments[bound]) for keyword, bound in _LENGTHS if arguments.get(bound) is not None
        )
    elif name in ("str_matches", "str_contains"):
        pattern = flat_pattern(arguments["pattern"], anchored=name == "str_matches")
        if pattern is not None and _NO_DOT.fullmatch(pattern) and not ascii_only(pattern):
            yield "pattern", pattern.replace(r"\Z", "$")


def _comparable(bound: Any, dtype: pl.DataType) -> Any:
    """Return a bound as JSON Schema compares it, as Polars does; None where they may differ."""
    if dtype.is_integer():
        low, high = integer_limits(dtype)
        return bound if type(bound) is int and low <= bound <= high else None
    if dtype.is_float():
        if type(bound) not in (int, float) or not isfinite(bound):
            return None
        rounded = c_float(bound).value if dtype == pl.Float32 else float(bound)
        return rounded if isfinite(rounded) and (rounded == bound or type(bound) is float) else None
    if dtype == pl.Datetime("us", "UTC"):
        return bound if isinstance(bound, datetime) and bound.utcoffset() == timedelta(0) else None
    kinds: dict[Any, type] = {pl.String: str, pl.Boolean: bool, pl.Date: date}
    return bound if type(bound) is kinds.get(type(dtype)) else None
