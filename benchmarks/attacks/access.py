"""Who may do what, and what is shown to whom."""

from __future__ import annotations

import http.client
import json
from collections import Counter
from typing import TYPE_CHECKING

import requests
from runner import run as run_command
from serving import eventually, serve_process
from spellings import plain, wrong_spellings

from attacks.target import ROW, VECTORS, Case, Target, bearer, raw, require
from featurestore.service.api.routes import ROUTES
from featurestore.service.route import Admission
from featurestore.service.runtime.keys import add_key

if TYPE_CHECKING:
    from featurestore.service.route import Route

VALUE = "ada@example.org"
NAMED = {
    VECTORS: {"rows": [{**ROW, VALUE: 1}]},
    "/get-online-features": {"features": ["last_order:amount"], "entities": {"customer": [3], VALUE: [1]}},
    "/push": {"push_source_name": "last_order", "df": {"customer": [3], VALUE: [1]}},
    "/write-to-online-store": {"feature_view_name": "last_order", "df": {"customer": [3], VALUE: [1]}},
}
PASSWORD = "hunter2secret"  # noqa: S105 - the attack looks for it
STORES = {
    "RedisOnlineStore": (
        f"redis://:{PASSWORD}@127.0.0.1:1/0",
        f"redis://user:{PASSWORD}@127.0.0.1:1/0",
        f"redis://127.0.0.1:1/0?password={PASSWORD}",
        f"unix://user:{PASSWORD}@/nowhere/redis.sock",
    ),
    "PostgresOnlineStore": (
        f"postgresql://user:{PASSWORD}@127.0.0.1:1/features",
        f"postgresql://127.0.0.1:1/features?user=a&password={PASSWORD}",
        f"host=127.0.0.1 port=1 user=a password={PASSWORD}",
        f"host=127.0.0.1 port=1 user=a password='{PASSWORD}'",
    ),
}


def _admitted(route: Route, scope: str | None) -> bool:
    if route.scope is Admission.ANYONE:
        return True
    if scope is None:
        return False
    return scope == "all" or route.scope is Admission.ANY_KEY or route.scope.value == scope


def scopes(target: Target) -> str:
    """Ask every route with every key: only a key with the scope of the route gets past 401 and 403."""
    statuses: Counter[int] = Counter()
    for route in ROUTES:
        for scope in (None, *target.keys):
            status = target.ask(route.method, plain(route), key=scope).status_code
            statuses[status] += 1
            expected = _admitted(route, scope)
            require(
                (status not in (401, 403)) == expected, f"{route.method} {plain(route)}, {scope}: {status}"
            )
    return _counted(statuses)


def spellings(target: Target) -> str:
    """Ask odd spellings of every path: none reaches a handler, and a read-only key never writes."""
    statuses: Counter[int] = Counter()
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=60)
    for route in ROUTES:
        for spelling in wrong_spellings(plain(route))[:: 12 if target.small else 1]:
            for scope, allowed in ((None, {401}), ("read", {400, 404}), ("all", {400, 404})):
                headers = {} if scope is None else bearer(target.keys[scope])
                # http.client sends a slash for it.
                if not spelling:
                    continue
                connection.request(route.method, spelling, headers=headers)
                answer = connection.getresponse()
                answer.read()
                statuses[answer.status] += 1
                # A path without its first slash is not a request target.
                require(
                    answer.status in allowed | {400}, f"{route.method} {spelling}, {scope}: {answer.status}"
                )
    return _counted(statuses)


def raw_targets(target: Target) -> str:
    """Send a push by a read-only key with request targets that a parser may take for another path."""
    body = json.dumps({"push_source_name": "last_order", "df": {"customer": [3]}}).encode()
    targets = ["//push", "/push%0A", "/push%0D%0A", "/push/", "/./push", "push", "*", "/push%00", "/push;a"]
    targets += ["http://localhost/push", "/push?", "/push#", "/\tpush", "/push\x0b", "/push\x00", "/p\xfcsh"]
    headers = f"Host: localhost\r\nAuthorization: Bearer {target.keys['read']}\r\nContent-Length: {len(body)}"
    statuses: Counter[int] = Counter()
    before = target.project.materializations()
    for path in targets:
        for method in ("POST", "post", "POST ", "GET"):
            head = f"{method} {path} HTTP/1.1\r\n{headers}\r\nConnection: close\r\n\r\n".encode("latin-1")
            answer = raw(target.port, head + body)
            status = int(answer.split()[1]) if answer.startswith(b"HTTP/") else 0
            statuses[status] += 1
            require(status in (0, 400, 403, 404, 405), f"{method} {path!r}: {answer[:200]!r}")
    require(target.project.materializations() == before, "a read-only key wrote")
    return _counted(statuses)


