"""Values that a column could have, made up from its contract alone: no data are read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from featurestore.quality.rules.checks import built_in
from featurestore.service.api.sample_text import matching_text
from featurestore.values.table import integer_limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from featurestore.definitions.contract import Column

MAX_MEMBERS: Final = 20
MAX_RANGE: Final = 2_400
EARLIER_YEARS: Final = 15
REPEATS: Final = (3, 1, 8)
# What text in a column of this name looks like.
_TEXTS: Final = {
    "email": "ada@example.com",
    "country": "NL",
    "currency": "EUR",
    "city": "Utrecht",
    "phone": "+31 30 555 0100",
    "postcode": "3511 AB",
    "name": "Ada Example",
}
# What whole numbers in a column of this name look like.
_NUMBERS: Final = {"age": 34}
_LATER: Final = ("created", "loaded", "updated", "received", "arriv", "end", "until", "known", "finish")
_LOW: Final = {
    "greater_than": "min_value",
    "greater_than_or_equal_to": "min_value",
    "in_range": "min_value",
}
_HIGH: Final = {
    "less_than": "max_value",
    "less_than_or_equal_to": "max_value",
    "in_range": "max_value",
}


@dataclass(frozen=True)
class _Checks:
    """The built-in checks of a column: the name and the arguments of each."""

    calls: tuple[tuple[str, Mapping[str, Any]], ...] = ()

    @property
    def members(self) -> Iterable[Any]:
        """The values that the checks name themselves."""
        for name, arguments in self.calls:
            if name == "equal_to":
                yield from arguments.values()
            elif name == "isin":
                [allowed] = arguments.values()
                yield from sorted(allowed, key=str)[:MAX_MEMBERS]

    @property
    def low(self) -> Any:
        """The highest lower bound of numbers; None: there is none."""
        return max(filter(_is_finite, self._bounds(_LOW)), default=None)

    @property
    def high(self) -> Any:
        """The lowest upper bound of numbers; None: there is none."""
        return min(filter(_is_finite, self._bounds(_HIGH)), default=None)

    def bounds(self, kind: type) -> list[Any]:
        """All bounds that are values of a type."""
        return [bound for bound in (*self._bounds(_LOW), *self._bounds(_HIGH)) if type(bound) is kind]

    def _bounds(self, kinds: dict[str, str]) -> list[Any]:
        bounds = [arguments[kinds[name]] for name, arguments in self.calls if name in kinds]
        return [float(bound) if isinstance(bound, Decimal) else bound for bound in bounds]


def _is_finite(bound: object) -> bool:
    return isinstance(bound, int | float) and isfinite(bound)


def sample_values(column: Column, at: datetime) -> list[Any]:
    """Return values that a column could have, the most plausible first. Not all of them keep the contract.

    Parameters
    ----------
    at
        The time of things that happen, in UTC.
    """
    named = ((*built_in(check),) for check in column.checks)
    checks = _Checks(tuple((name, arguments) for name, arguments in named if name is not None))
    values = [*checks.members, *_values(column.name, column.dtype, at, checks)]
    if column.nullable or not values:
        values.append(None)
    return values


def _values(name: str, dtype: pl.DataType, at: datetime, checks: _Checks) -> list[Any]:  # noqa: PLR0911 - by dtype
    if isinstance(dtype, pl.Enum):
        return dtype.categories.head(MAX_MEMBERS).to_list()
    if isinstance(dtype, pl.String | pl.Categorical):
        return _texts(name, checks)
    if dtype.is_integer():
        smallest, largest = integer_limits(dtype)
        return [value for value in map(int, _numbers(name, checks, at)) if smallest <= value <= largest]
    if dtype.is_float():
        return [float(value) for value in _numbers(name, checks, at, fraction=0.5)]
    if isinstance(dtype, pl.Decimal):
        digits = Decimal(1).scaleb(-dtype.scale)
        limit = 10 ** ((dtype.precision or 38) - dtype.scale)
        numbers = (value for value in _numbers(name, checks, at) if abs(value) < limit)
        return [Decimal(str(value)).quantize(digits) for value in numbers]
    if isinstance(dtype, pl.Datetime):
        return _timestamps(name, checks, at if dtype.time_zone else at.replace(tzinfo=None))
    if isinstance(dtype, pl.Date):
        day = date(at.year, at.month, at.day)
        return [day, *checks.bounds(date), day + timedelta(days=1), day - timedelta(days=1)]
    if isinstance(dtype, pl.List | pl.Array):
        inner = _values(name, pl.Series(dtype=dtype.inner).dtype, at, _Checks())
        width = dtype.size if isinstance(dtype, pl.Array) else 2
        return [[inner[i % len(inner)] for i in range(width)]]
    if isinstance(dtype, pl.Struct):
        fields = {field.name: pl.Series(dtype=field.dtype).dtype for field in dtype.fields}
        return [{field: _values(field, kind, at, _Checks())[0] for field, kind in fields.items()}]
    simple: tuple[tuple[Any, list[Any]], ...] = (
        (pl.Boolean, [True, False]),
        (pl.Binary, [b"sample"]),
        (pl.Duration, [timedelta(minutes=30)]),
        (pl.Time, [time(9, 30)]),
    )
    return next((values for kind, values in simple if isinstance(dtype, kind)), [None])


def _texts(column: str, checks: _Checks) -> list[str]:
    words = column.lower().replace("-", "_").split("_")
    usual = next((text for word, text in _TEXTS.items() if word in words), f"{column}-1")
    texts: list[str] = []
    for name, arguments in checks.calls:
        if name in ("str_matches", "str_contains"):
            written = (matching_text(arguments["pattern"], repeat=repeat) for repeat in REPEATS)
            texts += [text for text in written if text is not None]
    if all(name != "str_matches" for name, _ in checks.calls):
        texts.insert(0, usual)
    prefix = "".join(str(a["string"]) for name, a in checks.calls if name == "str_startswith")
    suffix = "".join(str(a["string"]) for name, a in checks.calls if name == "str_endswith")
    texts = [prefix + text + suffix for text in (*texts, usual, "A", "a", "1")]
    for name, arguments in checks.calls:
        if name == "str_length":
            exact = arguments.get("exact_value")
            shortest = exact if exact is not None else arguments.get("min_value") or 0
            longest = exact if exact is not None else arguments.get("max_value")
            padded = [text.ljust(shortest, "a") for text in texts]
            texts += [text[:longest] for text in padded]
    return list(dict.fromkeys(texts))


def _numbers(column: str, checks: _Checks, at: datetime, *, fraction: float = 0) -> list[Any]:
    words = column.lower().split("_")
    low, high = checks.low, checks.high
    if low is not None and high is not None:
        middle = low + (high - low) / 2
        rounded = round(middle) if high - low > 2 else middle  # noqa: PLR2004 - shares stay fractions
        likely = [rounded, middle]
    elif low is not None:
        likely = [low + 12 + fraction]
    elif high is not None:
        likely = [min(12 + fraction, high - 1)]
    else:
        likely = [12 + fraction]
    named = [number for word, number in _NUMBERS.items() if word in words]
    named += [getattr(at, word) for word in ("year", "month", "day", "hour", "minute") if word in words]
    bounds = [bound + step for bound in (low, high) if bound is not None for step in (0, 1, -1)]
    every: list[Any] = []
    if isinstance(low, int) and isinstance(high, int) and high - low <= MAX_RANGE:
        every = list(range(low, high + 1))
    return list(dict.fromkeys([*named, *likely, *bounds, 1, 0, 2, 100, 1_000, *every]))


def _timestamps(column: str, checks: _Checks, at: datetime) -> list[datetime]:
    hour = timedelta(hours=1)
    later = any(word.startswith(_LATER) for word in column.lower().split("_"))
    likely = [at + timedelta(minutes=5), at] if later else [at, at - hour, at + hour]
    bounds = [bound.replace(tzinfo=at.tzinfo and UTC) for bound in checks.bounds(datetime)]
    earlier = [at - timedelta(days=365 * years) for years in range(1, EARLIER_YEARS + 1)]
    return [*likely, *bounds, *earlier]
