"""Values at the edges of each dtype of the value table: those that stores, codecs and wires get wrong."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import cycle, islice
from struct import pack, unpack
from typing import TYPE_CHECKING, Any, Final, cast

import polars as pl

from featurestore.timing.epoch import EPOCH, MICROSECOND
from featurestore.values.table import integer_limits

if TYPE_CHECKING:
    from random import Random

# Spring and autumn in New York, Berlin and Lord Howe Island, whose clocks change by half an hour: each the first
# timestamp of the new offset, in UTC.
CLOCK_CHANGES: Final = (
    datetime(2024, 3, 10, 7, tzinfo=UTC),
    datetime(2024, 11, 3, 6, tzinfo=UTC),
    datetime(2024, 3, 31, 1, tzinfo=UTC),
    datetime(2024, 10, 27, 1, tzinfo=UTC),
    datetime(2024, 4, 6, 15, tzinfo=UTC),
)
ORDINARY: Final = 24
_FIRST, _LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
_INSTANTS: Final = (
    EPOCH,
    EPOCH - MICROSECOND,
    *(change - tick for change in CLOCK_CHANGES for tick in (MICROSECOND, timedelta(0))),
    datetime(1883, 11, 18, 17, tzinfo=UTC),  # the era of standard time begins in New York
    datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC),
)
_DATES: Final = (date(1970, 1, 1), date(1969, 12, 31), date(2024, 2, 29), date.min, date.max)
_TEXTS: Final = (
    "",
    "a",
    " ",
    "0",
    "01",
    "-1",
    "null",
    "true",
    "a|b",
    'a"b',
    "a\\b",
    "\u00e9",
    "e\u0301",
    "\U0001f600",
    "a\x00",
    "\t",
    "x" * 300,
)
_BYTES: Final = (b"", b"a", b"\x00", b"\x00\x00", b"\xff", b"|", bytes(range(256)))
_FLOATS: Final = (0.0, -0.0, 1.5, 0.1, -1e300, 1.7976931348623157e308, 5e-324, 2.0**53, 1e-7)
_FLOATS_32: Final = (0.0, -0.0, 1.5, 0.1, -3.4028234663852886e38, 3.4028234663852886e38, 1e-45, 2.0**24)
_PARTS: Final[dict[type[pl.DataType], tuple[Any, ...]]] = {
    pl.Boolean: (False, True),
    pl.String: _TEXTS,
    pl.Binary: _BYTES,
    pl.Date: _DATES,
    pl.Float64: _FLOATS,
    pl.Float32: _FLOATS_32,
}


def edge_values(dtype: pl.DataType) -> tuple[Any, ...]:
    """Return Python values at the edges of a dtype of the value table, without nulls. Timestamps are in UTC.

    Values of Float32 may have more digits than the dtype holds: the gate rounds them once.
    """
    if isinstance(dtype, pl.List | pl.Array):
        return _lists(dtype)
    if isinstance(dtype, pl.Datetime):
        return _timestamps(dtype)
    if isinstance(dtype, pl.Decimal):
        precision = dtype.precision or 38
        largest = Decimal((0, (9,) * precision, -dtype.scale))
        step = Decimal((0, (1,), -dtype.scale))
        return (Decimal(0), step, -step, largest, largest.copy_negate())
    if type(dtype) in _PARTS:
        return _PARTS[type(dtype)]
    low, high = integer_limits(dtype)
    return tuple(dict.fromkeys((0, 1, low, high, high - 1, low + 1)))


def ordinary_values(dtype: pl.DataType, random: Random) -> tuple[Any, ...]:
    """Draw values of a dtype that are at no edge; empty for dtypes whose edges are enough."""
    if isinstance(dtype, pl.String):
        return tuple("".join(random.choices("ab|1\u00e9", k=random.randint(1, 4))) for _ in range(ORDINARY))
    if isinstance(dtype, pl.Binary):
        return tuple(random.randbytes(random.randint(1, 4)) for _ in range(ORDINARY))
    if dtype.is_float():
        return tuple(random.uniform(-1_000, 1_000) for _ in range(ORDINARY))
    if not dtype.is_integer():
        return ()
    low, high = integer_limits(dtype)
    near = (random.randint(max(low, -100), min(high, 100)) for _ in range(ORDINARY))
    return (*near, *(random.randint(low, high) for _ in range(ORDINARY)))


def neighbours(dtype: pl.DataType, value: Any) -> tuple[Any, ...]:
    """Return the values of a dtype directly below and above a value; empty where the dtype has no such order."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | date):
        return ()
    if dtype.is_float():
        return _next_floats(dtype, float(cast("float", value)))
    if isinstance(dtype, pl.Decimal):
        step: Any = Decimal((0, (1,), -dtype.scale))
        value = Decimal(str(value))
    elif isinstance(dtype, pl.Datetime):
        step = timedelta(milliseconds=1) if dtype.time_unit == "ms" else MICROSECOND
    else:
        step = timedelta(days=1) if isinstance(dtype, pl.Date) else 1
        value = value if isinstance(value, date) else math.floor(value)
    try:
        return (value - step, value + step)
    except OverflowError:
        return ()


def float32(value: float) -> float:
    """Return the Float32 that is nearest to a float."""
    nearest: float = unpack("f", pack("f", value))[0]
    return nearest


def _next_floats(dtype: pl.DataType, value: float) -> tuple[float, ...]:
    # The bits of positive floats are in the order of the floats.
    narrow = isinstance(dtype, pl.Float32)
    bits, shape = ("<i", "<f") if narrow else ("<q", "<d")
    if value == 0.0:
        smallest = unpack(shape, pack(bits, 1))[0]
        return (-smallest, smallest)
    number = unpack(bits, pack(shape, value))[0]
    outer, inner = (unpack(shape, pack(bits, number + step))[0] for step in (1, -1))
    return (outer, inner) if value < 0 else (inner, outer)


def _timestamps(dtype: pl.Datetime) -> tuple[datetime, ...]:
    # A named zone east or west of UTC has no year 0 and no year 10000.
    limits = (_FIRST, _LAST) if dtype.time_zone == "UTC" else ()
    values = (*_INSTANTS, *limits)
    if dtype.time_unit != "ms":
        return values
    return tuple(value - timedelta(microseconds=value.microsecond % 1_000) for value in values)


def _lists(dtype: pl.List | pl.Array) -> tuple[list[Any], ...]:
    inner = edge_values(pl.Series(dtype=dtype.inner).dtype)
    if isinstance(dtype, pl.Array):
        turns = ((*inner[turn:], *inner[:turn]) for turn in range(min(3, len(inner))))
        full = [list(islice(cycle(turn), dtype.size)) for turn in turns]
        return (*full, [None] * dtype.size)
    return ([], [None], [inner[0]], [inner[-1], None], list(inner[:6]))
