"""Generated requests, and bytes changed at random: nothing makes the server fail."""

from __future__ import annotations

import base64
import http.client
import json
import random
import time
from collections import Counter
from functools import partial

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st
from schemathesis import GenerationMode
from uploading import BODIES

from attacks.target import ROW, VALIDATE, VECTORS, Case, Target, bearer, raw, require

TIMES = {"ordered_at": ["2024-01-09T00:00:00Z"], "event_timestamp": ["2024-01-09T00:00:00Z"]}
PUSHED = {"customer": [7], "amount": [1.0], "coupon": ["NEW"], **TIMES}
JSON_BODIES = {
    VECTORS: {"rows": [ROW, ROW], "as_of": "2024-01-10T00:00:00Z"},
    "/get-online-features": {
        "features": ["last_order:amount", "last_order:coupon"],
        "entities": {"customer": [3, 1, None]},
        "full_feature_names": True,
    },
    "/push": {"push_source_name": "last_order", "df": PUSHED, "to": "online_and_offline"},
    "/write-to-online-store": {"feature_view_name": "last_order", "df": PUSHED},
}
# Every body that the server reads: its path, its type, and a valid one to begin with.
VALID = {
    **{path: (path, "application/json", json.dumps(body).encode()) for path, body in JSON_BODIES.items()},
    **{f"{VALIDATE}, {media}": (VALIDATE, media, body) for media, body in BODIES.items()},
}
WORDS = (
    b"null", b"true", b"-0.0", b"1e999", b"9223372036854775808", b"\\u0000", b"\\ud800", b'"', b"{", b"[", b"]",
    b"}", b",", b":", b"\x00", b"\xff", b"\xef\xbb\xbf", b"NaN", b"Infinity", b"\n", b"\r\n", b"PAR1", b"ARROW1",
    b"__class__", b"2024-02-30", b"0001-01-01T00:00:00+14:00", b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00",
)  # fmt: skip
MAX_BODY = 1 << 16


def changed(body: bytes, chance: random.Random) -> bytes:
    """Change a body in a few places: bits, bytes, cuts, copies, words."""
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        place = chance.randrange(len(body) + 1)
        end = min(len(body), place + chance.choice((1, 1, 2, 4, 8, 64)))
        kind = chance.randrange(7)
        if kind == 0 and body:
            place = min(place, len(body) - 1)
            body = body[:place] + bytes([body[place] ^ (1 << chance.randrange(8))]) + body[place + 1 :]
        elif kind == 1:
            body = body[:place] + chance.randbytes(end - place) + body[end:]
        elif kind == 2:
            body = body[:place] + body[end:]
        elif kind == 3:
            body = body[:place] + body[place:end] * chance.choice((2, 3, 100)) + body[end:]
        elif kind == 4:
            body = body[:place] + chance.choice(WORDS) + body[end if chance.random() < 0.5 else place :]
        elif kind == 5 and chance.random() < 0.2:
            body = body[:place]
        else:
            number = chance.choice((0, 1, 2**15, 2**31 - 1, 2**32 - 1, 2**63 - 1))
            width = chance.choice((4, 8))
            body = (
                body[:place] + (number % 2 ** (8 * width)).to_bytes(width, "little") + body[place + width :]
            )
    return body[:MAX_BODY]


def _fuzz(name: str, target: Target) -> str:
    path, media, valid = VALID[name]
    chance = random.Random(f"{target.seed} {name}")
    statuses: Counter[int] = Counter()
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=120)
    headers = bearer(target.keys["all"]) | {"content-type": media}
    corpus = [valid]
    end = time.monotonic() + target.budget
    # A short run on a slow machine goes on until a body is read.
    while time.monotonic() < end or (statuses.total() < 500 and statuses[200] + statuses[422] == 0):
        body = changed(chance.choice(corpus), chance)
        connection.request("POST", path, body=body, headers=headers)
        answer = connection.getresponse()
        text = answer.read()
        statuses[answer.status] += 1
        shown = base64.b64encode(body[:2_000]).decode()
        require(
            answer.status < 500, f"{path} got {answer.status} {text[:200]!r} for the bytes (base64) {shown}"
        )
        # The next change may start from an accepted body.
        if answer.status == 200 and len(corpus) < 200:
            corpus.append(body)
    require(statuses[200] + statuses[422] > 0, "no body was read")
    return _counted(statuses)


def wire(target: Target) -> str:
    """Change the bytes of whole requests: the server answers with 4xx, or closes the connection, and goes on."""
    chance = random.Random(f"{target.seed} wire")
    body = json.dumps({"rows": [ROW]}).encode()
    head = f"POST {VECTORS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {target.keys['all']}\r\n"
    requests_ = [
        f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body,
        f"{head}Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n",
        f"{head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode(),
        f"{head}Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body,
        b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 50 + b"\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        (
            b"GET /health HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    ]
    statuses: Counter[int] = Counter()
    end = time.monotonic() + target.budget
    while time.monotonic() < end:
        sent = changed(chance.choice(requests_), chance)
        answer = raw(target.port, sent)
        status = int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0
        statuses[status] += 1
        shown = base64.b64encode(sent[:2_000]).decode()
        require(status < 500, f"{status} {answer[:200]!r} for the bytes (base64) {shown}")
    target.lookup()
    return _counted(statuses)


def described(target: Target) -> str:
    """Send what schemathesis makes of the description, valid and invalid, to every operation."""
    headers = bearer(target.keys["all"])
    document = schemathesis.openapi.from_url(f"{target.url}/openapi.json", headers=headers)
    for media, body in BODIES.items():
        _declare(media, body)
    statuses: Counter[int] = Counter()
    operations = [
        (path, method) for path, methods in document.raw_schema["paths"].items() for method in methods
    ]
    end = time.monotonic() + max(10.0, target.budget * len(operations))
    for path, method in operations[: 3 if target.small else None]:
        for mode in GenerationMode:
            # A request without a body cannot be wrong.
            if method != "post" and not mode.is_positive:
                continue
            strategy = document[path][method.upper()].as_strategy(generation_mode=mode)

            @given(case=strategy)
            @hypothesis_seed(target.seed)
            @settings(
                max_examples=1 if target.small else 100,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                database=None,
                phases=(Phase.generate,),
            )
            def sent(case: schemathesis.Case) -> None:
                # Beyond the budget Hypothesis only draws.
                if time.monotonic() > end:
                    return
                answer = case.call(headers=headers)
                statuses[answer.status_code] += 1
                require(
                    answer.status_code < 500 or case.path == "/ready",
                    f"{answer.status_code} {answer.text[:200]} for {case.as_curl_command()[:2_000]}",
                )

            sent()
    return f"{len(operations)} operations, {_counted(statuses)}"


def _declare(media: str, body: bytes) -> None:
    schemathesis.openapi.media_type(media, st.just(body) | st.binary(max_size=2_000))


def _counted(statuses: Counter[int]) -> str:
    names = {0: "closed"}
    return ", ".join(f"{names.get(status, status)}: {count:,}" for status, count in sorted(statuses.items()))


CASES = (
    *(Case(f"changed bytes: {name}", "HTTP, bodies", partial(_fuzz, name)) for name in VALID),
    Case("changed bytes of whole requests", "HTTP, wire", wire),
    Case("schemathesis on every operation", "HTTP, all", described),
)
