"""Makes the protocol of each new connection."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from featurestore.service.at_once import AtOnceProtocol
from featurestore.service.protocol import HEAD_SECONDS
from featurestore.service.runtime.connections import Connections
from featurestore.service.runtime.handshake import Handshake
from featurestore.service.runtime.late_bodies import LateBodies

if TYPE_CHECKING:
    import asyncio


class Door:
    """Makes the protocol of each new connection, with TLS or without.

    Parameters
    ----------
    limit
        How many connections a process may have.
    certificate, key
        PEM files of TLS. None: there is no TLS.
    """

    def __init__(self, limit: int, certificate: str | None = None, key: str | None = None) -> None:
        self._limit = limit
        self._certificate = certificate
        self._key = key
        # Each process has its own: worker processes get a copy of the door before it is used.
        self._connections: Connections | None = None
        self._late_bodies = LateBodies()
        self._context: ssl.SSLContext | None = None

    def __call__(self, **named: Any) -> asyncio.Protocol:
        """Return the protocol of a new connection; uvicorn gives the arguments."""
        if self._connections is None:
            self._connections = Connections(self._limit)
            if self._certificate is not None:
                self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                self._context.load_cert_chain(self._certificate, self._key)
        protocol = AtOnceProtocol(self._connections, self._late_bodies, **named)
        if self._context is None:
            return protocol
        return Handshake(protocol, self._context, self._connections, HEAD_SECONDS)
