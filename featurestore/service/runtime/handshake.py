"""The TLS handshake of a connection: limited in time, and counted as a connection before it ends.

It needs asyncio's own event loop, where a transport that is paused in `connection_made` reads nothing.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import ssl

    from featurestore.service.runtime.connections import Connections

# The other side may never confirm that a connection is closed.
CLOSE_SECONDS = 2.0


class Handshake(asyncio.Protocol):
    """Shakes hands on a new connection, and gives the encrypted connection to a protocol.

    Parameters
    ----------
    protocol
        Gets the connection after the handshake.
    seconds
        Time limit of the handshake.
    """

    def __init__(
        self, protocol: asyncio.Protocol, context: ssl.SSLContext, connections: Connections, seconds: float
    ) -> None:
        self._protocol = protocol
        self._context = context
        self._connections = connections
        self._seconds = seconds
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        # What arrives encrypted before the task goes on.
        self._early = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the handshake."""
        self._transport = cast("asyncio.Transport", transport)
        # Bytes that arrive now belong to the handshake.
        self._transport.pause_reading()
        self._connections.opened(self)
        self._task = asyncio.get_running_loop().create_task(self._shake_hands(self._transport))

    def data_received(self, data: bytes) -> None:
        """Keep the first decrypted bytes for the protocol."""
        self._early += data

    def abort(self) -> None:
        """Close the connection at once."""
        if self._task is not None and self._transport is not None:
            self._task.cancel()
            # A task that is cancelled before it begins closes nothing.
            self._transport.abort()

    async def _shake_hands(self, transport: asyncio.Transport) -> None:
        encrypted = None
        try:
            # Callers that speak no TLS, leave or are late are OSErrors.
            with suppress(OSError):
                encrypted = await asyncio.get_running_loop().start_tls(
                    transport,
                    self,
                    self._context,
                    server_side=True,
                    ssl_handshake_timeout=self._seconds,
                    ssl_shutdown_timeout=CLOSE_SECONDS,
                )
        finally:
            self._connections.closed(self)
            if encrypted is None:
                transport.abort()
        if encrypted is None or encrypted.is_closing():
            return
        encrypted.set_protocol(self._protocol)
        self._protocol.connection_made(encrypted)
        if self._early:
            self._protocol.data_received(bytes(self._early))
