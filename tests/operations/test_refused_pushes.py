"""A push that is refused names the rows that it is refused for."""

from datetime import UTC, datetime

import polars as pl
import pytest

from featurestore.quality.gate.refused_rows import RefusedRowsError

EVENT = datetime(2024, 1, 9, 22, tzinfo=UTC)


REFUSED = {
    "a missing key": ({"customer": [1, None, 3, None]}, "customer.not_null", [1, 3]),
    "a value that is no number": ({"amount": ["1", "2", "dear", "4"]}, "amount.dtype(Float32)", [2]),
    "a repeated key": (
        {"customer": [1, 2, 3, 1]},
        "unique(customer, event_timestamp, created_timestamp)",
        [0, 3],
    ),
    "no time": ({"created_timestamp": [None, "soon", None, None]}, "created_timestamp.dtype(", [1]),
    "a copy": ({"is_repeated": [False, False, True, False]}, "a copy, by 'is_repeated'", [2]),
    "a time ahead": (
        {"event_timestamp": [EVENT, EVENT, EVENT.replace(year=2030), EVENT]},
        "2030-01-09T22:00:00Z",
        [2],
    ),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("kind", ["frame", "parquet", "csv"])
def test_a_refused_row_is_named_by_its_number(shop, case, kind, tmp_path):
    """The message counts the rows of a file from 1, as those who open it do; the field counts from 0."""
    change, reason, numbers = REFUSED[case]
    times = {"event_timestamp": [EVENT.replace(day=9 - i) for i in range(4)], "ordered_at": [EVENT] * 4}
    columns = {
        "customer": [4, 3, 2, 1],
        "amount": [1.0, 2.0, 3.0, 4.0],
        "coupon": ["N"] * 4,
        **times,
        "source_row": [7] * 4,
    }
    if case == "a repeated key":
        columns["event_timestamp"] = [EVENT] * 4
    rows = pl.DataFrame(columns | change, strict=False)
    if kind == "parquet":
        rows.write_parquet(tmp_path / "rows.parquet")
    elif kind == "csv":
        rows = rows.with_columns(pl.col(pl.Datetime).dt.strftime("%FT%TZ"))
        rows.write_csv(tmp_path / "rows.csv")
    with pytest.raises(RefusedRowsError) as caught:
        shop.push("last_order", rows if kind == "frame" else tmp_path / f"rows.{kind}")
    assert caught.value.refused_rows == tuple(numbers)
    first = 0 if kind == "frame" else 1
    for number in numbers:
        assert f"\n  row {number + first}: {reason}" in str(caught.value)
    assert str(caught.value).count("\n  row ") == len(numbers)
    assert "datetime" not in str(caught.value).lower().replace("dtype(datetime", "")
    assert not shop.layout.pushed("last_order").exists()


def test_many_refused_rows_are_counted(shop):
    """The message names five of them, the field all."""
    rows = pl.select(
        customer=pl.int_range(1_200),
        event_timestamp=EVENT,
        amount=pl.lit("dear"),
        coupon=None,
        ordered_at=EVENT,
    )
    with pytest.raises(RefusedRowsError, match=r"row 4: .*\n  … and 1,195 more rows\n  hint") as caught:
        shop.push("last_order", rows)
    assert caught.value.refused_rows == tuple(range(1_200))
