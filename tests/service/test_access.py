"""Who may do what: every route, asked by every kind of key, under every spelling of its path.

The cases are made from the route table, so a new route is tested as soon as it is in the table.
"""

import socket
from contextlib import contextmanager

import pytest
from asgi import ask_all
from serving import running

from featurestore.service.api.routes import OTHER, ROUTES
from featurestore.service.app import create_app
from featurestore.service.route import Admission
from featurestore.service.runtime.key_scope import KeyScope
from featurestore.service.runtime.keys import add_key
from featurestore.service.runtime.options import Options

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get")


def plain(route):
    return route.path.format(service="buying", dataset="orders")


def wrong_spellings(path):
    """Return spellings that are not the path itself, although a careless comparison takes them for it."""
    controls = [*range(0x21), 0x7F, 0x80, 0x85, 0x9F]
    ends = [chr(code) for code in controls] + ["\u2028", "\u2029", "\u200b", "\ufeff", "\u00a0"]
    ends += ["/", "//", "/.", "/..", ";", ";a=b", "%", "%0A", "#", "\\"]
    inner, _, last = path.rpartition("/")
    full = chr(ord(last[0]) - 0x20 + 0xFF00) + last[1:] if last else "\uff0f"
    variants = [path + end for end in ends] + ["/" + path, "/." + path, "/x/.." + path]
    variants += [f"{inner}//{last}", f"{inner}/./{last}", f"{inner}/{full}", f"{inner}/{last.upper()}"]
    variants += [
        path.replace("/", "\\"),
        "\n" + path,
        " " + path,
        "/\n" + path[1:],
        path[1:],
        f"/{path[1:]}\r",
    ]
    # A server decodes what is percent-encoded, one time.
    encoded = {"".join(f"%{byte:02X}" for byte in variant.encode()) for variant in variants}
    encoded = {spelling.replace("%2F", "/") for spelling in encoded}
    encoded |= {
        path[0] + path[1:].replace("/", "%2f"),
        f"{path}%2F",
        f"%2F{path[1:]}",
        f"{path}%252F",
        f"{path}%250A",
    }
    # What has become the path itself, or that of a route with a parameter, is not a wrong spelling.
    return sorted(encoded - {path, "".join(f"%{byte:02X}" for byte in path.encode()).replace("%2F", "/")})


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
    app = create_app(Options(root=str(root), log_requests=False))
    try:
        yield app
    finally:
        for part in (app.state.uploads, app.state.pushes, app.state.lookups):
            part.close(1.0)


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


def test_the_other_route_is_not_in_the_table():
    """Unknown paths have a route of their own, which needs the scope to read."""
    assert OTHER not in ROUTES
    assert OTHER.scope is KeyScope.READ
