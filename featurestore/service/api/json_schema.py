"""What the contract of a request value promises, in JSON Schema: as far as that has the same meaning there.

Every promise written here is one of the contract's; those that JSON Schema cannot say exactly are left out: of 32-bit
floats it sees more digits than are kept, of moments and bytes only the text, and its dot is other characters than Rust's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.quality.gate.patterns import ascii_only, flat_pattern
from featurestore.quality.gate.predicate import comparable
from featurestore.quality.rules.checks import built_in

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
    """Write the checks of a column as keywords of JSON Schema; of two with one keyword the first."""
    found: dict[str, Any] = {}
    for check in column.checks:
        if not check.raise_warning:
            for keyword, value in _keywords(*built_in(check), column.dtype):
                found.setdefault(keyword, value)
    return found


def _keywords(name: str | None, given: Mapping[str, Any], dtype: pl.DataType) -> Iterator[tuple[str, Any]]:
    number = dtype.is_integer() or dtype == pl.Float64
    if name == "in_range":
        low = "greater_than_or_equal_to" if given.get("include_min", True) else "greater_than"
        high = "less_than_or_equal_to" if given.get("include_max", True) else "less_than"
        yield from (*_keywords(low, given, dtype), *_keywords(high, given, dtype))
    elif name in _BOUNDS and number:
        keyword, argument = _BOUNDS[name]
        if comparable(given[argument], dtype) is not None:
            yield keyword, given[argument]
    elif name in _MEMBERS and (number or dtype in (pl.String, pl.Boolean)):
        [wanted] = given.values()
        members = wanted if name in ("isin", "notin") else [wanted]
        if members and all(comparable(member, dtype) is not None for member in members):
            yield _MEMBERS[name](sorted(members))
    elif name == "str_length":
        yield from ((keyword, given[bound]) for keyword, bound in _LENGTHS if given.get(bound) is not None)
    elif name in ("str_matches", "str_contains"):
        pattern = flat_pattern(given["pattern"], anchored=name == "str_matches")
        if pattern is not None and _NO_DOT.fullmatch(pattern) and not ascii_only(pattern):
            yield "pattern", pattern.replace(r"\Z", "$")
