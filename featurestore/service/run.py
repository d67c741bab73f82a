"""Running the server: processes, sockets, TLS."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import uvicorn
from uvicorn.supervisors import Multiprocess

from featurestore.config import load_settings
from featurestore.errors import ConfigError
from featurestore.service.app import create_app, settle
from featurestore.service.runtime.keys import Keys
from featurestore.service.runtime.local import is_loopback
from featurestore.service.runtime.protocol import PatientProtocol
from featurestore.service.telemetry.journal import log_line
from featurestore.service.telemetry.metrics import SHARED
from featurestore.service.telemetry.server_log import LOGGING
from featurestore.storage.layout import Layout

if TYPE_CHECKING:
    from featurestore.service.runtime.options import Options

GRACE = 10
WORKER = "featurestore.service.app:create_worker"


def serve(options: Options) -> None:
    """Serve until told to stop (SIGINT, SIGTERM); requests at work are answered first.

    Raises
    ------
    FeatureStoreError
        If what is to be served does not belong together, or the socket would be open to everyone.
    ConfigError
        If the address cannot be listened on, or the certificate cannot be used.
    """
    _refuse_open(options)
    _refuse_certificate(options)
    # Whatever is wrong is said here, once, and not by each worker.
    app = create_app(options)
    sockets = listen(options.host, options.port)
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
        with suppress(KeyboardInterrupt):
            uvicorn.Server(uvicorn.Config(app, **settings(options))).run(sockets)
        return
    options.to_environment()
    with tempfile.TemporaryDirectory(prefix="featurestore-metrics-") as folder:
        os.environ[SHARED] = folder
        config = uvicorn.Config(WORKER, factory=True, workers=options.workers, **settings(options))
        Multiprocess(config, sockets).run()


def settings(options: Options) -> dict[str, Any]:
    """Return what uvicorn is told."""
    return {
        "http": PatientProtocol,
        "ws": "none",
        "access_log": False,
        "log_config": LOGGING,
        "log_level": "warning",
        "server_header": False,
        "timeout_graceful_shutdown": GRACE,
        # Beyond what is at work, connections that are idle.
        "limit_concurrency": options.concurrency * 8,
        "ssl_certfile": options.tls_certificate,
        "ssl_keyfile": options.tls_key,
    }


def listen(host: str, port: int) -> list[socket.socket]:
    """Listen on all addresses of a host: ``localhost`` has two.

    Raises
    ------
    ConfigError
        If one of them is taken, or there is none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise _unusable(host, port, error) from error
    sockets: list[socket.socket] = []
    absent: OSError | None = None
    for family, _, _, _, address in dict.fromkeys(found):
        try:
            sockets.append(socket.create_server(address, family=family))
        except OSError as error:
            # A name may have addresses of a kind that this machine does not speak.
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise _unusable(host, port, error) from error
            absent = error
    if absent is not None and not sockets:
        raise _unusable(host, port, absent)
    for bound in sockets:
        bound.set_inheritable(True)
    return sockets


def _unusable(host: str, port: int, error: OSError) -> ConfigError:
    return ConfigError(
        f"{host}:{port} cannot be listened on: {error.strerror or error}",
        hint="end what listens there, or choose another --port or --host",
    )


def _refuse_open(options: Options) -> None:
    keys = Keys(Layout(load_settings(Path(options.root)).data).keys)
    if not keys.asked_for and not options.allow_anonymous and not is_loopback(options.host):
        raise ConfigError(
            f"{options.host}: other machines could read and write everything: there are no API keys",
            hint="run: featurestore key add NAME, or serve with --keyless behind a proxy of your own",
        )


def _refuse_certificate(options: Options) -> None:
    certificate, key = options.tls_certificate, options.tls_key
    if (certificate is None) != (key is None):
        raise ConfigError("TLS needs a certificate and its key", hint="give --tls-certificate and --tls-key")
    if certificate is None:
        return
    for path in (certificate, key):
        if path is not None and not Path(path).is_file():
            raise ConfigError(f"{path}: not found", hint="name a PEM file")

    def refuse_encrypted() -> NoReturn:
        raise ConfigError(f"{key}: the key is encrypted", hint="decrypt it: openssl pkey -in KEY -out PLAIN")

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=refuse_encrypted)
    except OSError as error:
        raise ConfigError(
            f"{certificate}, {key}: no certificate with its key: {error}",
            hint="name two PEM files that belong together: the certificate and its private key",
        ) from error
