"""The sockets of a server, and its URL."""

from __future__ import annotations

import errno
import socket

from featurestore.errors import ConfigError

MAX_PORT = 65_535
# Ports that browsers refuse to open: https://fetch.spec.whatwg.org/#port-blocking.
# fmt: off
REFUSED_BY_BROWSERS = frozenset({
    1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103,
    104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513,
    514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719,
    1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679,
    6697, 10_080,
})
# fmt: on


def listen(host: str, port: int) -> list[socket.socket]:
    """Listen on all addresses of a host: ``localhost`` has two. Port 0 takes a free port, the same for all of them.

    Raises
    ------
    ConfigError
        If there is no such port, an address is in use, or the host has no address on this machine.
    """
    # The system would listen on the port modulo 65,536.
    if not 0 <= port <= MAX_PORT:
        raise ConfigError(
            f"--port is {port}; expected a number from 0 to {MAX_PORT}", hint="example: --port 8566"
        )
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise _unusable(host, port, error) from error
    sockets: list[socket.socket] = []
    unsupported: OSError | None = None
    for family, _, _, _, address in dict.fromkeys(addresses):
        ip, _, *scope = address
        try:
            sockets.append(
                socket.create_server((ip, port_of(sockets) if sockets else port, *scope), family=family)
            )
        except OSError as error:
            # A host may have addresses of a family that this machine does not support.
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise _unusable(host, port, error) from error
            unsupported = error
    if unsupported is not None and not sockets:
        raise _unusable(host, port, unsupported)
    for bound in sockets:
        bound.set_inheritable(True)
    return sockets


def port_of(sockets: list[socket.socket]) -> int:
    """Return the port on which sockets listen."""
    port: int = sockets[0].getsockname()[1]
    return port


def url_of(host: str, port: int, *, tls: bool) -> str:
    """Return the URL of the server's documentation. An IPv6 address is in brackets."""
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}/docs"


def _unusable(host: str, port: int, error: OSError) -> ConfigError:
    return ConfigError(
        f"the server cannot listen on {host}:{port}: {error.strerror or error}",
        hint="stop the process that listens there, or choose another --port or --host",
    )
