"""The guard: it checks API keys, sizes, times and the number of requests before a handler runs."""

import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from serving import ROW, eventually, running

from featurestore.errors import ConfigError, UnknownNameError
from featurestore.service.run import serve
from featurestore.service.runtime.key_scope import KeyScope
from featurestore.service.runtime.keys import add_key, read_keys, remove_key
from featurestore.service.runtime.options import Options

PUSHED = {"push_source_name": "last_order", "df": {}}


def test_a_key_is_required_once_there_is_one(stored):
    """Scope and services of a key decide; health and readiness need no key."""
    path = stored.layout.keys
    reader = add_key(path, "reader", scopes=(KeyScope.READ,), services=("buying",))
    writer = add_key(path, "writer", scopes=(KeyScope.WRITE,))
    selling = add_key(path, "other", scopes=(KeyScope.READ,), services=("selling",))
    with running(stored.settings.root) as client:
        assert client.vectors(ROW).status_code == 401
        assert client.vectors(ROW).headers["www-authenticate"] == "Bearer"
        assert client.get("/health").status_code == client.get("/ready").status_code == 200
        request = {"features": ["last_order:amount"], "entities": {"customer": [3]}}
        statuses = {}
        for client.key in (reader, writer, selling, reader + "x", "fs_"):
            statuses[client.key] = (
                client.vectors(ROW).status_code,
                client.post("/get-online-features", request).status_code,
                client.post("/push", PUSHED).status_code,
            )
        assert statuses == {
            reader: (200, 403, 403),
            writer: (403, 403, 422),
            selling: (403, 403, 403),
            reader + "x": (401, 401, 401),
            "fs_": (401, 401, 401),
        }


def test_only_digests_are_stored(stored):
    """The file has no secret, only its owner can read it, and each name occurs once."""
    path = stored.layout.keys
    secret = add_key(path, "reader", scopes=(KeyScope.READ,))
    assert secret not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigError, match="named 'reader' already"):
        add_key(path, "reader", scopes=(KeyScope.READ,))
    with pytest.raises(UnknownNameError, match="no API key named 'redaer'"):
        remove_key(path, "redaer")
    remove_key(path, "reader")
    assert read_keys(path) == ()


