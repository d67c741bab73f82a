"""A server without keys answers this machine alone: neither others, nor the web pages that this machine shows."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from featurestore.service.api.problems import RefusedError


def is_loopback(host: str) -> bool:
    """Say whether an address or name is this machine's for itself."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_pages(headers: dict[bytes, bytes]) -> None:
    """Refuse what a page of another site has sent: a browser names the site, or asks for it under its own name.

    Raises
    ------
    RefusedError
        If the origin is not this server, or the host is not this machine.
    """
    host, origin = headers.get(b"host"), headers.get(b"origin")
    if host is not None and not _is_here(host):
        raise RefusedError(
            403,
            "Forbidden",
            f"without API keys this machine alone is answered, and not {host.decode(errors='replace')!r}",
            hint="ask for localhost; or add a key, or serve with --keyless behind a proxy of your own",
        )
    if origin is not None and origin.partition(b"://")[2] != host:
        raise RefusedError(
            403,
            "Forbidden",
            f"without API keys no page of another site is answered: {origin.decode(errors='replace')!r}",
            hint="add a key: featurestore key add NAME",
        )


@lru_cache(maxsize=256)
def _is_here(host: bytes) -> bool:
    name = host.decode("ascii", errors="replace").lower()
    name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
    return is_loopback(name)
