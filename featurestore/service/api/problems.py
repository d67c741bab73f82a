"""Errors as answers: each error has a status, and a body that says what is wrong and what to do."""

from __future__ import annotations

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
from featurestore.quality.gate.refused_rows import RefusedRowsError
from featurestore.service.runtime.refused import RefusedError
from featurestore.values.names import without_field_names

RETRY_AFTER = "1"  # seconds
UNAUTHORIZED = 401
INTERNAL_ERROR = 500
UNAVAILABLE = 503
# The first match counts. 4xx: the request is wrong. 5xx: the server failed, and 503 may pass.
STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (UnknownNameError, 404),
    (msgspec.ValidationError, 422),
    (msgspec.DecodeError, 400),
    (UnicodeDecodeError, 400),
    (ContractError, 422),
    (MissingDataError, UNAVAILABLE),
    (SkewError, UNAVAILABLE),
    (DefinitionError, 422),
)
# Errors of decoders: the body is not the expected JSON.
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError)
# Feast's exception for an unknown name, by the kind of the name.
FEAST_ERRORS = {
    "feature service": "FeatureServiceNotFoundException",
    "feature view": "FeatureViewNotFoundException",
}
FEAST_ERROR = "FeastError"


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with a request, or with the server.

    Attributes
    ----------
    kind
        Name of the error, such as ``"ContractError"`` or ``"TooLarge"``.
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


def status_of(error: Exception) -> int:
    """Return the status of the answer to an error."""
    if isinstance(error, RefusedError):
        return error.status
    if isinstance(error, StoreError):
        return UNAVAILABLE if error.retry else INTERNAL_ERROR
    return next((status for kind, status in STATUSES if isinstance(error, kind)), INTERNAL_ERROR)


def kind_of(error: Exception) -> str:
    """Return the kind of an error, as the answer gives it."""
    if isinstance(error, RefusedError):
        return error.kind
    if isinstance(error, UNREADABLE):
        return "InvalidRequest"
    return type(error).__name__ if isinstance(error, FeatureStoreError) else "InternalError"


def body_of(error: Exception, request_id: str) -> bytes:
    """Return the body of the answer to an error. It reveals nothing about an unexpected error."""
    message = "the server failed; its log has the reason under this request_id"
    hint = None
    if isinstance(error, FeatureStoreError):
        message = error.message
        hint = error.hint
    elif isinstance(error, UNREADABLE):
        message = without_field_names(str(error))
    return msgspec.json.encode(ProblemBody(Problem(kind_of(error), message, request_id, hint)))


def headers_of(error: Exception) -> list[tuple[bytes, bytes]]:
    """Return the headers of the answer to an error."""
    status = status_of(error)
    headers = [(b"content-type", b"application/json")]
    if isinstance(error, RefusedError):
        headers += error.headers
    if status == UNAVAILABLE:
        headers.append((b"retry-after", RETRY_AFTER.encode()))
    if status == UNAUTHORIZED:
        headers.append((b"www-authenticate", b"Bearer"))
    return headers


def feast_body(error: Exception) -> bytes:
    """Return the body of the answer as Feast's clients read it: text that names an exception of Feast.

    Of rows that are refused, the text has the numbers too, as ``rows``.
    """
    known = isinstance(error, (FeatureStoreError, *UNREADABLE))
    name = FEAST_ERRORS.get(error.kind, FEAST_ERROR) if isinstance(error, UnknownNameError) else FEAST_ERROR
    rows = {"rows": error.refused_rows} if isinstance(error, RefusedRowsError) else {}
    detail = {
        "module": "feast.errors",
        "class": name,
        "message": without_field_names(str(error)) if known else "the server failed",
        **rows,
    }
    return msgspec.json.encode(msgspec.json.encode(detail).decode())