def test_concurrent_changes_of_keys_lose_none(tmp_path):
    """A process that reads, changes and writes the keys does so alone."""
    path, names = tmp_path / "keys.json", [f"caller{number:02}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: add_key(path, name, scopes=(KeyScope.READ,)), names))
        assert sorted(key.name for key in read_keys(path)) == names
        list(pool.map(lambda name: remove_key(path, name), names[1:]))
    assert [key.name for key in read_keys(path)] == names[:1]


def test_a_running_server_reloads_the_keys(stored):
    """A key that is added or removed counts within a second or so."""
    with running(stored.settings.root) as client:
        assert client.vectors(ROW).status_code == 200
        secret = add_key(stored.layout.keys, "reader", scopes=(KeyScope.READ,))
        eventually(lambda: client.vectors(ROW).status_code == 401, "the server did not reload the keys")
        client.key = secret
        assert client.vectors(ROW).status_code == 200


def test_a_server_without_its_last_key_admits_nobody(stored):
    """A project that once had keys keeps requiring one."""
    add_key(stored.layout.keys, "reader", scopes=(KeyScope.READ,))
    with running(stored.settings.root) as client:
        remove_key(stored.layout.keys, "reader")
        add_key(stored.layout.keys, "other", scopes=(KeyScope.READ,))
        remove_key(stored.layout.keys, "other")
        for _ in range(20):
            assert client.vectors(ROW).status_code == 401
    stored.layout.keys.write_text("[]")
    with running(stored.settings.root) as client:
        assert client.vectors(ROW).status_code == 401


def test_a_server_without_keys_refuses_to_listen_for_other_machines(stored):
    """It also refuses half of the TLS options, and files that do not exist."""
    root = str(stored.settings.root)
    with pytest.raises(ConfigError, match="other machines could read and write everything"):
        serve(Options(root=root, host="0.0.0.0"))  # noqa: S104 - the server must refuse it
    with pytest.raises(ConfigError, match="a certificate and its key"):
        serve(Options(root=root, tls_key="key.pem"))
    with pytest.raises(ConfigError, match=r"none\.pem: not found"):
        serve(Options(root=root, tls_key="none.pem", tls_certificate="none.pem"))


def test_size_and_rows_are_limited(stored):
    """A body that is too large gets 413, declared or streamed; too many rows get 422."""
    with running(stored.settings.root, max_bytes=1_000, max_rows=3) as client:
        large = json.dumps({"rows": [ROW] * 100}).encode()
        declared = requests.post(client.url + "/v1/vectors/buying", data=large, timeout=30)
        chunks = (large[i : i + 100] for i in range(0, len(large), 100))
        streamed = requests.post(client.url + "/v1/vectors/buying", data=chunks, timeout=30)
        assert (declared.status_code, streamed.status_code) == (413, 413)
        assert client.vectors(*[ROW] * 4).status_code == 422
        request = {"features": ["last_order:amount"], "entities": {"customer": [3] * 4}}
        assert client.post("/get-online-features", request).status_code == 422
        assert client.vectors(*[ROW] * 3).status_code == 200


def test_a_slow_caller_gets_503_and_delays_no_other(stored):
    """A body that does not arrive occupies a place until its timeout; requests beyond the limit get 503."""
    head = b"POST /v1/vectors/buying HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
    with running(stored.settings.root, timeout=1.0, concurrency=2) as client:
        slow = [socket.create_connection(("127.0.0.1", client.port), timeout=20) for _ in range(2)]
        for connection in slow:
            connection.sendall(head)
        answers = [client.vectors(ROW)]
        eventually(
            lambda: answers.append(client.vectors(ROW)) or answers[-1].status_code != 200,
            "no request was refused",
        )
        busy = answers[-1]
        assert (busy.status_code, busy.headers["retry-after"]) == (503, "1")
        # Monitors are answered all the same.
        assert [client.get(path).status_code for path in ("/health", "/ready", "/metrics")] == [200] * 3
        late = [connection.recv(10_000) for connection in slow]
        for connection in slow:
            connection.close()
        assert all(answer.startswith(b"HTTP/1.1 503") for answer in late)
        assert client.vectors(ROW).status_code == 200


def test_a_body_that_does_not_arrive_gets_503_in_time(stored):
    """The answer says that the request took too long."""
    with running(stored.settings.root, timeout=0.5) as client:
        with socket.create_connection(("127.0.0.1", client.port), timeout=20) as connection:
            connection.sendall(
                b"POST /v1/vectors/buying HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
            )
            answer = bytearray()
            eventually(
                lambda: answer.extend(connection.recv(10_000)) or b"took too long" in answer,
                "the answer did not say that the request took too long",
            )
        assert answer.startswith(b"HTTP/1.1 503")


def test_a_caller_that_leaves_frees_its_place(stored):
    """Connections may be cut in a head, in a body, or before the answer is read."""
    request = b'POST /v1/vectors/buying HTTP/1.1\r\nHost: localhost\r\nContent-Length: 41\r\n\r\n{"rows":[{"customer":3,"basket":16.0}]}  '
    with running(stored.settings.root, concurrency=4) as client:
        for cut in range(1, len(request), 7):
            with socket.create_connection(("127.0.0.1", client.port)) as connection:
                connection.sendall(request[:cut])
        for _ in range(20):
            assert client.vectors(ROW).status_code == 200


def test_requests_in_progress_are_answered_before_the_server_ends(stored):
    """A server that is stopped sends its last answers."""
    with running(stored.settings.root) as client:
        answers, connected = [], threading.Barrier(8)

        def ask():
            with requests.Session() as session:
                session.get(client.url + "/health", timeout=30)
                connected.wait(30)
                url = client.url + "/v1/vectors/buying"
                answers.append(session.post(url, json={"rows": [ROW] * 500}, timeout=30))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        eventually(lambda: answers, "no request was answered")
    for thread in threads:
        thread.join(30)
    assert len(answers) == len(threads)
    assert {answer.status_code for answer in answers} == {200}


def answer_to(client, request):
    """Send bytes, and return the status, headers and body of the answer."""
    with socket.create_connection(("127.0.0.1", client.port), timeout=20) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return int(status.split()[1]), dict(line.lower().split(": ", 1) for line in lines), json.loads(body)


@pytest.mark.parametrize(
    ("request_", "status", "kind"),
    [
        (b"BREW /coffee\r\n\r\n", 400, "InvalidRequest"),
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 3_000_000 + b"\r\n\r\n", 431, "TooLarge"),
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", 431, "TooLarge"),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 431, "TooLarge"),
    ],
)
def test_a_malformed_request_gets_an_error_as_all_others(stored, request_, status, kind, capfd):
    """A head may be malformed or too large; the server's own log is JSON, too."""
    with running(stored.settings.root) as client:
        answered, headers, body = answer_to(client, request_)
        assert (answered, headers["content-type"], headers["connection"]) == (
            status,
            "application/json",
            "close",
        )
        assert body["error"]["kind"] == kind
        assert body["error"]["request_id"] == headers["x-request-id"]
        assert client.vectors(ROW).status_code == 200
    events = {json.loads(line)["event"] for line in capfd.readouterr().err.splitlines()}
    assert events == {"server"}


