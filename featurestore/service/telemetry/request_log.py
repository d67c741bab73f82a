"""The request log: one line of JSON for each request on standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from featurestore.service.telemetry.journal import Entry


class RequestLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the request log.

    Attributes
    ----------
    at
        Seconds since 1970 at which the head of the request had arrived.
    ms
        Milliseconds from the head of the request to its answer.
    rows
        Number of rows that were looked up or validated.
    keys
        Entity keys of each row; only with ``--log-keys``.
    """

    event: str
    at: float
    request_id: str
    method: str
    route: str
    status: int
    ms: float
    release: str
    caller: str | None = None
    error: str | None = None
    service: str | None = None
    dataset: str | None = None
    decision: str | None = None
    rows: int = 0
    stale: bool = False
    keys: list[dict[str, Any]] | None = None


class RequestLog:
    """An observer of the journal that writes the request log.

    Parameters
    ----------
    keys
        True: lines have the values of entity keys.
    """

    def __init__(self, *, keys: bool) -> None:
        self._keys = keys
        self._encoder = msgspec.json.Encoder()

    def __call__(self, batch: list[Entry]) -> None:
        """Write the lines of a batch."""
        sys.stderr.buffer.write(self._encoder.encode_lines([self._line(entry) for entry in batch]))
        sys.stderr.buffer.flush()

    def _line(self, entry: Entry) -> RequestLine:
        return RequestLine(
            event="request",
            at=entry.at,
            request_id=entry.request_id,
            method=entry.method,
            route=entry.route,
            status=entry.status,
            ms=round(entry.seconds * 1_000_000) / 1000,
            release=entry.release,
            caller=entry.caller,
            error=entry.error,
            service=None if entry.endpoint is None else entry.endpoint.name,
            dataset=None if entry.verdict is None else entry.verdict.dataset,
            decision=None if entry.verdict is None else entry.verdict.decision,
            rows=entry.row_count,
            stale=entry.stale,
            keys=_keys_of(entry) if self._keys else None,
        )


def _keys_of(entry: Entry) -> list[dict[str, Any]] | None:
    if entry.endpoint is None:
        return None
    names = list(entry.endpoint.service.key_schema)
    return [dict(zip(names, row, strict=False)) for row in entry.request_rows]
