"""Timestamps as people write them: ISO 8601, with a time zone, and exact to the microsecond."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from featurestore.errors import ConfigError

# Digits that no microsecond holds; zeros there lose nothing.
_BELOW_A_MICROSECOND: Final = re.compile(r"[.,][0-9]{6}[0-9]*[1-9]")
_HINT: Final = "write it like 2013-12-31T12:00:00Z"


def parse_timestamp(value: str | datetime) -> datetime:
    """Read a timestamp, and convert it to UTC.

    Raises
    ------
    ConfigError
        If the text is not an ISO 8601 timestamp, or the timestamp has no offset from UTC or digits below a microsecond.
    """
    if isinstance(value, str):
        try:
            timestamp = datetime.fromisoformat(value)
        except ValueError:
            raise ConfigError(f"{value!r} is not a timestamp; expected ISO 8601", hint=_HINT) from None
    elif isinstance(value, datetime):
        timestamp = value
    else:
        raise ConfigError(f"{value!r} is not a timestamp; expected ISO 8601", hint=_HINT)
    if is_below_a_microsecond(value):
        raise ConfigError(
            f"{value} has digits below a microsecond; timestamps are exact to the microsecond",
            hint="write at most six digits of a second",
        )
    if timestamp.tzinfo is None:
        raise ConfigError(f"{value} has no time zone", hint=f"write {timestamp.isoformat()}Z for UTC")
    return timestamp.astimezone(UTC)


def is_below_a_microsecond(value: str | datetime) -> bool:
    """Return whether a timestamp has digits that a microsecond does not hold, which Python would cut.

    A timestamp of pandas is a `datetime` with an attribute of its own for its nanoseconds.
    """
    if isinstance(value, str):
        return _BELOW_A_MICROSECOND.search(value) is not None
    return bool(getattr(value, "nanosecond", 0))


def iso_timestamp(text: str) -> datetime:
    """Read ISO 8601 text, with or without a time zone.

    Raises
    ------
    ValueError
        If it is not ISO 8601, or has digits below a microsecond.
    """
    if is_below_a_microsecond(text):
        raise ValueError(text)
    return datetime.fromisoformat(text)
