"""Running the server: processes, sockets, TLS."""

from __future__ import annotations

import ipaddress
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from featurestore.config import load_settings
from featurestore.errors import ConfigError
from featurestore.service.app import create_app, settle
from featurestore.service.journal import log_line
from featurestore.service.keys import Keys
from featurestore.service.metrics import SHARED
from featurestore.storage.layout import Layout

if TYPE_CHECKING:
    import asyncio

    from featurestore.service.options import Options

GRACE = 10
HEAD_SECONDS = 10.0


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, which waits for a request's head for a while and not for ever."""

    _late: asyncio.TimerHandle | None = None
    _in_head = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._late = self.loop.call_later(HEAD_SECONDS, transport.close)

    def data_received(self, data: bytes) -> None:
        """Begin to wait for the rest of a head, if it has not come whole."""
        super().data_received(data)
        if self._in_head and self._late is None:
            self._late = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def on_message_begin(self) -> None:
        """Note that a head has begun."""
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        """Wait no more: the body has its own limit."""
        self._in_head = False
        if self._late is not None:
            self._wait_no_more()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more: nobody is there."""
        self._wait_no_more()
        super().connection_lost(exc)

    def _wait_no_more(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


def serve(options: Options, *, keyless: bool = False) -> None:
    """Serve until told to stop (SIGINT, SIGTERM); requests at work are answered first.

    Parameters
    ----------
    keyless
        True: answer other machines although there are no API keys.

    Raises
    ------
    FeatureStoreError
        If what is to be served does not belong together, or the socket would be open to everyone.
    """
    _refuse_open(options, keyless=keyless)
    settings: dict[str, Any] = {
        "host": options.host,
        "port": options.port,
        "http": PatientProtocol,
        "ws": "none",
        "access_log": False,
        "log_level": "warning",
        "server_header": False,
        "timeout_graceful_shutdown": GRACE,
        # Beyond what is at work, connections that are idle.
        "limit_concurrency": options.concurrency * 8,
        "ssl_certfile": options.tls_certificate,
        "ssl_keyfile": options.tls_key,
    }
    # Whatever is wrong is said here, once, and not by each worker.
    app = create_app(options)
    log_line(
        {
            "event": "serving",
            "release": app.state.serving.release,
            "services": list(app.state.serving.endpoints),
            "url": f"{'http' if options.tls_key is None else 'https'}://{options.host}:{options.port}/docs",
        }
    )
    if options.workers == 1:
        settle()
        uvicorn.run(app, **settings)
        return
    options.to_environment()
    with tempfile.TemporaryDirectory(prefix="featurestore-metrics-") as folder:
        os.environ[SHARED] = folder
        worker = "featurestore.service.app:create_worker"
        uvicorn.run(worker, factory=True, workers=options.workers, **settings)


def _refuse_open(options: Options, *, keyless: bool) -> None:
    if (options.tls_certificate is None) != (options.tls_key is None):
        raise ConfigError("TLS needs a certificate and its key", hint="give --tls-certificate and --tls-key")
    for path in (options.tls_certificate, options.tls_key):
        if path is not None and not Path(path).is_file():
            raise ConfigError(f"{path}: not found", hint="name a PEM file")
    keys = Keys(Layout(load_settings(Path(options.root)).data).keys)
    if not keys.asked_for and not keyless and not _is_loopback(options.host):
        raise ConfigError(
            f"{options.host}: other machines could read and write everything: there are no API keys",
            hint="run: featurestore key add NAME, or serve with --keyless behind a proxy of your own",
        )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
