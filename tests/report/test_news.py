"""The index page says first what is new since the last report."""

from datetime import UTC, datetime, timedelta

import pytest
from markup import Markup
from shop import ORDERS

from featurestore.errors import ContractError
from featurestore.report.news import Reported, reported
from featurestore.report.records import records_of

FIRST = "This is the first run. There is nothing to compare with yet."


def deliver(project, text, *, refused=False):
    """Write orders, and let the gate see them."""
    (project.settings.root / "data/raw/orders.csv").write_text(text)
    if refused:
        with pytest.raises(ContractError):
            project.validate("orders")
    else:
        project.validate("orders")


def news(project):
    """The words of the index page between its title and its first verdict, without times."""
    words = Markup(project.report().read_text()).words
    start = words.index("What is new")
    assert words[:start].endswith("featurestore report ")
    return words[
        start : words.index("datasets accepted" if "datasets accepted" in words else "of 2 datasets")
    ]


def test_the_first_report_has_nothing_to_compare_with(shop):
    """It says so, and says it again as long as nothing runs."""
    assert FIRST in news(shop)
    assert FIRST in news(shop)


def test_a_change_is_new_until_the_next_run(shop):
    """Rows and bad rows, before and now; a report without a run in between shows the same."""
    news(shop)
    deliver(shop, ORDERS + "8,0,2024-01-08T00:00:00Z,,7,\n9,1,2024-01-08T00:00:00Z,,7,\n")
    first = news(shop)
    assert "orders" in first
    assert "3 bad" not in first
    assert "2 bad rows, was 1" in first
    assert "9 rows, 2 more" in first
    assert "last_order" not in first
    assert news(shop) == first
    shop.validate("orders")
    assert "Nothing is new" in (last := news(shop))
    assert "Without a change: orders." in last


def test_without_a_report_the_last_two_runs_are_compared(shop):
    """Nothing was shown before, so the last run is compared with the one before it."""
    deliver(shop, ORDERS.partition("7,0,")[0])
    assert "Passed, was quarantined" in news(shop)
    assert "since the last run" in news(shop)


def test_runs_that_nobody_saw_are_compared_with_the_last_report(shop):
    """Two runs between two reports are one change."""
    news(shop)
    deliver(shop, ORDERS + "8,0,2024-01-08T00:00:00Z,,7,\n")
    deliver(shop, ORDERS + "8,0,2024-01-08T00:00:00Z,,7,\n9,0,2024-01-08T00:00:00Z,,7,\n")
    assert "3 bad rows, was 1" in news(shop)


def test_the_worst_is_first(shop):
    """A dataset that was refused, or could not be read, and then what else is new."""
    news(shop)
    shop.build("last_order")
    deliver(shop, ORDERS.replace(",1,2024", ",0,2024").replace(",2,2024", ",0,2024"), refused=True)
    assert "Refused, was quarantined" in news(shop)
    deliver(shop, ORDERS.replace("20.1", "30.5"))
    shop.report()
    deliver(shop, ORDERS.replace("20.1", "40.5"))
    shop.build("last_order")
    deliver(shop, "order\n1\n", refused=True)
    words = news(shop)
    assert "The rows could not be read: orders: breaks schema RawOrders" in words
    assert words.index("could not be read: orders") < words.index("passed: last_order")


def test_values_that_changed_with_equal_counts_are_new(shop):
    """The rows are as many as before, and as many are bad."""
    news(shop)
    deliver(shop, ORDERS.replace("20.1", "21.5"))
    assert "The values changed, and none by much" in news(shop)


def test_a_report_without_new_runs_keeps_what_it_compares_with(shop):
    """Only a new run moves the time of the last report."""
    shown = {"orders": records_of(shop.catalog.node("orders"), shop.layout, made_by="")}
    at = datetime(2024, 1, 1, tzinfo=UTC)
    first = reported(None, shown, at)
    assert (first.before, first.before_at) == ({}, None)
    assert reported(first, shown, at + timedelta(days=1)) is first
    older = Reported(latest={"orders": at}, at=at)
    second = reported(older, shown, at + timedelta(days=2))
    assert (second.before, second.before_at, second.latest) == (older.latest, at, first.latest)
