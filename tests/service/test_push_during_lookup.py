"""A push that is written while a request waits does not fail the request."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from serving import ROW, running
from shop import build_shop

from featurestore.service.lookup.endpoint import Endpoint

AT = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
ORDER = pl.DataFrame(
    {"customer": [3], "event_timestamp": [AT], "amount": [4.0], "coupon": [None], "ordered_at": [AT]}
)


class PushedBeforeRead:
    """A store to which a row is pushed after a request took its time and before it reads."""

    def __init__(self, project):
        self._project = project
        self._store = project.store()
        self.pushes = 0

    def read(self, views):
        if not self.pushes:
            self.pushes += 1
            self._project.push("last_order", ORDER)
        return self._store.read(views)


@pytest.mark.parametrize("feast", [False, True])
def test_a_request_for_now_takes_its_time_again(shop_files, feast):
    """The answer holds the pushed row, at a time at which it was known."""
    path = shop_files / "feature_repo/feature_store.yaml"
    path.write_text(path.read_text().replace('  as_of: "2024-01-10T00:00:00Z"\n', ""))
    shop = build_shop(shop_files)
    shop.materialize()
    with running(shop_files) as client:
        store = PushedBeforeRead(shop)
        service = shop.catalog.service("buying")
        endpoints = client.state.active_release.endpoints
        endpoints["buying"] = Endpoint(service, store, stale_cache=None, max_rows=10)
        if feast:
            body = {"feature_service": "buying", "entities": {"customer": [3], "basket": [16.0]}}
            answer = client.post("/get-online-features", body)
        else:
            answer = client.vectors(ROW)
    assert answer.status_code == 200, answer.text
    assert store.pushes == 1
    watermark = shop.store().state("last_order").watermark
    if feast:
        names = answer.json()["metadata"]["feature_names"]
        assert answer.json()["results"][names.index("amount")]["values"] == [4.0]
    else:
        as_of = datetime.fromisoformat(answer.json()["as_of"])
        assert (as_of - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1) >= watermark
        assert answer.json()["values"][0][0] == 4.0
