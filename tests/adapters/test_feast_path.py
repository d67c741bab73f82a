"""The audit reads through Feast's own API too, where it is asked to."""

from datetime import UTC, datetime

import polars as pl
import pytest

from featurestore.errors import ContractError, MissingDataError

pytestmark = [
    # Feast 0.67 and what it imports warn about themselves.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def test_feasts_answers_are_compared(shop, monkeypatch):
    """It answers as of the timestamp that the audit asks for; a fault of it is named by it."""
    shop.materialize()
    with pytest.raises(MissingDataError, match="run: featurestore apply"):
        shop.audit(feast=True)
    shop.apply()
    record = shop.audit(feast=True)
    assert record.paths[-1].path == "Feast get_online_features"
    assert record.paths[-1].cells == record.paths[0].cells
    assert record.mismatches == 0
    from featurestore.adapters.feast import online  # noqa: PLC0415 - after the filters above

    monkeypatch.setattr(
        online, "to_values", lambda column: _original(column * 2 if column.name == "amount" else column)
    )
    wrong = {part.path for part in shop.audit(feast=True).paths if part.mismatches}
    assert wrong == {"Feast get_online_features"}


def _original(column: pl.Series):
    from featurestore.adapters.feast.protos import to_values  # noqa: PLC0415 - after the filters above

    return to_values(column)


def test_feast_reads_as_of_a_timestamp(shop):
    """A value that expires later is read as expired then."""
    shop.materialize()
    shop.apply()
    path = shop._workspace.serving_paths(feast=True)[-1]
    rows = pl.DataFrame({"customer": [3], "basket": [1.0]})
    service = shop.catalog.service("buying")
    statuses = [
        path.read(rows, service, datetime(2024, 1, day, tzinfo=UTC))["amount__status"].item()
        for day in (10, 20)
    ]
    assert statuses == [1, 4]
    with pytest.raises(ContractError, match="takes no missing keys"):
        path.read(
            rows.with_columns(customer=pl.lit(None, pl.Int64)), service, datetime(2024, 1, 10, tzinfo=UTC)
        )
