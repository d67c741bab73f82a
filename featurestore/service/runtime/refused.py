"""The error that answers a request with a status of its own."""

from __future__ import annotations

from featurestore.errors import FeatureStoreError


class RefusedError(FeatureStoreError):
    """The server refuses a request: its size, key, rate, method or path is not acceptable.

    Attributes
    ----------
    status
        HTTP status of the answer.
    kind
        Name of the error in the body of the answer, such as ``"Forbidden"``.
    headers
        Additional headers of the answer.
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
        self.status = status
        self.kind = kind
        self.headers = headers
