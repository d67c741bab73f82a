"""The audit reads through every way that serves: a fault of one way is found, and named by it."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import polars as pl
import pytest
from shop import build_shop

from featurestore.operations.audit.causes import Cause
from featurestore.service.lookup import feast_wire
from featurestore.service.lookup.endpoint import Endpoint
from featurestore.storage.views import log_deleted
from featurestore.vectors import reader

PATHS = ["get_online", "reader", "HTTP /v1/vectors", "HTTP /get-online-features"]

EARLIER = '''

class EarlierOrder(LastOrder):
    """A customer's earlier order."""
'''


@pytest.fixture
def stored(shop):
    """The shop, materialized."""
    shop.materialize()
    return shop


def wrong(record):
    """Return the number of wrong cells of each path that has any."""
    return {part.path: part.mismatches for part in record.paths if part.mismatches}


def test_every_path_is_compared(stored):
    """The same rows at the same timestamps, of each service, also without a training set."""
    record = stored.audit()
    assert [part.path for part in record.paths] == PATHS
    assert {part.name for part in record.paths} == {"buying"}
    assert len({part.cells for part in record.paths}) == 1
    assert record.mismatches == 0


def test_expiry_is_compared_to_the_microsecond(stored, monkeypatch):
    """A reader that ignores the time-to-live is right at the watermark, and wrong when values expire."""
    ready = reader._ready

    def immortal(selection, columns):
        return replace(ready(selection, columns), ttl=None)

    monkeypatch.setattr(reader, "_ready", immortal)
    record = stored.audit()
    assert set(wrong(record)) == set(PATHS[1:])
    assert {d.cause for d in record.differences} == {Cause.EXPIRED}
    assert all(part.mismatches == 0 for part in record.views)


def test_expiry_a_microsecond_early_is_found(stored, monkeypatch):
    """A value as old as the time-to-live is alive."""
    ready = reader._ready

    def early(selection, columns):
        prepared = ready(selection, columns)
        return replace(prepared, ttl=prepared.ttl - 1)

    monkeypatch.setattr(reader, "_ready", early)
    assert set(wrong(stored.audit())) == set(PATHS[1:])


def test_a_fault_of_the_http_answer_is_found(stored, monkeypatch):
    """The server reads the right values and sends others."""
    answer = Endpoint.answer

    def rounded(self, vectors, as_of, **named):
        values = [[round(v, 1) if isinstance(v, float) else v for v in row] for row in vectors.values]
        return answer(self, msgspec.structs.replace(vectors, values=values), as_of, **named)

    monkeypatch.setattr(Endpoint, "answer", rounded)
    record = stored.audit()
    assert set(wrong(record)) == {"HTTP /v1/vectors"}
    assert {d.path for d in record.differences} == {"HTTP /v1/vectors"}


def test_a_fault_of_feasts_wire_is_found(stored, monkeypatch):
    """A status that is written under another name."""
    monkeypatch.setattr(feast_wire, "NAMES", {**feast_wire.NAMES, 3: "NULL_VALUE"})
    assert set(wrong(stored.audit())) == {"HTTP /get-online-features"}


def test_the_sample_has_keys_that_are_unknown_present_and_expired(stored):
    """So a fault of each status can be found; a service without a training set is read with generated values."""
    statuses = set()
    path = stored._workspace.serving_paths()[0]
    read = type(path).read

    def noted(self, rows, service, as_of):
        served = read(self, rows, service, as_of)
        statuses.update(served["amount__status"].to_list())
        return served

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(path), "read", noted)
        stored.audit()
    assert statuses == {1, 2, 3, 4}


def test_deleted_keys_are_not_found_on_both_sides(stored):
    """A deleted key is found by no path, and history agrees from the deletion on."""
    stored.training_set("visits")
    assert stored.delete("last_order", pl.DataFrame({"customer": [3]})) == 1
    assert stored.audit().mismatches == 0


def test_a_deletion_that_the_store_does_not_have_yet_is_no_difference(stored):
    """History knows it from its time on; the store, at the next materialization."""
    view = stored.catalog.view("last_order")
    keys = pl.DataFrame({"customer": [1, 2, 3]}, schema=view.key_schema)
    log_deleted(view, keys, datetime(2024, 1, 10, 0, 0, 0, 1, tzinfo=UTC), stored.layout)
    assert stored.audit().mismatches == 0


def test_a_wrong_row_of_the_store_has_one_cause(stored):
    """Where a view is compared, and where a service that reads it is."""
    stored.training_set("visits")
    path = stored.settings.root / "data/raw/orders.csv"
    path.write_text(path.read_text() + "8,2,2024-01-09T13:00:00Z,,5.5,\n")
    stored.validate("orders")
    stored.build("last_order")
    causes = {(difference.view, difference.cause) for difference in stored.audit().differences}
    assert causes == {("last_order", Cause.OTHER_DATA), ("buying", Cause.OTHER_DATA)}


def test_a_view_whose_keys_are_all_deleted_is_read(stored):
    """Each path is asked for an unknown key, and finds nothing."""
    stored.delete("last_order", pl.DataFrame({"customer": [1, 2, 3]}))
    record = stored.audit()
    assert [part.rows > 0 for part in record.paths] == [True] * 4
    assert record.mismatches == 0


def test_a_view_that_is_behind_another_one_is_not_compared_at_the_later_time(shop_files):
    """Its store is right at its own watermark; what became known since is for the next materialization."""
    path = shop_files / "feature_repo/shop.py"
    text = path.read_text()
    [view] = re.findall(r"@feature_view.*?\n\n\n", text, re.DOTALL)
    second = view.replace("def last_order", "def earlier_order").replace("LastOrder", "EarlierOrder")
    schema = shop_files / "schemas/shop.py"
    schema.write_text(f"{schema.read_text()}{EARLIER}")
    text = text.replace(view, view + second).replace("LastOrder, Raw", "EarlierOrder, LastOrder, Raw")
    both = 'both = feature_service("both", (last_order["amount"], earlier_order["coupon"]), owner="shop")\n'
    path.write_text(f"{text}{both}")
    shop = build_shop(shop_files)
    shop.build("earlier_order")
    shop.materialize(["earlier_order"], until="2024-01-05T00:00:00Z")
    shop.materialize(["last_order"])
    record = shop.audit()
    assert record.mismatches == 0
    cells = {(part.name, part.path): part.cells for part in record.paths}
    # Of two features, one is compared.
    assert cells["both", "reader"] * 4 == cells["buying", "reader"]
