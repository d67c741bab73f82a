"""Who may do what: every route, asked by every kind of key, under every spelling of its path.

The cases are made from the route table, so a new route is tested as soon as it is in the table.
"""

import asyncio
import base64
import json
import socket
import threading
from contextlib import contextmanager

import pytest
from asgi import ask, ask_all
from serving import running
from shop import ORDERS
from spellings import plain, wrong_spellings

from featurestore.service.api import description
from featurestore.service.api.openapi import openapi
from featurestore.service.api.routes import OTHER, ROUTES
from featurestore.service.app import create_app
from featurestore.service.route import Admission
from featurestore.service.runtime.key_scope import KeyScope
from featurestore.service.runtime.keys import add_key
from featurestore.service.runtime.options import Options

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get")


@pytest.fixture(scope="module")
def keyed(shared_shop):
    """The application of a server with keys, and the secret of a key for each set of scopes."""
    shared_shop.materialize()
    scopes = {(), *((scope,) for scope in KeyScope), tuple(KeyScope)}
    secrets = {
        chosen: add_key(shared_shop.layout.keys, "-".join(("key", *chosen)), scopes=chosen)
        for chosen in scopes
    }
    with application(shared_shop.settings.root) as app:
        yield app, secrets


@contextmanager
def application(root):
    app = create_app(Options(root=str(root), log_requests=False, timeout=60))
    try:
        yield app
    finally:
        for part in (app.state.pushes, app.state.lookups):
            part.close(1.0)
        app.state.validators.close()


def admitted(route, scopes):
    """Return whether a key with these scopes, or None for a request without a key, may use a route."""
    if route.scope is Admission.ANYONE:
        return True
    if scopes is None:
        return False
    return route.scope is Admission.ANY_KEY or route.scope in scopes


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_a_key_may_use_a_route_only_with_its_scope(keyed, route):
    """Without a key 401, without the scope 403, by every method: only the route's own method reaches its handler."""
    app, secrets = keyed
    for scopes, secret in ((None, None), (None, "fs_wrong"), *secrets.items()):
        requests = [((method, plain(route)), {"key": secret}) for method in METHODS]
        for method, answer in zip(METHODS, ask_all(app, requests), strict=True):
            if not admitted(route, scopes):
                assert answer.status == (401 if scopes is None else 403), (method, scopes)
            elif route.takes(method):
                assert answer.status not in (401, 403, 404, 405), (method, scopes)
            else:
                assert answer.status == 405, (method, scopes)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_a_wrong_spelling_of_a_path_reaches_no_handler(keyed, route):
    """A key that may do all gets 400 or 404; a key that may read cannot write; without a key every answer is 401."""
    app, secrets = keyed
    spellings = wrong_spellings(plain(route))
    for scopes, secret in (
        (None, None),
        ((KeyScope.READ,), secrets[KeyScope.READ,]),
        (tuple(KeyScope), None),
    ):
        key = secrets[tuple(KeyScope)] if scopes == tuple(KeyScope) else secret
        answers = ask_all(app, [((route.method, spelling), {"key": key}) for spelling in spellings])
        for spelling, answer in zip(spellings, answers, strict=True):
            expected = {401} if scopes is None else {400, 404}
            assert answer.status in expected, (spelling, scopes, answer.body)
            assert scopes is None or answer.kind in ("NotFound", "InvalidRequest", "UnknownNameError"), (
                spelling
            )


def test_a_control_character_in_a_path_is_refused_with_400(keyed):
    """The answer says why; an unknown path gets 404."""
    app, secrets = keyed
    key = secrets[tuple(KeyScope)]
    paths = (
        "/push%0A",
        "/push%00",
        "/push%7F",
        "/push%C2%85",
        "/v1/vectors/buying%0A",
        "/v1%2Fservices",
        "/puhs",
    )
    answers = ask_all(app, [(("GET", path), {"key": key}) for path in paths])
    assert [answer.status for answer in answers] == [400] * 6 + [404]
    assert b"control character or an encoded slash" in answers[0].body


def test_an_encoded_letter_is_the_letter(keyed):
    """RFC 3986 calls these spellings equal, and the guard decides by the decoded path."""
    app, secrets = keyed
    read, write = secrets[KeyScope.READ,], secrets[KeyScope.WRITE,]
    answers = ask_all(app, [(("POST", "/%70ush"), {"key": key, "body": b"{}"}) for key in (read, write)])
    assert [answer.status for answer in answers] == [403, 422]


def test_a_read_only_key_cannot_write_through_a_real_socket(shop):
    """The bytes pass the parser of the server; a path with a newline, and a target with host, are tried too."""
    shop.materialize()
    secret = add_key(shop.layout.keys, "reader", scopes=(KeyScope.READ,))
    targets = [
        "/push",
        "//push",
        "/push%0A",
        "/push%0D%0A",
        "/push/",
        "/PUSH",
        "/./push",
        "/push?",
        "/push#",
        "*",
    ]
    targets += [
        "http://localhost/push",
        "/push%00",
        "/%2e/push",
        "/push;a",
        "push",
        "/write-to-online-store%0A",
    ]
    body = b'{"push_source_name": "last_order", "df": {"customer": [3]}}'
    statuses = {}
    with running(shop.settings.root) as client:
        for target in targets:
            with socket.create_connection(("127.0.0.1", client.port), timeout=20) as connection:
                connection.sendall(
                    f"POST {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n"
                    f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                    + body
                )
                connection.shutdown(socket.SHUT_WR)
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
            statuses[target] = int(answer.split()[1])
    assert set(statuses.values()) <= {400, 403, 404}, statuses
    assert {target for target, status in statuses.items() if status == 403} == {
        "/push", "/push?", "/push#", "http://localhost/push",
    }  # fmt: skip


