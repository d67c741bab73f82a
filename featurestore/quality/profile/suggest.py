"""Draft a schema from a profile: a Python file that a person edits, with how sure each rule is.

A rule that held in all of n values is broken by at most 3/n of all values, with 95 % confidence (the rule of three; Hanley
and Lippman-Hand, 1983): it is told with ``1 - 3/n``. A list of allowed values is as sure as the chance that the next value is
one of them, ``1 - (values seen once)/n`` (Good, 1953). What is less sure than 0.95 is left out.
"""

from __future__ import annotations

import json
import keyword
import re
from math import ceil, floor, log10
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from featurestore.quality.profile.column_profile import ColumnProfile
    from featurestore.quality.profile.profile import Profile

SURE = 0.95
MAX_CATEGORIES = 20
MAX_LINE_LENGTH = 60
MIN_ROWS = 60  # of fewer no rule is sure
_SHAPES = (
    (r"[0-9]", "[0-9]"),
    (r"[A-Z]", "[A-Z]"),
    (r"[a-z]", "[a-z]"),
    (r"[A-Z0-9]", "[A-Z0-9]"),
    (r"\w", r"\w"),
)
_DTYPES = {
    "Datetime(time_unit='us', time_zone='UTC')": 'Annotated[pl.Datetime, "us", "UTC"]',
    "Datetime(time_unit='us', time_zone=None)": 'Annotated[pl.Datetime, "us", None]',
}
_MEASURED = ("Float", "Decimal")


def suggest(profile: Profile, *, name: str) -> str:
    """Write the draft of a schema as a Python module.

    Parameters
    ----------
    name
        Of the class.
    """
    names = _attributes(list(profile.columns))
    fields = [
        line for column, told in profile.columns.items() for line in _field(column, names[column], told)
    ]
    unique = [column for column, told in profile.columns.items() if _is_unique(told)]
    annotated = any(told.dtype in _DTYPES for told in profile.columns.values())
    rows = profile.rows
    lines = [
        f'"""Draft from {rows:,} rows of {profile.dataset}: say what rows and columns mean, and keep the rules that are meant."""',
        "",
        *(["from typing import Annotated", ""] if annotated else []),
        "import pandera.polars as pa",
        "import polars as pl",
        "",
        "",
        f"class {name}(pa.DataFrameModel):",
        f'    """Rows of {profile.dataset}."""',
        "",
        *fields,
        "",
        "    class Config:",
        '        """What is promised of the dataset as a whole."""',
        "",
        "        strict = True",
        *([f"        # unique by itself: {', '.join(unique)}"] if unique else []),
        "        metadata = {",
        '            "on_invalid": "refuse",',
        '            "expect": {',
        *(f"                {line}" for line in _expectations(profile)),
        "            },",
        "        }",
    ]
    return "\n".join(lines) + "\n"


def sureness(held: int) -> float:
    """Say how sure a rule is that held in so many values."""
    return max(0.0, 1 - 3 / held) if held else 0.0


def _field(column: str, attribute: str, told: ColumnProfile) -> Iterator[str]:
    rules = [rule for rule in _rules(told) if rule[1] >= SURE]
    alias = None if attribute == column else column
    unit = told.dtype.startswith(_MEASURED)
    yield f"    {attribute}: {_dtype(told.dtype)} = pa.Field("
    for text, sure in rules:
        yield from _argument(
            text, f"{told.null_share:.2%} missing" if text == "nullable=True" else _percent(sure)
        )
    if alias is not None:
        yield f"        alias={_literal(alias)},"
    yield '        description="",'
    if unit:
        yield '        metadata={"unit": ""},'
    yield "    )"


def _argument(text: str, note: str) -> Iterator[str]:
    if len(text) <= MAX_LINE_LENGTH or not text.startswith("isin=["):
        yield f"        {text},  # {note}"
        return
    yield f"        isin=[  # {note}"
    yield from (
        f"            {value}," for value in text.removeprefix("isin=[").removesuffix("]").split(", ")
    )
    yield "        ],"


