"""Requests to the application of the server without a socket: any path, method and headers."""

import asyncio
import json
from dataclasses import dataclass
from urllib.parse import unquote


@dataclass
class Answer:
    """The status, the headers and the body of an answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def kind(self):
        """The kind of the error in the body, or None."""
        body = json.loads(self.body) if self.body else None
        return body["error"]["kind"] if isinstance(body, dict) and "error" in body else None


async def ask(app, method, raw_path, *, key=None, body=b"", headers=()):
    """Send one request, whose path is percent-decoded as a server does."""
    messages = []
    sent = [(b"host", b"localhost"), *headers]
    if key is not None:
        sent.append((b"authorization", f"Bearer {key}".encode()))

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        messages.append(message)

    path, _, query = raw_path.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": sent,
    }
    await app(scope, receive, send)
    start, *rest = messages
    answered = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], answered, b"".join(message.get("body", b"") for message in rest))


def ask_all(app, requests):
    """Send requests one after the other; each is the arguments of `ask`."""

    async def answers():
        return [await ask(app, *arguments, **named) for arguments, named in requests]

    return asyncio.run(answers())
