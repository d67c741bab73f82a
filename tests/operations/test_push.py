"""A pushed row reaches serving and training at once, and the past stays as it was."""

from datetime import UTC, datetime

import polars as pl
import pytest

from featurestore.errors import ContractError, DefinitionError

NOW = datetime(2024, 1, 10, tzinfo=UTC)  # the shop's clock
EVENT = datetime(2024, 1, 9, 22, tzinfo=UTC)
ROW = {
    "customer": [1],
    "event_timestamp": [EVENT],
    "amount": [99.5],
    "coupon": ["NEW"],
    "ordered_at": [EVENT],
}


def test_training_and_serving_see_it_from_now_on(shop):
    """It happened at ten and was pushed at midnight: at eleven nobody knew it."""
    shop.materialize(until="2024-01-09T23:00:00Z")
    done = shop.push("last_order", pl.DataFrame(ROW))
    assert (done.rows_applied, done.full) == (1, False)
    assert shop.online([{"customer": 1}], ["last_order:amount"])["amount"].to_list() == [99.5]
    asked = pl.DataFrame({"customer": [1, 1], "event_timestamp": [datetime(2024, 1, 9, 23, tzinfo=UTC), NOW]})
    assert shop.historical(asked, ["last_order:amount"])["amount"].to_list() == [None, 99.5]
    assert shop.audit().mismatches == 0
    shop.materialize(full=True)
    assert shop.audit().mismatches == 0


def test_a_row_pushed_twice_is_one(shop):
    """The log is named by content."""
    shop.materialize(until="2024-01-09T23:00:00Z")
    for _ in range(2):
        shop.push("last_order", pl.DataFrame(ROW))
    assert len(list(shop.layout.pushed("last_order").iterdir())) == 1
    assert shop.dataset("last_order").filter(coupon="NEW").collect().height == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"customer": [None]}, "customer.not_null"),
        ({"amount": ["dear"]}, r"amount.dtype\(Float32\)"),
        ({"cupon": ["X"], "coupon": None}, "lacks 'coupon'"),
        ({"customer": None}, "lacks 'customer'"),
    ],
)
def test_a_bad_row_writes_nothing(shop, change, message):
    """Neither side."""
    row = {name: value for name, value in {**ROW, **change}.items() if value is not None}
    with pytest.raises(ContractError, match=message):
        shop.push("last_order", pl.DataFrame(row))
    assert not shop.layout.pushed("last_order").exists()


def test_a_view_without_created_timestamp_is_not_pushed_to(shop_files):
    """Training would believe the row known since its event."""
    import featurestore  # noqa: PLC0415

    for name, found, made in (
        (
            "schemas/shop.py",
            '    created_timestamp: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(nullable=True, description="when known")\n',
            "",
        ),
        ("feature_repo/shop.py", ', created_timestamp="loaded_at"', ""),
    ):
        path = shop_files / name
        assert found in path.read_text()
        path.write_text(path.read_text().replace(found, made))
    with pytest.raises(DefinitionError, match="cannot be pushed to: its schema has no 'created_timestamp'"):
        featurestore.open(shop_files).push("last_order", pl.DataFrame(ROW))
