"""Changes since the previous data are shown in a comparison, in the assessment, and on the page."""

import re
from datetime import UTC, datetime

import pandera.polars as pa
import polars as pl
import pytest

from featurestore.definitions.contract import contract_of
from featurestore.quality.change.change_summary import change_summary
from featurestore.quality.change.history import Metric, Run


@pytest.fixture
def changed(shop):
    """Return a shop with 2,000 orders, and then as many with ten times their amount."""
    raw = shop.settings.root / "data/raw/orders.csv"
    head = raw.read_text().splitlines()[0]
    for factor in (1, 10):
        lines = (f"{n},{n},2024-01-01T00:00:00Z,,{(n % 50 + 1) * factor}," for n in range(1, 2001))
        raw.write_text("\n".join([head, *lines]) + "\n")
        shop.validate("orders")
        if factor == 1:
            (shop.settings.root / "before.parquet").write_bytes(shop.layout.dataset("orders").read_bytes())
    return shop


def test_a_comparison_shows_values_and_distributions(changed):
    """Every amount changed, and no other column did."""
    comparison = changed.quality.compare(
        str(changed.settings.root / "before.parquet"), "orders", key=("order",)
    )
    assert comparison.values.columns == {"amount": 2000}
    assert [(column.column, column.severity) for column in comparison.drifted] == [("amount", "major")]


def test_drift_speaks_against_relying_on_the_data(changed):
    """The assessment has the drift among its facts on reliability."""
    facts = changed.quality.assess("orders").answers["reliable"]
    [note] = [fact for fact in facts if fact.topic == "change"]
    assert note.finding.startswith("amount drifted: ")
    assert note.good is False


def test_the_page_shows_the_drift(changed):
    """The section on changes names the column that drifted."""
    changed.report()
    assert "amount drifted: " in changed.layout.page("orders").read_text()


class People(pa.DataFrameModel):
    """People."""

    born: pl.Int64 = pa.Field(metadata={"personal": True})
    seen: pl.Int64 = pa.Field()


@pytest.mark.parametrize("kind", ["mean", "fresh", "gap", "age"])
def test_the_values_of_personal_columns_are_not_in_the_summary(kind):
    """The summary names an anomaly of a personal column without its value."""

    def run(day, value):
        metrics = tuple(Metric(kind, value, (column,)) for column in ("born", "seen"))
        return Run(at=datetime(2024, 1, day, tzinfo=UTC), decision="passed", metrics=metrics)

    runs = [*(run(day, 1980.0) for day in range(1, 11)), run(11, 4321.0)]
    personal, public = change_summary(contract_of(People), runs, None)
    assert personal.startswith(f"born.{kind} is outside its expected range")
    assert not re.search("4,?321|1,?[89]", personal)
    assert public.startswith(f"seen.{kind} is 4,321; expected 1,881 to 2,079; since 2024-01-11")
