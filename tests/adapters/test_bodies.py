"""Bodies of requests: what is packed small is not unpacked without end."""

import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from featurestore.adapters.bodies import PARQUET, scan_body
from featurestore.errors import ContractError


def test_a_small_file_that_unpacks_to_too_much_is_refused(shop, tmp_path):
    """A hundred times the same two million letters, written once."""
    letters = random.Random(1).choices([chr(c) for c in range(48, 112)], k=2_000_000)  # noqa: S311 - no secret
    table = pa.table({"coupon": pa.array(["".join(letters)] * 100)})
    body = tmp_path / "body"
    pq.write_table(table, body, dictionary_pagesize_limit=1 << 30)
    assert body.stat().st_size < 3_000_000
    with pytest.raises(ContractError, match="decompresses to more than"):
        scan_body(body, PARQUET, shop.catalog.node("orders"))
