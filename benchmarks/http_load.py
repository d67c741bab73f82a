"""Load on an HTTP server: some connections, each sends its next request when the answer arrives."""

from __future__ import annotations

import asyncio
import json
import os
import time
import urllib.request
from pathlib import Path
from typing import Any

CONNECTIONS = 8
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Connection(asyncio.Protocol):
    """One connection that sends the same request until a time is reached.

    Parameters
    ----------
    end
        Of `time.perf_counter`: no request is sent later.
    latencies
        Receives the seconds of each answer.
    """

    def __init__(self, request: bytes, end: float, latencies: list[float]) -> None:
        self._request = request
        self._end = end
        self._latencies = latencies
        self._answer = b""
        self.finished = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        """Send the first request."""
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        """Take an answer, or a part of one; then send the next request."""
        self._answer += data
        head, separator, body = self._answer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        now = time.perf_counter()
        self._latencies.append(now - self._sent_at)
        if not head.startswith(b"HTTP/1.1 200"):
            self._finish(RuntimeError(self._answer[:500].decode(errors="replace")))
        elif now < self._end:
            self._send()
        else:
            self._finish(None)

    def connection_lost(self, error: Exception | None) -> None:
        """Fail if the server closes the connection before the last answer."""
        self._finish(error or ConnectionError("the server closed the connection"))

    def _send(self) -> None:
        self._answer = b""
        self._sent_at = time.perf_counter()
        self._transport.write(self._request)

    def _finish(self, error: Exception | None) -> None:
        if self.finished.done():
            return
        if error is None:
            self.finished.set_result(None)
        else:
            self.finished.set_exception(error)
        self._transport.close()


def post_request(port: int, path: str, body: bytes) -> bytes:
    """Write a request. A server without keys answers only to the names of its own machine."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def load(port: int, path: str, body: bytes, seconds: float) -> list[float]:
    """Send requests over all connections for some seconds; return the seconds of each answer."""
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    end = time.perf_counter() + seconds
    request = post_request(port, path, body)
    connections = [
        await loop.create_connection(lambda: Connection(request, end, latencies), "127.0.0.1", port)
        for _ in range(CONNECTIONS)
    ]
    await asyncio.gather(*(protocol.finished for _, protocol in connections))
    return latencies


def post(port: int, path: str, body: bytes) -> dict:
    """Send one request; return the JSON of the answer."""
    request = urllib.request.Request(
        f"http://localhost:{port}{path}", body, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - the URL is ours
        return json.load(answer)


def cpu_seconds(process: int) -> float:
    """Return the CPU seconds that a process and its children have used."""
    seconds = 0.0
    for task in (process, *_children(process)):
        fields = Path(f"/proc/{task}/stat").read_text().rpartition(")")[2].split()
        seconds += (int(fields[11]) + int(fields[12])) / CLOCK_TICKS
    return seconds


def _children(process: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
