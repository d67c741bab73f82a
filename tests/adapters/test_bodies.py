"""Bodies of requests: what is packed small is not unpacked without end; JSON values have the kind of their column."""

import json
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from featurestore.adapters.bodies import JSON_LINES, PARQUET, scan_body
from featurestore.errors import ContractError
from featurestore.quality.gate.inspection import inspect
from featurestore.storage.body_limits import BodyLimits


def test_a_small_file_that_unpacks_to_too_much_is_refused(shop, tmp_path):
    """A hundred times the same two million letters, written once."""
    letters = random.Random(1).choices([chr(c) for c in range(48, 112)], k=2_000_000)  # noqa: S311 - no secret
    table = pa.table({"coupon": pa.array(["".join(letters)] * 100)})
    body = tmp_path / "body"
    pq.write_table(table, body, dictionary_pagesize_limit=1 << 30)
    assert body.stat().st_size < 3_000_000
    with pytest.raises(ContractError, match="decompresses to more than"):
        scan_body(body, PARQUET, shop.catalog.node("orders"), BodyLimits(unpacked=100 << 20))


ORDER = {
    "order": 1,
    "customer": 1,
    "ordered_at": "2024-01-01T00:00:00Z",
    "loaded_at": None,
    "amount": 1.5,
    "coupon": "x",
}


def verdict_of(shop, tmp_path, *rows):
    path = tmp_path / "body.jsonl"
    path.write_text("\n\n".join(json.dumps(ORDER | row) for row in rows))
    orders = shop.catalog.node("orders")
    return inspect(scan_body(path, JSON_LINES, orders), orders.contract, dataset="orders")


@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        ({"order": "2"}, "order.dtype(Int64)"),
        ({"amount": "2.5"}, "amount.dtype(Float64)"),
        ({"amount": "2"}, "amount.dtype(Float64)"),
        ({"amount": "NaN"}, "amount.dtype(Float64)"),
        ({"amount": True}, "amount.dtype(Float64)"),
    ],
)
def test_a_number_in_quotes_is_not_a_number(shared_shop, tmp_path, bad, rule):
    """The row is bad, as a lookup with such a value is refused; the other rows pass, blank lines between them."""
    inspection = verdict_of(shared_shop, tmp_path, {}, {"order": 2, **bad}, {"order": 3, "amount": 7})
    assert [count.rule.name for count in inspection.verdict.rules] == [rule]
    assert inspection.quarantined["source_row"].to_list() == [2]
    if isinstance(text := next(iter(bad.values())), str):
        assert inspection.verdict.rules[0].examples == (repr(f'"{text}"'),)


def test_numbers_are_not_text(shared_shop, tmp_path):
    """A number where the contract has text is not written as text; the message names the line."""
    with pytest.raises(ContractError, match=r"line 3: 'coupon' is not text; expected String"):
        verdict_of(shared_shop, tmp_path, {}, {"order": 2, "coupon": 5})
