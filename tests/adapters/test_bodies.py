"""Bodies of requests: what is packed small is not unpacked without end; JSON values have the kind of their column."""

import json
import random
import tracemalloc

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from featurestore.adapters.bodies import JSON_LINES, PARQUET, scan_body
from featurestore.adapters.row_files import read_rows
from featurestore.errors import ContractError
from featurestore.quality.gate.inspection import inspect
from featurestore.storage.body_limits import BodyLimits
from featurestore.values.json_lines import read_lines


def test_a_small_file_that_unpacks_to_too_much_is_refused(shop, tmp_path):
    """A hundred times the same two million letters, written once."""
    letters = random.Random(1).choices([chr(c) for c in range(48, 112)], k=2_000_000)  # noqa: S311 - no secret
    table = pa.table({"coupon": pa.array(["".join(letters)] * 100)})
    body = tmp_path / "body"
    pq.write_table(table, body, dictionary_pagesize_limit=1 << 30)
    assert body.stat().st_size < 3_000_000
    with pytest.raises(ContractError, match="decompresses to more than"):
        scan_body(body, PARQUET, shop.catalog.node("orders"), BodyLimits(unpacked=100 << 20))


def test_lines_with_a_key_of_their_own_each_are_refused_before_columns_are_filled(shared_shop, tmp_path):
    """3,000 columns of 3,000 values would take 72 MB; the command line reads such files too."""
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{{"k{i}": 1}}\n' for i in range(3_000)))
    tracemalloc.start()
    with pytest.raises(ContractError, match="not in the view: 3,000 columns"):
        read_rows(path, shared_shop.catalog.view("last_order"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 << 20


def test_json_lines_are_read_with_the_keys_of_all_lines(shared_shop, tmp_path):
    """Other columns than those of the contract are text, lists and objects too; the dtype of a list is inferred."""
    path = tmp_path / "body.jsonl"
    path.write_text('{"a": 1}\n\n{"b": [1, {"c": 2}], "source_row": 7}\n')
    frame = scan_body(path, JSON_LINES, shared_shop.catalog.node("orders")).collect()
    assert dict(frame.schema) == {"a": pl.String(), "b": pl.String(), "source_row": pl.Int64()}
    assert frame.columns == ["a", "b", "source_row"]
    assert frame["source_row"].to_list() == [None, 7]
    with path.open("rb") as file:
        lines = read_lines(file, {"b": pl.List(pl.Int64)}, "x", inferred=["b"], max_keys=9, max_bytes=99)
    assert lines.schema["b"].is_nested()
    path.write_text('{"b": [{"k1": 1}]}\n{"b": [{"k2": [{"k3": 1}]}]}\n')
    with (
        path.open("rb") as file,
        pytest.raises(ContractError, match="line 2: the lines have 3 different keys"),
    ):
        read_lines(file, {}, "x", inferred=["b"], max_keys=2, max_bytes=99)


@pytest.mark.parametrize(
    "text", ["xyz\n", "[1]\n", '"a"\n', '{"order":1}\nxyz', "\n\n", '{"order":1}\n{"order":\n']
)
def test_lines_that_are_not_objects_are_refused(shared_shop, tmp_path, text):
    """Polars reads some of them as rows without columns."""
    path = tmp_path / "body.jsonl"
    path.write_text(text)
    with pytest.raises(ContractError, match="cannot be read as application/x-ndjson"):
        scan_body(path, JSON_LINES, shared_shop.catalog.node("orders"))


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
