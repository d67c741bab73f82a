"""Timestamps as integers: microseconds since 1970-01-01 UTC."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
LAST = datetime.max.replace(tzinfo=UTC)  # of Python, and of every contract


def microseconds(timestamp: datetime) -> int:
    """Return the exact microseconds from 1970-01-01 UTC to a timestamp with a time zone."""
    return (timestamp - EPOCH) // MICROSECOND


def timestamp_of(microseconds: int) -> datetime:
    """Return the timestamp, in UTC, at a number of microseconds after 1970-01-01 UTC."""
    # A name of the argument would take a third of the time: each timestamp of each answer is made here.
    return EPOCH + timedelta(0, 0, microseconds)


def in_utc(timestamp: datetime) -> datetime:
    """Convert a timestamp to UTC; one without a time zone counts as UTC.

    Raises
    ------
    OverflowError
        If the timestamp in UTC is outside the years 1 to 9999.
    """
    return timestamp.replace(tzinfo=UTC) if timestamp.tzinfo is None else timestamp.astimezone(UTC)
