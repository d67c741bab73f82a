"""Pushes wait for each other: lookups and readiness do not wait with them, and a refused push is never applied."""

import fcntl
import json
from concurrent.futures import ThreadPoolExecutor

from serving import running

from featurestore.service.runtime.key_scope import KeyScope
from featurestore.service.runtime.keys import add_key

PUSHED = {
    "push_source_name": "last_order",
    "df": {
        "customer": [7],
        "amount": [4.5],
        "coupon": [None],
        "ordered_at": [1704841200],
        "event_timestamp": ["2024-01-09T23:00:00"],
    },
}
LOOKUP = {"customer": 7, "basket": 9.0}


def test_while_another_process_writes_pushes_get_503_and_lookups_are_answered(stored):
    """None of the refused pushes is applied afterwards, and the next push is."""
    lock = stored.layout.lock("last_order")
    with (
        running(stored.settings.root, threads=2, timeout=2.0) as client,
        ThreadPoolExecutor(40) as callers,
        lock.open("w") as held,
    ):
        before = client.vectors(LOOKUP).json()
        fcntl.flock(held, fcntl.LOCK_EX)
        pushes = [callers.submit(client.post, "/push", PUSHED) for _ in range(40)]
        # This many rows are read in a thread.
        assert client.vectors(*[LOOKUP] * 500).status_code == 200
        assert client.get("/ready").status_code == 200
        answers = [push.result(60) for push in pushes]
        fcntl.flock(held, fcntl.LOCK_UN)
        assert {(answer.status_code, answer.headers["retry-after"]) for answer in answers} == {(503, "1")}
        assert any("another process or thread writes it" in answer.text for answer in answers)
        assert client.vectors(LOOKUP).json() == before
        assert client.post("/push", PUSHED).status_code == 200
        assert client.vectors(LOOKUP).json()["values"][0][0] == 4.5
    assert len(list(stored.layout.pushed("last_order").iterdir())) == 1


def test_a_key_for_services_pushes_to_the_views_that_they_read(stored):
    """The key pushes to no other view; a service that no longer exists permits none."""
    path = stored.layout.keys
    buying = add_key(path, "buying", scopes=(KeyScope.WRITE,), services=("buying",))
    selling = add_key(path, "other", scopes=(KeyScope.WRITE,), services=("selling",))
    any_view = add_key(path, "any", scopes=(KeyScope.WRITE,))
    written = {"feature_view_name": "last_order", "df": PUSHED["df"]}
    unknown = {"push_source_name": "last_ordre", "df": {}}
    with running(stored.settings.root) as client:
        statuses = {}
        for client.key in (buying, selling, any_view):
            statuses[client.key] = [
                client.post("/push", PUSHED).status_code,
                client.post("/write-to-online-store", written).status_code,
                client.post("/push", unknown).status_code,
            ]
        assert statuses == {buying: [200, 200, 403], selling: [403, 403, 403], any_view: [200, 200, 404]}


def test_a_refused_row_is_named_by_its_number(stored):
    """Feast's clients read the message; the numbers are a field of their own, counted from 0."""
    df = {name: value * 3 for name, value in PUSHED["df"].items()} | {
        "customer": [7, None, None],
        "amount": [1.0, 2.0, 3.0],
    }
    with running(stored.settings.root) as client:
        answer = client.post("/push", {"push_source_name": "last_order", "df": df})
        detail = json.loads(answer.json())
        assert (answer.status_code, detail["rows"]) == (422, [1, 2])
        assert "\n  row 2: customer.not_null, " in detail["message"]
