"""Errors as answers: each kind of error has its status, and says what was wrong and what to do."""

from __future__ import annotations

from typing import Any

import msgspec

from featurestore.errors import (
    ContractError,
    DefinitionError,
    FeatureStoreError,
    MissingDataError,
    SkewError,
    StoreError,
    UnknownNameError,
)

RETRY_AFTER = "1"
# Of a push that takes too long once its turn has come.
UNSURE = "what was pushed may still be applied, and to push it again is safe"
# The first that fits. Of the request: 4xx; of what is served: 5xx, and 503 where it may pass.
STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (UnknownNameError, 404),
    (msgspec.ValidationError, 422),
    (msgspec.DecodeError, 400),
    (UnicodeDecodeError, 400),
    (ContractError, 422),
    (MissingDataError, 503),
    (SkewError, 503),
    (DefinitionError, 422),
)
# What a decoder raises.
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError)


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with a request, or with the server.

    Attributes
    ----------
    kind
        Name of the error, of `featurestore.errors` or of HTTP.
    hint
        What to do next.
    """

    kind: str
    message: str
    request_id: str
    hint: str | None = None


class ProblemBody(msgspec.Struct, frozen=True):
    """The answer to a request that failed."""

    error: Problem


class RefusedError(FeatureStoreError):
    """A request that is refused before it is looked at: by its size, its key, its pace.

    Attributes
    ----------
    status, headers
        Of the answer.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        hint: str | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(message, hint=hint)
        self.status, self.kind, self.headers = status, kind, headers


def status_of(error: Exception) -> int:
    """Return the status that an error is answered with."""
    if isinstance(error, RefusedError):
        return error.status
    if isinstance(error, StoreError):
        return 503 if error.retry else 500
    return next((status for kind, status in STATUSES if isinstance(error, kind)), 500)


def kind_of(error: Exception) -> str:
    """Name the kind of an error."""
    if isinstance(error, RefusedError):
        return error.kind
    if isinstance(error, UNREADABLE):
        return "InvalidRequest"
    return type(error).__name__ if isinstance(error, FeatureStoreError) else "InternalError"


def body_of(error: Exception, request_id: str) -> bytes:
    """Write the answer to a request that failed; of an error that nobody foresaw it says nothing."""
    message, hint = "the server failed; its log says how, under this request_id", None
    if isinstance(error, FeatureStoreError):
        message, hint = error.message, error.hint
    elif isinstance(error, UNREADABLE):
        message = str(error)
    return msgspec.json.encode(ProblemBody(Problem(kind_of(error), message, request_id, hint)))


def headers_of(error: Exception) -> list[tuple[bytes, bytes]]:
    """Return the headers that go with an error."""
    status = status_of(error)
    headers = [(b"content-type", b"application/json")]
    if isinstance(error, RefusedError):
        headers += error.headers
    if status == 503:  # noqa: PLR2004
        headers.append((b"retry-after", RETRY_AFTER.encode()))
    if status == 401:  # noqa: PLR2004
        headers.append((b"www-authenticate", b"Bearer"))
    return headers


def feast_body(error: Exception) -> bytes:
    """Write the answer as Feast's clients read it: text that names one of Feast's own errors."""
    message: Any = str(error) if isinstance(error, (FeatureStoreError, *UNREADABLE)) else "the server failed"
    kinds = {
        "feature service": "FeatureServiceNotFoundException",
        "feature view": "FeatureViewNotFoundException",
    }
    found = next(
        (name for start, name in kinds.items() if message.startswith(f"there is no {start} ")), "FeastError"
    )
    detail = {"module": "feast.errors", "class": found, "message": message}
    return msgspec.json.encode(msgspec.json.encode(detail).decode())
