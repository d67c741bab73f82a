"""How numbers, shares, moments and names read."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from markupsafe import Markup, escape

MAX_LENGTH = 40
NOTHING = "\u2013"
_GROUPED = 10_000
_PLAIN = 1_000_000_000_000


def count(number: float) -> str:
    """Write a whole number: 336,776, but 2013, which may be a year."""
    return f"{number:,.0f}" if abs(number) >= _GROUPED else f"{number:.0f}"


def number(value: Any) -> str:
    """Write a number with as many digits as tell something; None as a dash."""
    if value is None:
        return NOTHING
    if isinstance(value, str):
        return value
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < _PLAIN):
        return count(value) if abs(value) < _PLAIN else f"{value:.3e}"
    if _PLAIN > abs(value) >= 1000:  # noqa: PLR2004 - more than four digits
        return count(value)
    return f"{value:.4g}"


def share(part: float) -> str:
    """Write a share as per cent: nothing and all of it are said only where they are meant."""
    per_cent = 100 * part
    if part in (0, 1):
        return f"{per_cent:.0f} %"
    if per_cent < 0.01:  # noqa: PLR2004
        return "<0.01 %"
    if per_cent > 99.99:  # noqa: PLR2004
        return ">99.99 %"
    return f"{per_cent:.1f} %" if 10 <= per_cent < 99.9 else f"{per_cent:.2f} %"  # noqa: PLR2004


def moment(at: datetime) -> str:
    """Write a moment to the minute, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def measured(value: Any) -> str:
    """Write what an expectation measured: a time, or a number."""
    return str(value) if isinstance(value, timedelta) else number(value)


def short(value: Any, most: int = MAX_LENGTH) -> str:
    """Write a value as text of a bounded length."""
    text = "null" if value is None else str(value)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def breakable(name: str) -> Markup:
    """Let a long name be parted over lines where its parts end."""
    return Markup("<wbr>").join(escape(part) for part in re.split(r"(?<=[_.(,])(?=\w)", name))
