"""Addresses of servers, and messages of their clients, as errors and logs show them: without passwords.

An address is a URL (``redis://:password@host/0``), or keywords (``host=db password='secret'``). What cannot be split
safely is not shown at all, because a client may quote any part of it.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, unquote_plus

HIDDEN = "the configured address"
MASK = "***"
# The replacement of a shorter password would garble the message, and show where the password is.
MIN_MASKED = 4
_HOST = r"(?:\[[^\[\]@\s]*\]|[^@:/?#\s\[\],]*)(?::\d*)?"
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?:(?P<user>[^@/?#\s]*)@)?"
    rf"(?P<place>{_HOST}(?:,{_HOST})*(?:/[^@?#\s]*)?)(?P<query>\?[^@#\s]*)?"
)
_KEYWORDS = re.compile(
    r"\s*(?:(?P<name>\w+)\s*=\s*(?P<value>'(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)+)(?:\s+|$))", re.DOTALL
)
_SECRET = re.compile(r"pass|pwd|secret|token|key|credential|auth", re.IGNORECASE)


def without_secrets(url: str) -> str:
    """Return the scheme, host, port and path of a URL, without user name, password and query.

    A text that cannot be split safely, such as ``host=db password=secret``, is not shown.
    """
    match = _URL.fullmatch(url)
    return HIDDEN if match is None else f"{match['scheme']}://{match['place']}"


def client_message(url: str, error: BaseException) -> str:
    """Return what a client says about a server, without the passwords of the address.

    The message is only the name of the error's class if the address cannot be split, a password is very short, or a part
    of it is left, as where the client quotes it with other escapes.
    """
    secrets = _secrets(url)
    if secrets is None or any(len(secret) < MIN_MASKED for secret in secrets):
        return type(error).__name__
    message = str(error).strip()
    for secret in sorted(secrets, key=len, reverse=True):
        message = message.replace(secret, MASK)
    parts = {
        secret[start : start + MIN_MASKED]
        for secret in secrets
        for start in range(len(secret) - MIN_MASKED + 1)
    }
    return type(error).__name__ if any(part in message for part in parts) else message


def _secrets(url: str) -> set[str] | None:
    """Return the passwords of an address, as they are written and as they are read; None: it cannot be split."""
    match = _URL.fullmatch(url)
    if match is not None:
        written = {match["user"].partition(":")[2]} if match["user"] else set()
        for pair in (match["query"] or "?")[1:].split("&"):
            name, _, value = pair.partition("=")
            if _SECRET.search(unquote_plus(name)):
                written.add(value)
        return {
            text for secret in written for text in (secret, unquote(secret), unquote_plus(secret)) if text
        }
    keywords = _keywords(url)
    if keywords is None:
        return None
    written = {value for name, value in keywords if _SECRET.search(name)}
    return {text for value in written for text in (value, _read(value)) if text}


def _keywords(text: str) -> list[tuple[str, str]] | None:
    position, pairs = 0, []
    while position < len(text):
        match = _KEYWORDS.match(text, position)
        if match is None:
            return None
        pairs.append((match["name"], match["value"]))
        position = match.end()
    return pairs


def _read(value: str) -> str:
    """Return the value of a keyword as a client reads it: without quotes and escapes."""
    inner = value[1:-1] if value.startswith("'") else value
    return re.sub(r"\\(.)", r"\1", inner, flags=re.DOTALL)
