"""Moments as integers: microseconds since 1970-01-01 UTC."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """Return the microseconds since 1970-01-01 UTC, exactly."""
    return (moment - EPOCH) // MICROSECOND


def moment_of(microseconds: int) -> datetime:
    """Return the moment, in UTC, that lies so many microseconds after 1970-01-01 UTC."""
    return EPOCH + timedelta(microseconds=microseconds)


def in_utc(moment: datetime) -> datetime:
    """Return a moment in UTC, which is meant where it does not say; OverflowError if no year there is its year."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