def basic(secret):
    return [(b"authorization", b"Basic " + base64.b64encode(f"anyone:{secret}".encode()))]


def test_the_description_needs_a_key_which_a_browser_may_send_as_a_password(keyed):
    """Every other route refuses a password: a browser sends it along with requests of other sites."""
    app, secrets = keyed
    plain_key = secrets[()]
    for path in ("/docs", "/openapi.json"):
        refused, admitted_ = ask_all(app, [(("GET", path), {"key": key}) for key in (None, plain_key)])
        assert (refused.status, admitted_.status) == (401, 200)
    assert b'"security":[{"key":[]}]' in admitted_.body
    page = ask_all(
        app, [(("GET", "/docs"), {"headers": headers}) for headers in ([], basic(plain_key), basic("x"))]
    )
    assert [answer.status for answer in page] == [401, 200, 401]
    assert page[0].headers["www-authenticate"].startswith("B")
    every = secrets[tuple(KeyScope)]
    for route in ROUTES:
        if not route.asks_browser and route.scope is not Admission.ANYONE:
            [answer] = ask_all(app, [((route.method, plain(route)), {"headers": basic(every)})])
            assert (answer.status, "Basic" in str(answer.headers)) == (401, False)
    broken = [(b"authorization", b"Basic " + text) for text in (b"", b"&", b"Zg==", b"\xff")]
    assert {
        answer.status for answer in ask_all(app, [(("GET", "/docs"), {"headers": [h]}) for h in broken])
    } == {401}


def test_the_description_is_made_once_and_has_no_row_of_the_data(shop, monkeypatch):
    """Requests at the same time wait for one description, in a thread; each release has its own."""
    shop.materialize()
    threads = []

    def counted(*arguments, **named):
        threads.append(threading.current_thread())
        return openapi(*arguments, **named)

    monkeypatch.setattr(description, "openapi", counted)
    with application(shop.settings.root) as app:

        async def together():
            return await asyncio.gather(*(ask(app, "GET", path) for path in ("/docs", "/openapi.json") * 5))

        answers = asyncio.run(together())
        assert {answer.status for answer in answers} == {200}
        assert len(threads) == 1
        assert threads[0] is not threading.current_thread()
    document = json.loads(answers[1].body)
    bodies = [text for text in strings(document) if "customer" in text and "\n" in text]
    lines = {line for body in bodies for line in body.splitlines()[1:]}
    assert lines
    assert not lines & set(ORDERS.splitlines())


def strings(value):
    """Return every text in a JSON document."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


def test_only_a_caller_with_a_key_gets_the_reasons_why_a_server_is_not_ready(shop):
    """They name views, files and servers. Status and release are for everyone; without keys the reasons are, too."""
    shop.materialize()
    with application(shop.settings.root) as app:
        shop.layout.releases.mkdir()
        (shop.layout.releases / "current").symlink_to("0009")
        asyncio.run(app.state.refresh())
        [before] = ask_all(app, [(("GET", "/ready"), {})])
        secret = add_key(shop.layout.keys, "any", scopes=())
        asyncio.run(app.state.refresh())
        answers = ask_all(app, [(("GET", "/ready"), {"key": key}) for key in (None, "fs_x", secret)])
    assert ["0009" in json.loads(answer.body).get("refused", "") for answer in (before, *answers)] == [
        True, False, False, True,
    ]  # fmt: skip
    assert json.loads(answers[0].body) == {"status": "ready", "release": "working"}


VALUE = "ada@example.org"
NAMED = {
    "/v1/vectors/buying": {"rows": [{"customer": 3, "basket": 1.0, VALUE: 1}]},
    "/get-online-features": {"features": ["last_order:amount"], "entities": {"customer": [3], VALUE: [1]}},
    "/push": {"push_source_name": "last_order", "df": {"customer": [3], VALUE: [1]}},
    "/write-to-online-store": {"feature_view_name": "last_order", "df": {"customer": [3], VALUE: [1]}},
}


@pytest.mark.parametrize("path", NAMED)
def test_a_value_in_the_place_of_a_name_is_not_repeated(keyed, path):
    """The refusal counts it, and says which names are expected or where it is. So does one beside the other names."""
    app, secrets = keyed
    key = secrets[tuple(KeyScope)]
    for body in (NAMED[path], {**NAMED[path], VALUE: 1}):
        [answer] = ask_all(app, [(("POST", path), {"key": key, "body": json.dumps(body).encode()})])
        assert (answer.status, VALUE.encode() in answer.body) == (422, False), answer.body


def test_the_other_route_is_not_in_the_table():
    """Unknown paths have a route of their own, which needs the scope to read."""
    assert OTHER not in ROUTES
    assert OTHER.scope is KeyScope.READ
