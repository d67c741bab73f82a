"""URLs of servers as messages show them: without secrets."""

from __future__ import annotations

import re


def without_secrets(url: str) -> str:
    """Return the scheme, host, port and path of a URL, without user name, password and query.

    A text that cannot be split safely, such as ``host=db password=secret``, is not shown.
    """
    scheme, separator, rest = url.partition("://")
    address, *query = re.split("[?#]", rest, maxsplit=1)
    if not separator or any("@" in part for part in query):
        return "the configured address"
    return f"{scheme}://{address.rpartition('@')[2]}"
