"""Durations in messages are words."""

from datetime import timedelta

import pytest

from featurestore.values.wording import duration_text


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(days=366), "366 days"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(hours=1, minutes=30), "1 hour 30 minutes"),
        (timedelta(days=1_200, seconds=2, microseconds=3), "1,200 days 2 seconds 3 microseconds"),
        (timedelta(0), "0 seconds"),
        (-timedelta(hours=2), "-(2 hours)"),
    ],
)
def test_a_duration_is_written_in_words(duration, text):
    """Units that are zero are left out."""
    assert duration_text(duration) == text