def test_a_large_body_does_not_count_as_head(stored):
    """A body has its own limit, also if it arrives with the rest of a head."""
    with running(stored.settings.root) as client:
        with socket.create_connection(("127.0.0.1", client.port), timeout=20) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(b"POST /v1/vectors/buying HTTP/1.1\r\n")
            eventually(lambda: client.get("/health").status_code == 200)
            body = json.dumps({"rows": [ROW]}).encode() + b" " * 100_000
            connection.sendall(b"Host: localhost\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        rows = json.dumps({"rows": [ROW] * 1_000, "as_of": None}) + " " * 500_000
        assert requests.post(client.url + "/v1/vectors/buying", data=rows, timeout=30).status_code == 200


def test_a_wrong_method_gets_405(stored):
    """The answer names the methods that the path takes."""
    with running(stored.settings.root) as client:
        refused = client.get("/v1/vectors/buying")
        assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
        assert refused.json()["error"]["kind"] == "MethodNotAllowed"
        assert client.get("/push").headers["allow"] == "POST"
        assert client.post("/health", {}).headers["allow"] == "GET, HEAD"
        assert requests.head(client.url + "/health", timeout=30).status_code == 200


LOCAL = {"localhost": 200, "127.0.0.1": 200, "[::1]": 200, "evil.example": 403, "localhost.evil.example": 403}


def test_pages_of_other_sites_are_refused_without_keys(stored):
    """A browser on this machine sends their origin, or asks for this server under their name."""
    body = json.dumps({"rows": [ROW]})
    statuses = {}
    with running(stored.settings.root) as client:

        def ask(**headers):
            headers["content-type"] = "text/plain"
            url = client.url + "/v1/vectors/buying"
            return requests.post(url, data=body, headers=headers, timeout=30).status_code

        for host in LOCAL:
            statuses[host] = ask(host=f"{host}:{client.port}")
        assert statuses == LOCAL
        here = f"localhost:{client.port}"
        assert ask(host=here, origin=f"http://{here}") == 200
        assert ask(host=here, origin="http://evil.example") == 403
        assert ask(host=here, origin="null") == 403
        assert ask(host=here, origin=f"http://localhost:{client.port + 1}") == 403
        assert requests.get(client.url + "/docs", timeout=30).status_code == 200
        assert (
            requests.get(client.url + "/docs", headers={"host": "evil.example"}, timeout=30).status_code
            == 403
        )


def test_origins_are_not_checked_behind_a_proxy_or_with_keys(stored):
    """A proxy decides who may ask, and a page of another site has no key."""
    foreign = {"host": "features.example", "origin": "http://shop.example"}
    body = json.dumps({"rows": [ROW]})
    with running(stored.settings.root, allow_anonymous=True) as client:
        url = client.url + "/v1/vectors/buying"
        assert requests.post(url, data=body, headers=foreign, timeout=30).status_code == 200
    secret = add_key(stored.layout.keys, "reader", scopes=(KeyScope.READ,))
    with running(stored.settings.root) as client:
        url = client.url + "/v1/vectors/buying"
        keyed = foreign | {"authorization": f"Bearer {secret}"}
        assert requests.post(url, data=body, headers=keyed, timeout=30).status_code == 200
        assert requests.post(url, data=body, headers=foreign, timeout=30).status_code == 401
