"""A remote store that goes away, hangs and comes back: a clear 503 or the last known values, and recovery by itself."""

import pytest
from servers import PostgresServer, RedisServer, run_server
from serving import ROW, running

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
        assert set(kinds) <= {"TimedOut", "BusyError"}
        assert "TimedOut" in kinds
        while client.vectors(ROW).status_code != 200:
            pass


def test_last_known_values_are_marked_stale(remote):
    """If so configured; a key never asked for has none."""
    project, server = remote
    with running(project.settings.root, remember=100) as client:
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


def test_expiry_counts_for_last_known_values_too(remote):
    """What has become too old meanwhile is not served."""
    project, server = remote
    with running(project.settings.root, remember=100) as client:
        client.vectors(ROW)
        server.stop()
        late = client.vectors(ROW, as_of="2024-01-14T00:00:00Z").json()
        assert (late["stale"], late["statuses"]) == (True, [[4, 4, 4, 2]])
        server.start()
