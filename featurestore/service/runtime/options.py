"""How a server is run."""

from __future__ import annotations

import os
from enum import StrEnum

import msgspec

VARIABLE = "FEATURESTORE_SERVE"


class KeyScope(StrEnum):
    """What an API key is for: to look up vectors and what is known of datasets, to push rows, to have rows judged."""

    READ = "read"
    WRITE = "write"
    VALIDATE = "validate"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What `featurestore serve` was told.

    Attributes
    ----------
    root
        The project's folder.
    services
        Feature services to serve; empty: all of them.
    max_rows, max_bytes
        In one request.
    timeout
        Seconds that a request may take, from its head to its answer.
    max_upload
        Bytes of data that are sent to be judged.
    upload_timeout
        Seconds that such a request may take; something of its body has to come within each `timeout`.
    concurrency
        Requests at work at once, waiting ones included; more are sent away with 503.
    threads
        Lookups in a remote store, and writes, at once.
    remember
        Keys whose last known rows answer, marked stale, while the store does not; 0: none.
    log_features
        Share of the answers that go to the served-feature log, 0 to 1.
    keyless
        True: whoever asks is answered although there are no API keys; a proxy stands before, and decides.
    log_keys
        True: log lines name the entity keys.
    """

    root: str
    services: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 6566
    workers: int = 1
    max_rows: int = 1_000
    max_bytes: int = 1 << 20
    timeout: float = 5.0
    max_upload: int = 256 << 20
    upload_timeout: float = 300.0
    concurrency: int = 256
    threads: int = 16
    stale_cache_keys: int = 0
    log_features: float = 0.0
    log_keys: bool = False
    log_requests: bool = True
    allow_anonymous: bool = False
    tls_certificate: str | None = None
    tls_key: str | None = None

    def to_environment(self) -> None:
        """Leave the options to worker processes."""
        os.environ[VARIABLE] = msgspec.json.encode(self).decode()

    @classmethod
    def from_environment(cls) -> Options:
        """Find the options in a worker process."""
        return msgspec.json.decode(os.environ[VARIABLE], type=cls)
