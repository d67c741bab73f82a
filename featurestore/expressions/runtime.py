"""What compiled functions call: rounding, division and remainders as Polars computes them."""

from __future__ import annotations

import math
from ctypes import c_float
from datetime import date
from typing import Final, NoReturn

# Closer to a tie than this, and Polars decides; above this, a float has too few digits behind the point to tell.
_TIE: Final = 1e-4
_MAX_SCALED: Final = 1e11


class NeedsPolarsError(Exception):
    """A compiled function was given a row for which only Polars knows the result.

    Never shown to a person: Polars computes this row, or raises its own error.
    """


def unsure() -> NoReturn:
    """Leave the row to Polars."""
    raise NeedsPolarsError


def float32(value: float) -> float:
    """Round to 32 bits."""
    return c_float(value).value


def divide(left: float, right: float) -> float:
    """Divide as IEEE 754 says, also by zero."""
    if right:
        return left / right
    if not left or math.isnan(left) or math.isnan(right):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def floor(value: float) -> float:
    """Round down; -0.0 stays."""
    return math.copysign(math.floor(value), value)


def ceil(value: float) -> float:
    """Round up; the result has the sign of the value."""
    return math.copysign(math.ceil(value), value)


def round_apart(value: float, decimals: int) -> float:
    """Round to a number of decimals where the value is not near a tie."""
    if not decimals:
        return math.copysign(round(value), value)
    scaled = abs(value) * 10.0**decimals
    if scaled > _MAX_SCALED or abs(scaled % 1 - 0.5) < _TIE:
        raise NeedsPolarsError
    return round(value, decimals)


def smaller(left: float, right: float) -> float:
    """Return the smaller of two floats that differ."""
    if left == right:
        return left or unsure()  # 0.0 or -0.0
    return left if left < right else right if right < left else unsure()


def greater(left: float, right: float) -> float:
    """Return the greater of two floats that differ."""
    if left == right:
        return left or unsure()
    return left if left > right else right if right > left else unsure()


def ascii_text(value: str) -> str:
    """Return a text whose letters Python and Polars change alike."""
    return value if value.isascii() else unsure()


NAMES: Final = {
    "date_of": date.fromordinal,
    "atan2": math.atan2,
    "sqrt": math.sqrt,
    "inf": math.inf,
    "c_float": c_float,
    "divide": divide,
    "floor": floor,
    "ceil": ceil,
    "round_apart": round_apart,
    "smaller": smaller,
    "greater": greater,
    "ascii_text": ascii_text,
    "unsure": unsure,
}