def names_in_refusals(target: Target) -> str:
    """Send a personal value in the place of a name: the refusal does not repeat it."""
    for path, body in NAMED.items():
        for sent in (body, {**body, VALUE: 1}):
            answer = target.ask("POST", path, json=sent)
            require(answer.status_code == 422, f"{path}: {answer.status_code}")
            require(VALUE not in answer.text, f"{path} repeats the value: {answer.text[:200]}")
    csv = f"order,customer,{VALUE}\n1,1,2\n"
    answer = target.ask(
        "POST", "/v1/datasets/last_order/validate", data=csv, headers={"content-type": "text/csv"}
    )
    require(answer.status_code in (200, 422), f"validate: {answer.status_code}")
    return f"{2 * len(NAMED) + 1} requests, 422"


def description(target: Target) -> str:
    """Read the description without a key, and look for stored rows in it with one."""
    for path in ("/docs", "/openapi.json", "/metrics"):
        require(target.ask("GET", path, key=None).status_code == 401, f"{path} needs no key")
    text = target.ask("GET", "/openapi.json").text
    for value in ("SPRING", "20.1", "2024-01-03"):
        require(value not in text, f"/openapi.json has {value!r}, which is in the data")
    return "401 without a key; no row of the data with one"


def keys_gone(target: Target) -> str:
    """Remove and damage the file of keys of a server that started with keys: nobody gets in."""
    root = target.copy()
    secret = add_key(root / "data/serving/keys.json", "one", scopes=("read",))  # type: ignore[arg-type]
    path = root / "data/serving/keys.json"
    content = path.read_bytes()
    statuses: Counter[int] = Counter()
    with serve_process(root, "--no-log-requests", "--timeout", "60") as server:

        def status(key: str | None) -> int:
            headers = {} if key is None else bearer(key)
            answer = requests.post(
                server.url + VECTORS, json={"rows": [ROW]}, headers=headers, timeout=60
            ).status_code
            statuses[answer] += 1
            return answer

        require(status(secret) == 200, "a good key is refused")
        damages = (path.unlink, lambda: path.write_bytes(b""), lambda: path.write_bytes(content[:-9]))
        for damage in damages[: 1 if target.small else None]:
            path.write_bytes(content)
            eventually(lambda: status(secret) == 200, "the key did not come back")
            damage()
            first = status(None)
            require(first in (401, 503), f"a caller without a key gets {first}")
            eventually(lambda: status(secret) == 503, "the server did not notice")
            last = status(None)
            require(last in (401, 503), f"a caller without a key gets {last}")
        path.unlink(missing_ok=True)
    return _counted(statuses)


def passwords(target: Target) -> str:
    """Let commands and a server fail on a store whose address has a password: no message shows it."""
    count = 0
    for kind, urls in list(STORES.items())[: 1 if target.small else None]:
        for url in urls[:1] if target.small else urls:
            root = target.copy(
                **{"LmdbOnlineStore": kind, "path: ../data/online/store.lmdb": f'url: "{url}"'}
            )
            words = (
                ("get-online", "buying", "customer=3", "basket=16.0"),
                ("materialize",),
                ("summary",),
                ("audit",),
            )
            for command in words:
                done = run_command(*command, cwd=root)
                count += 1
                shown = done.stdout + done.stderr
                require(PASSWORD not in shown, f"{' '.join(command)} shows the password of {kind}")
    return f"{count} commands"


def _counted(statuses: Counter[int]) -> str:
    return ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items()))


CASES = (
    Case("keys x routes", "HTTP, keys", scopes),
    Case("odd spellings of paths x keys", "HTTP, paths", spellings),
    Case("odd request targets, read-only key", "HTTP, paths", raw_targets),
    Case("file of keys removed or damaged", "HTTP, keys", keys_gone),
    Case("values in the place of names", "HTTP, refusals", names_in_refusals),
    Case("description of the server", "HTTP, /docs", description),
    Case("passwords of stores in messages", "messages", passwords),
)
