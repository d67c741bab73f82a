"""A remote store that stops, hangs and comes back: requests get 503 or last known values, and recover."""

import threading
from concurrent.futures import ThreadPoolExecutor

from servers import Proxy
from serving import ROW, eventually, running


def test_a_store_that_stops_gives_503_until_it_is_back(remote):
    """The server is unready but alive meanwhile, and answers again without a restart."""
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


def test_a_store_that_hangs_delays_requests_only_until_their_timeout(remote):
    """Requests beyond the limit get 503 at once, and lookups work again afterwards."""
    project, server = remote
    with running(project.settings.root, timeout=0.3, threads=2, concurrency=4) as client:
        assert client.vectors(ROW).status_code == 200
        server.pause()
        kinds = [client.vectors(ROW).json()["error"]["kind"] for _ in range(12)]
        server.resume()
        assert set(kinds) == {"StoreError"}
        eventually(lambda: client.vectors(ROW).status_code == 200)


def test_last_known_values_are_marked_stale(remote):
    """With a stale cache, last known values answer; a key that was never read has none."""
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
    """They answer in time even if every thread hangs, and /ready says what is wrong."""
    project, server = remote
    with running(project.settings.root, stale_cache_keys=100, timeout=0.5, threads=2) as client:
        before = client.vectors(ROW).json()
        server.pause()
        answers = [client.vectors(ROW) for _ in range(12)]
        ready = client.get("/ready")
        server.resume()
        assert {answer.status_code for answer in answers} == {200}
        assert all(answer.json() == before | {"stale": True} for answer in answers)
        assert (ready.status_code, list(ready.json()["faults"])) == (503, ["store"])
        eventually(lambda: client.vectors(ROW).json()["stale"] is False)


def test_silently_lost_connections_are_replaced(remote):
    """One slow answer is enough: all connections of that age are replaced."""
    project, server = remote
    proxy = Proxy(server.port)
    path = project.settings.feast_repo / "feature_store.yaml"
    path.write_text(path.read_text().replace(f":{server.port}/", f":{proxy.port}/"))
    with running(project.settings.root, threads=4) as client:
        with ThreadPoolExecutor(8) as callers:
            before = list(callers.map(lambda _: client.vectors(ROW).json(), range(40)))
        proxy.lose()
        with ThreadPoolExecutor(8) as callers:
            assert list(callers.map(lambda _: client.vectors(ROW).json(), range(40))) == before
    proxy.close()


def test_a_lookup_that_hangs_does_not_keep_the_server_from_ending(remote):
    """A server that is stopped ends once its requests are answered."""
    project, server = remote
    with running(project.settings.root, timeout=0.5, threads=2) as client:
        assert client.vectors(ROW).status_code == 200
        server.pause()
        assert client.vectors(ROW).status_code == 503
    hanging = [thread for thread in threading.enumerate() if thread.name.startswith("lookups")]
    server.resume()
    assert hanging
    assert all(thread.daemon for thread in hanging)


def test_last_known_values_expire(remote):
    """A value that is too old by then is not served."""
    project, server = remote
    with running(project.settings.root, stale_cache_keys=100) as client:
        client.vectors(ROW)
        server.stop()
        late = client.vectors(ROW, as_of="2024-01-14T00:00:00Z").json()
        assert (late["stale"], late["statuses"]) == (True, [[4, 4, 4, 2]])
        server.start()