def _rules(told: ColumnProfile) -> Iterator[tuple[str, float]]:
    """List what held in all values, with how sure it is."""
    there = told.present
    if told.nulls:
        yield "nullable=True", 1.0
    if there == 0:
        return
    if _is_unique(told):
        yield "unique=True", sureness(there)
    values = [(value, count) for _, value, count in told.values.counts if value is not None]
    categories = (
        told.values.complete and 0 < len(values) <= MAX_CATEGORIES and told.kind in ("text", "number")
    )
    once = sum(count == 1 for _, count in values)
    if (
        categories
        and not told.dtype.startswith("Float")
        and 1 - once / there >= SURE
        and len(values) < there / 3
    ):
        listed = sorted((_literal(value) for value, _ in values), key=_natural)
        yield f"isin=[{', '.join(listed)}]", min(1 - once / there, sureness(there))
        return
    if told.kind == "number":
        least, most = _bounds(told)
        yield f"ge={least}", sureness(there)
        yield f"le={most}", sureness(there)
    elif (
        told.kind == "text"
        and told.values.complete
        and (pattern := _pattern([str(value) for value, _ in values]))
    ):
        yield f"str_matches={_literal(pattern)}", sureness(sum(count for _, count in values))


def _expectations(profile: Profile) -> Iterator[str]:
    rows = profile.rows
    yield f'"rows": ({_round(rows / 2, floor)}, {_round(rows * 2, ceil)}),  # half to twice of what was seen'
    shares = {name: c.null_share for name, c in profile.columns.items() if c.nulls and c.null_share < 1}
    if shares:
        yield '"null_share": {'
        for name, share in shares.items():
            yield f"    {_literal(name)}: {min(1.0, _two(share * 1.5 + 3 / rows)):g},  # seen: {share:.2%}"
        yield "},"


def _is_unique(told: ColumnProfile) -> bool:
    there = told.present
    if (
        told.kind not in ("number", "text")
        or told.dtype.startswith("Float")
        or told.nulls
        or there < MIN_ROWS
    ):
        return False
    return all(count == 1 for _, _, count in told.values.counts) and told.values.distinct > there * 0.9


def _bounds(told: ColumnProfile) -> tuple[str, str]:
    """Widen what was seen by a tenth of its spread, to round numbers; zero stays a bound of what is never negative."""
    least, most = float(told.least or 0), float(told.most or 0)
    room = max((most - least) / 10, abs(most) / 100)
    low = 0.0 if 0 <= least <= room * 2 else _round(least - room, floor)
    high = 0.0 if -room * 2 <= most <= 0 else _round(most + room, ceil)
    # Shares stay shares.
    high = 1.0 if least >= 0 and 0.5 < most <= 1 and told.dtype.startswith("Float") else high  # noqa: PLR2004
    whole = not told.dtype.startswith(_MEASURED)
    return (str(int(low)), str(int(high))) if whole else (f"{low:g}", f"{high:g}")


def _round(number: float, to: object) -> float:
    """Round to two digits, downwards or upwards."""
    if number == 0:
        return 0
    step = 10.0 ** (floor(log10(abs(number))) - 1)
    rounded = (floor if to is floor else ceil)(number / step) * step
    return int(rounded) if rounded == int(rounded) else float(f"{rounded:.12g}")


def _two(share: float) -> float:
    return float(f"{share:.2g}")


def _pattern(values: list[str]) -> str | None:
    """Find the narrowest class of letters of which all values consist, with their lengths; None: there is none."""
    if not values or any(not value for value in values):
        return None
    lengths = sorted({len(value) for value in values})
    for letters, written in _SHAPES:
        if all(re.fullmatch(f"{letters}+", value, flags=re.ASCII) for value in values):
            count = f"{{{lengths[0]}}}" if lengths[0] == lengths[-1] else f"{{{lengths[0]},{lengths[-1]}}}"
            return f"^{written}{count}$" if lengths[-1] <= MAX_CATEGORIES else f"^{written}+$"
    return None


def _dtype(dtype: str) -> str:
    return _DTYPES.get(dtype) or f"pl.{dtype.partition('(')[0]}"


def _percent(sure: float) -> str:
    return f"sure to {min(sure, 0.9999):.2%}"


def _attributes(columns: list[str]) -> dict[str, str]:
    """Give each column a name that Python knows, no two the same."""
    plain = [c for c in columns if c.isidentifier() and not keyword.iskeyword(c)]
    names = {column: column for column in plain}
    for column in columns:
        wanted = attribute = names.get(column) or _identifier(column)
        number = 2
        while column not in names and attribute in names.values():
            attribute, number = f"{wanted}_{number}", number + 1
        names[column] = attribute
    return names


def _identifier(column: str) -> str:
    cleaned = re.sub(r"\W", "_", column)
    return (
        f"{cleaned}_"
        if keyword.iskeyword(cleaned)
        else cleaned
        if cleaned[:1].isidentifier()
        else f"_{cleaned}"
    )


def _literal(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _natural(text: str) -> tuple[float, str]:
    try:
        return float(text), text
    except ValueError:
        return float("inf"), text
