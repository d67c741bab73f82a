"""A remote store that goes away, hangs and comes back: a clear 503 or the last known values, and recovery by itself."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from servers import PostgresServer, Proxy, RedisServer, run_server
from serving import ROW, eventually, running

import featurestore

STORES = {"redis": RedisServer, "postgres": PostgresServer}
KINDS = {"redis": "RedisOnlineStore", "postgres": "PostgresOnlineStore"}


@pytest.fixture(params=["redis", "postgres"])
def remote(request, shop):
    """The shop, its online store on a server."""
    with run_server(STORES[request.param]) as server:
        path = shop.settings.feast_repo / "feature_store.yaml"
        text = path.read_text().replace("LmdbOnlineStore", KINDS[request.param])
        path.write_text(text.replace("path: ../data/online/store.lmdb", f"url: {server.url}"))
        project = featurestore.open(shop.settings.root)
        project.materialize()
        yield project, server


def test_away_and_back(remote):
    """503 with Retry-After, unready but alive; then the same answer as before, without a restart."""
    project, server = remote
    with running(project.settings.root) as client:
        before = client.vectors(ROW)
        assert before.status_code == 200
        server.stop()
        away = client.vectors(ROW)
        assert (away.status_code, away.headers["retry-after"]) == (503, "1")
        assert away.json()["error"]["kind"] == "StoreError"
        assert "does not answer" in away.json()["error"]["message"]
        assert (client.get("/ready").status_code, client.get("/health").status_code) == (503, 200)
        server.start()
        assert client.vectors(ROW).json() == before.json()
        assert client.get("/ready").status_code == 200


def test_a_store_that_hangs_costs_no_more_than_the_time_out(remote):
    """Each request ends in time; beyond the places there is 503 at once; and all is well afterwards."""
    project, server = remote
    with running(project.settings.root, timeout=0.3, threads=2, concurrency=4) as client:
        assert client.vectors(ROW).status_code == 200
        server.pause()
        kinds = [client.vectors(ROW).json()["error"]["kind"] for _ in range(12)]
        server.resume()
        assert set(kinds) == {"StoreError"}
        eventually(lambda: client.vectors(ROW).status_code == 200)


def test_last_known_values_are_marked_stale(remote):
    """If so configured; a key never asked for has none."""
    project, server = remote
    with running(project.settings.root, stale_cache_keys=100) as client:
        before = client.vectors(ROW).json()
        server.stop()
        stale = client.vectors(ROW).json()
        assert (before["stale"], stale.pop("stale")) == (False, True)
        assert stale == {name: value for name, value in before.items() if name != "stale"}
        unknown = client.vectors({"customer": 2, "basket": 1.0})
        assert unknown.status_code == 503
        assert "no last known value" in unknown.json()["error"]["message"]
        server.start()
        assert client.vectors(ROW).json()["stale"] is False


def test_last_known_values_answer_for_a_store_that_hangs(remote):
    """In time, and also when every thread hangs; readiness says what is wrong."""
    project, server = remote
    with running(project.settings.root, stale_cache_keys=100, timeout=0.5, threads=2) as client:
        before = client.vectors(ROW).json()
        server.pause()
        found = [client.vectors(ROW) for _ in range(12)]
        ready = client.get("/ready")
        server.resume()
        assert {answer.status_code for answer in found} == {200}
        assert all(answer.json() == before | {"stale": True} for answer in found)
        assert (ready.status_code, list(ready.json()["faults"])) == (503, ["store"])
        eventually(lambda: client.vectors(ROW).json()["stale"] is False)


def test_connections_that_are_lost_without_a_word_are_replaced(remote):
    """The first answer is late, and those after it are not: every thread's connection is suspected at once."""
    project, server = remote
    proxy = Proxy(server.port)
    path = project.settings.feast_repo / "feature_store.yaml"
    path.write_text(path.read_text().replace(f":{server.port}/", f":{proxy.port}/"))
    with running(project.settings.root, threads=4) as client:
        with ThreadPoolExecutor(8) as callers:
            every = list(callers.map(lambda _: client.vectors(ROW).json(), range(40)))
        proxy.lose()
        with ThreadPoolExecutor(8) as callers:
            assert list(callers.map(lambda _: client.vectors(ROW).json(), range(40))) == every
    proxy.close()


def test_a_lookup_that_hangs_does_not_keep_the_server_from_ending(remote):
    """Told to stop, it is gone once its requests are answered."""
    project, server = remote
    with running(project.settings.root, timeout=0.5, threads=2) as client:
        assert client.vectors(ROW).status_code == 200
        server.pause()
        assert client.vectors(ROW).status_code == 503
    hanging = [thread for thread in threading.enumerate() if thread.name.startswith("lookups")]
    server.resume()
    assert hanging
    assert all(thread.daemon for thread in hanging)


def test_expiry_counts_for_last_known_values_too(remote):
    """What has become too old meanwhile is not served."""
    project, server = remote
    with running(project.settings.root, stale_cache_keys=100) as client:
        client.vectors(ROW)
        server.stop()
        late = client.vectors(ROW, as_of="2024-01-14T00:00:00Z").json()
        assert (late["stale"], late["statuses"]) == (True, [[4, 4, 4, 2]])
        server.start()
