"""How numbers, shares, times and names are written on a page."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from markupsafe import Markup, escape

from featurestore.values.wording import duration_text

MAX_LENGTH = 40
NO_VALUE = "\u2013"
_GROUPED = 10_000
_PLAIN = 1_000_000_000_000


def count(number: float) -> str:
    """Write a count, such as ``336,776``."""
    return f"{number:,.0f}"


def number(value: Any) -> str:
    """Write a value with about four digits; None as a dash.

    Whole numbers below 10,000 have no separator, because they may be years.
    """
    if value is None:
        return NO_VALUE
    if isinstance(value, str):
        return value
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < _PLAIN):
        return _whole(value) if abs(value) < _PLAIN else f"{value:.3e}"
    if _PLAIN > abs(value) >= 1000:  # noqa: PLR2004 - more than four digits
        return _whole(value)
    return f"{value:.4g}"


def _whole(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= _GROUPED else f"{number:.0f}"


def share(part: float) -> str:
    """Write a share as a percentage; ``0%`` and ``100%`` appear only where they are exact."""
    percent = 100 * part
    if part in (0, 1):
        return f"{percent:.0f}%"
    if percent < 0.01:  # noqa: PLR2004
        return "<0.01%"
    if percent > 99.99:  # noqa: PLR2004
        return ">99.99%"
    return f"{percent:.1f}%" if 10 <= percent < 99.9 else f"{percent:.2f}%"  # noqa: PLR2004


def timestamp(at: datetime) -> str:
    """Write a time to the minute, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def measured(value: Any) -> str:
    """Write the measured value of an expectation: a duration or a number."""
    return duration_text(value) if isinstance(value, timedelta) else number(value)


def short(value: Any, limit: int = MAX_LENGTH) -> str:
    """Write a value as text of limited length."""
    text = "null" if value is None else str(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def breakable(name: str) -> Markup:
    """Allow line breaks in a long name, between its parts."""
    return Markup("<wbr>").join(escape(part) for part in re.split(r"(?<=[_.(,])(?=\w)", name))
