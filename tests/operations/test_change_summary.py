"""What moved since the data before is told where one looks: in a comparison, the five questions, and on the page."""

import pytest


@pytest.fixture
def moved(shop):
    """A hundred orders, then a hundred others of ten times their worth."""
    raw = shop.settings.root / "data/raw/orders.csv"
    head = raw.read_text().splitlines()[0]
    for factor in (1, 10):
        lines = (f"{n},{n},2024-01-01T00:00:00Z,,{(n % 50 + 1) * factor}," for n in range(1, 2001))
        raw.write_text("\n".join([head, *lines]) + "\n")
        shop.validate("orders")
        if factor == 1:
            (shop.settings.root / "before.parquet").write_bytes(shop.layout.dataset("orders").read_bytes())
    return shop


def test_a_comparison_tells_values_and_distributions(moved):
    """Every amount changed; nothing else did."""
    found = moved.quality.compare(str(moved.settings.root / "before.parquet"), "orders", key=("order",))
    assert found.values.columns == {"amount": 2000}
    assert [(column.column, column.severity) for column in found.drifted] == [("amount", "strong")]


def test_what_drifted_speaks_against_relying_on_the_data(moved):
    """The fact is told among the five answers."""
    facts = moved.quality.assess("orders").answers["reliable"]
    [note] = [fact for fact in facts if fact.what == "change"]
    assert note.told.startswith("amount drifted: ")
    assert note.good is False


def test_the_page_says_what_moved(moved):
    """Below what failed."""
    moved.report()
    assert "amount drifted: " in moved.layout.page("orders").read_text()
