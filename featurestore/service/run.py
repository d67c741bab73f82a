"""Runs the server: processes, sockets, TLS."""

from __future__ import annotations

import gc
import os
import ssl
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
import uvicorn

from featurestore.config import load_settings
from featurestore.errors import ConfigError, FeatureStoreError
from featurestore.service.app import create_app
from featurestore.service.door import Door
from featurestore.service.runtime.addresses import REFUSED_BY_BROWSERS, listen, port_of, url_of
from featurestore.service.runtime.keys import Keys, is_present
from featurestore.service.runtime.local import is_loopback
from featurestore.service.runtime.log import log_line
from featurestore.service.runtime.options import Options
from featurestore.service.runtime.processes import Parent, end_with_parent, run_alone
from featurestore.service.telemetry.metrics import SHARED
from featurestore.service.telemetry.server_log import LOGGING
from featurestore.storage.layout import Layout

if TYPE_CHECKING:
    from socket import socket

    from featurestore.service.guard import Guard

GRACE_SECONDS = 10
CONNECTIONS_PER_REQUEST = 8
WORKER = "featurestore.service.run:create_worker"


def serve(options: Options) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP. Requests in progress are answered first.

    Raises
    ------
    FeatureStoreError
        If the definitions, training sets and online store do not belong together.
    ConfigError
        If other machines could send requests without a key, the server cannot listen on the address, or the certificate cannot
        be used.
    """
    keys_required = _require_keys(options)
    _require_certificate(options)
    # A port in use is an error before anything else starts. The application and each worker know the port.
    sockets = listen(options.host, options.port)
    try:
        options = msgspec.structs.replace(options, port=port_of(sockets), keys_required=keys_required)
        _serve(options, sockets)
    finally:
        for bound in sockets:
            bound.close()


def _serve(options: Options, sockets: list[socket]) -> None:
    # The parent process reports what is wrong once; otherwise each worker would.
    app = create_app(options)
    line = {
        "event": "serving",
        "release": app.state.active_release.name,
        "services": list(app.state.active_release.endpoints),
        "url": url_of(options.host, options.port, tls=options.tls_key is not None),
    }
    if options.port in REFUSED_BY_BROWSERS:
        line["warning"] = f"browsers refuse port {options.port}; to open /docs, choose another --port"
    log_line(line)
    if options.workers == 1:
        freeze_memory()
        with suppress(KeyboardInterrupt):
            run_alone(uvicorn.Config(app, **settings(options)), sockets)
        return
    options.to_environment()
    keys = app.state.layout.keys

    def tell_workers() -> None:
        if is_present(keys):
            msgspec.structs.replace(options, keys_required=True).to_environment()

    with tempfile.TemporaryDirectory(prefix="featurestore-metrics-") as folder:
        os.environ[SHARED] = folder
        config = uvicorn.Config(WORKER, factory=True, workers=options.workers, **settings(options))
        Parent(config, sockets, tell_workers).run()


def settings(options: Options) -> dict[str, Any]:
    """Return the settings of uvicorn."""
    return {
        # Requests in progress, and idle connections.
        "http": Door(options.concurrency * CONNECTIONS_PER_REQUEST, options.tls_certificate, options.tls_key),
        # uvloop reads the first bytes of a connection before `Handshake` can start TLS on it.
        "loop": "auto" if options.tls_certificate is None else "asyncio",
        "ws": "none",
        "access_log": False,
        # Nothing that it changes is used.
        "proxy_headers": False,
        "log_config": LOGGING,
        "log_level": "warning",
        "server_header": False,
        "timeout_graceful_shutdown": GRACE_SECONDS,
    }


def create_worker() -> Guard:
    """Make the application of a worker process.

    Raises
    ------
    SystemExit
        If the worker cannot start; its log line says why. The parent process starts another worker.
    """
    end_with_parent()
    try:
        app = create_app(Options.from_environment())
    except FeatureStoreError as error:
        log_line({"event": "worker_failed", "error": str(error)})
        # uvicorn would end the other workers too at exit code 3.
        raise SystemExit(1) from error
    freeze_memory()
    return app


def freeze_memory() -> None:
    """Exclude the loaded objects from garbage collection, which would delay requests by tens of milliseconds."""
    gc.collect()
    gc.freeze()


def _require_keys(options: Options) -> bool:
    """Return whether callers need an API key."""
    keys = Keys(Layout(load_settings(Path(options.root)).data).keys)
    if not keys.required and not options.allow_anonymous and not is_loopback(options.host):
        raise ConfigError(
            f"{options.host}: other machines could read and write everything, because there are no API keys",
            hint="run: featurestore key add NAME; or serve --allow-anonymous behind your own proxy",
        )
    return keys.required


def _require_certificate(options: Options) -> None:
    certificate, key = options.tls_certificate, options.tls_key
    if (certificate is None) != (key is None):
        raise ConfigError(
            "TLS needs a certificate and its key", hint="pass both --tls-certificate and --tls-key"
        )
    if certificate is None:
        return
    for path in (certificate, key):
        if path is not None and not Path(path).is_file():
            raise ConfigError(f"{path}: not found", hint="pass the path of a PEM file")

    def refuse_encrypted() -> NoReturn:
        raise ConfigError(f"{key}: the key is encrypted", hint="decrypt it: openssl pkey -in KEY -out PLAIN")

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=refuse_encrypted)
    except OSError as error:
        raise ConfigError(
            f"{certificate}, {key}: these files are not a certificate and its key: {error}",
            hint="pass two PEM files that belong together: the certificate and its private key",
        ) from error
