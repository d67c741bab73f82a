"""API keys: each permits scopes and feature services. Only the digests of keys are stored."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

import msgspec

from featurestore.errors import ConfigError, StoreError, UnknownNameError
from featurestore.service.runtime.key_scope import KeyScope
from featurestore.storage.durable import keep_name
from featurestore.storage.files import atomic_write, translated_write_errors
from featurestore.storage.lock import locked

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = "fs_"


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of an API key.

    Attributes
    ----------
    digest
        SHA-256 of the key, in hexadecimal. A key has 256 random bits, so its digest does not help to guess it.
    scopes
        What the key permits.
    services
        Feature services that the key may read. Empty: all services, single features and datasets.
    """

    name: str
    digest: str
    scopes: tuple[KeyScope, ...]
    services: tuple[str, ...] = ()


class Keys:
    """The API keys of a project, by digest.

    Parameters
    ----------
    required
        True: the server had keys before, so their file must exist.

    Attributes
    ----------
    required
        True if there is a file of keys. After the last key is removed, no caller is admitted.

    Raises
    ------
    StoreError
        If the file cannot be read, or is missing although keys are required.
    """

    def __init__(self, path: Path, *, required: bool = False) -> None:
        self.required = is_present(path)
        if required and not self.required:
            raise StoreError(
                f"{path}: not found; expected API keys, because the server had some before",
                hint="restore the file; or add a key: featurestore key add NAME",
            )
        self._keys = {key.digest: key for key in read_keys(path)}

    def owner_of(self, secret: bytes) -> ApiKey | None:
        """Return the API key with this secret, or None."""
        return self._keys.get(hashlib.sha256(secret).hexdigest())


class OneKey(Keys):
    """One new API key for callers in this process. It is not stored.

    Attributes
    ----------
    secret
        The key.
    """

    def __init__(self, scopes: tuple[KeyScope, ...]) -> None:
        self.required = True
        self.secret = PREFIX + secrets.token_urlsafe(32)
        digest = hashlib.sha256(self.secret.encode()).hexdigest()
        self._keys = {digest: ApiKey(name="in-process", digest=digest, scopes=scopes)}


def read_keys(path: Path) -> tuple[ApiKey, ...]:
    """Read all API keys. A missing file holds no keys.

    Raises
    ------
    StoreError
        If the file cannot be read.
    """
    if not is_present(path):
        return ()
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[ApiKey, ...])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreError(
            f"{path}: API keys cannot be read: {error}",
            hint="restore the file; or remove it and add the keys again with: featurestore key add NAME",
        ) from error


def add_key(path: Path, name: str, *, scopes: tuple[KeyScope, ...], services: tuple[str, ...] = ()) -> str:
    """Make an API key and store its digest.

    Returns
    -------
    str
        The secret. It is not stored and cannot be shown again.

    Raises
    ------
    ConfigError
        If a key has the name already.
    StoreError
        If the file of keys cannot be read or written.
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
    """Remove an API key. Running servers refuse it within a second.

    Raises
    ------
    UnknownNameError
        If no key has the name.
    StoreError
        If the file of keys cannot be read or written.
    """
    with locked(path.with_suffix(".lock")):
        keys = read_keys(path)
        if all(key.name != name for key in keys):
            # The removal may be of a process that was killed before it synced: who hears that there is no key relies on it.
            if is_present(path):
                with translated_write_errors(path):
                    keep_name(path)
            raise UnknownNameError("API key", name, [key.name for key in keys])
        _write(path, tuple(key for key in keys if key.name != name))


def is_present(path: Path) -> bool:
    """Return whether a path may exist. A link to a missing file exists, and so does what cannot be read."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def _write(path: Path, keys: tuple[ApiKey, ...]) -> None:
    with atomic_write(path) as partial:
        partial.chmod(0o600)
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(keys), indent=2) + b"\n")
