"""API keys: who may ask for what. Only digests of keys are kept."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

import msgspec

from featurestore.errors import ConfigError, StoreError, UnknownNameError
from featurestore.service.runtime.options import KeyScope
from featurestore.storage.files import atomic_write
from featurestore.storage.lock import locked

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = "fs_"


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a key.

    Attributes
    ----------
    digest
        SHA-256 of the key, in hexadecimal. Keys have 256 random bits, so there is nothing to guess from it.
    scopes
        ``"read"``: look up vectors, and what is known of datasets; ``"write"``: push rows; ``"validate"``: have rows
        judged.
    services
        Feature services that may be read; empty: all of them, and features asked for one by one.
    """

    name: str
    digest: str
    scopes: tuple[KeyScope, ...]
    services: tuple[str, ...] = ()


class Keys:
    """The keys of a project, by digest.

    Attributes
    ----------
    asked_for
        True once a project has ever had a key: when the last is removed nobody may ask, and not everybody.
    """

    def __init__(self, path: Path, *, asked_for: bool = False) -> None:
        self.asked_for = asked_for or path.exists()
        self._keys = {key.digest: key for key in read_keys(path)}

    def of(self, secret: bytes) -> ApiKey | None:
        """Find whose key it is."""
        return self._keys.get(hashlib.sha256(secret).hexdigest())


def read_keys(path: Path) -> tuple[ApiKey, ...]:
    """Read all keys; a file that cannot be read is an error, never "no keys".

    Raises
    ------
    StoreError
        If the file cannot be read.
    """
    if not path.exists():
        return ()
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[ApiKey, ...])
    except (OSError, msgspec.DecodeError) as error:
        raise StoreError(
            f"{path}: API keys cannot be read: {error}", hint="restore it, or remove it and add the keys anew"
        ) from error


def add_key(path: Path, name: str, *, scopes: tuple[KeyScope, ...], services: tuple[str, ...] = ()) -> str:
    """Make a key and keep its digest; returns the key, which is shown never again.

    Raises
    ------
    ConfigError
        If the name is taken.
    """
    secret = PREFIX + secrets.token_urlsafe(32)
    digest = hashlib.sha256(secret.encode()).hexdigest()
    with locked(path.with_suffix(".lock")):
        keys = read_keys(path)
        if any(key.name == name for key in keys):
            raise ConfigError(
                f"there is an API key named {name!r} already", hint=f"run: featurestore key remove {name}"
            )
        _write(path, (*keys, ApiKey(name=name, digest=digest, scopes=scopes, services=services)))
    return secret


def remove_key(path: Path, name: str) -> None:
    """Forget a key; servers follow within a second.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    """
    with locked(path.with_suffix(".lock")):
        keys = read_keys(path)
        if all(key.name != name for key in keys):
            raise UnknownNameError("API key", name, [key.name for key in keys])
        _write(path, tuple(key for key in keys if key.name != name))


def _write(path: Path, keys: tuple[ApiKey, ...]) -> None:
    with atomic_write(path) as partial:
        partial.touch(mode=0o600)
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(keys), indent=2) + b"\n")
