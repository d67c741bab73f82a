"""A server without API keys answers this machine only: no other machine, and no web page of another site."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from featurestore.service.runtime.refused import RefusedError


def is_loopback(host: str) -> bool:
    """Return whether an address or name is a loopback address of this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_pages(headers: dict[bytes, bytes]) -> None:
    """Refuse requests that a browser sends for a page of another site.

    Such a request names the other site as its origin, or uses a name of the other site as its host.

    Raises
    ------
    RefusedError
        If the host is not this machine, or the origin is not this server.
    """
    host = headers.get(b"host")
    origin = headers.get(b"origin")
    if host is not None and not _is_here(host):
        raise RefusedError(
            403,
            "Forbidden",
            f"the server has no API keys, so it answers only localhost, not {host.decode(errors='replace')!r}",
            hint="send Host: localhost; or add a key, or run serve --allow-anonymous behind your own proxy",
        )
    if origin is not None and origin.partition(b"://")[2] != host:
        raise RefusedError(
            403,
            "Forbidden",
            "the server has no API keys, so it answers no page of another site: "
            f"{origin.decode(errors='replace')!r}",
            hint="add a key: featurestore key add NAME",
        )


@lru_cache(maxsize=256)
def _is_here(host: bytes) -> bool:
    name = host.decode("ascii", errors="replace").lower()
    name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    return is_loopback(name)
