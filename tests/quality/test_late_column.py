"""A timestamp that comes after another one is proposed as the time at which rows become known."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from featurestore.definitions.known import Known, known_of_rows
from featurestore.quality.profile.late_column import LateColumn, late_column
from featurestore.quality.profile.own_file import contract_from, draft_for
from featurestore.quality.profile.questions import questions

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def rows_of(**hours):
    """Make columns of timestamps, in hours after a start; None is missing."""
    return pl.DataFrame(
        {
            name: pl.Series(
                [None if hour is None else START + hour * HOUR for hour in column],
                dtype=pl.Datetime("us", "UTC"),
            )
            for name, column in hours.items()
        }
    )


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        ({"at": [1, 2], "loaded": [1, 3]}, LateColumn("loaded", "at", 1, 2, True)),
        ({"loaded": [2, 3], "at": [1, 3]}, LateColumn("loaded", "at", 1, 2, True)),
        ({"at": [1, 2, 3], "loaded": [2, None, 3]}, LateColumn("loaded", "at", 1, 2, False)),
        ({"planned": [1, 2], "left": [2, 3], "arrived": [5, 6]}, LateColumn("arrived", "planned", 2, 2, True)),
        ({"at": [1] * 30, "loaded": [0] + [2] * 29}, LateColumn("loaded", "at", 29, 30, True)),
    ],
)  # fmt: skip
def test_the_last_timestamp_is_found(hours, expected):
    """In any order of the columns, with missing values, and with a few rows that are wrong."""
    rows = rows_of(**hours)
    assert late_column(rows, rows.columns) == expected


@pytest.mark.parametrize(
    "hours",
    [
        {"at": [1, 2]},
        {"at": [1, 2], "same": [1, 2]},
        {"at": [1, 2], "missing": [None, None]},
        {"at": [1, 5], "other": [2, 3]},
        {"at": [], "loaded": []},
    ],
)
def test_no_timestamp_is_later(hours):
    """One column, equal columns, missing values, and times in no fixed order propose nothing."""
    assert late_column(rows_of(**hours), list(hours)) is None


def test_columns_that_known_cannot_name_do_not_count():
    """A time without a time zone, a date and text."""
    rows = rows_of(at=[1, 2], loaded=[2, 3]).with_columns(
        pl.col("loaded").dt.replace_time_zone(None), day=pl.date(2025, 1, 1), text=pl.lit("z")
    )
    assert late_column(rows, rows.columns) is None


def draft(rows):
    return draft_for(rows, dataset="own", name="RawOwn", typed=True)


@pytest.mark.parametrize(
    ("last", "expected"), [(3, Known(("loaded\nat",))), (None, Known(("loaded\nat", "at")))]
)
def test_the_draft_has_it_as_a_comment(last, expected):
    """The draft declares nothing until a person removes the ``#``; then it is a declaration that holds."""
    drafted = draft(rows_of(**{"at": [1, 2], "loaded\nat": [2, last]}))
    assert known_of_rows(contract_from(drafted.source, "RawOwn")) is None
    assert drafted.source.count("\n            # ") == 2
    declared = drafted.source.replace('# "known"', '"known"')
    assert known_of_rows(contract_from(declared, "RawOwn")) == expected
    [question] = [text for text in questions(drafted, {}, is_csv=True) if "known" in text]
    assert question.startswith("loaded\nat: it is after at in")


def test_a_name_with_a_line_break_stays_in_its_comment():
    """Also that of the column that identifies a row."""
    rows = pl.DataFrame({"order\nid": range(60)})
    assert contract_from(draft(rows).source, "RawOwn").key == ("order\nid",)


def test_a_delay_is_written_in_words():
    """As in every message: not ``1 day, 0:00:00``."""
    assert str(Known(("at",), timedelta(days=1, minutes=30))) == "at + 1 day 30 minutes"
