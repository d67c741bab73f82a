"""Short timestamps of 2013."""

from datetime import UTC, datetime


def utc(text: str) -> datetime:
    """Read a timestamp of 2013, written 'MM-DD HH:MM'."""
    return datetime.strptime(f"2013-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
