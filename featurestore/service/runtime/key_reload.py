"""API keys of a running server: their file is read again when it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from featurestore.errors import FeatureStoreError, StoreError
from featurestore.service.runtime.keys import Keys
from featurestore.service.runtime.log import log_line

if TYPE_CHECKING:
    from pathlib import Path


class UnreadableKeys(Keys):
    """Keys whose file cannot be read. They admit no caller, because one of them may have been removed."""

    def __init__(self, fault: str) -> None:
        self.required = True
        self._fault = fault

    def owner_of(self, secret: bytes) -> NoReturn:  # noqa: ARG002 - no secret is admitted
        """Refuse every caller.

        Raises
        ------
        StoreError
            Always. The caller may retry.
        """
        raise StoreError(
            self._fault, hint="ask the server's owner to restore the file of keys, then try again", retry=True
        )


class KeyReload:
    """Reads the API keys again when their file changes.

    Once keys are required, they stay required: a file that is missing or cannot be read admits nobody until it is back.

    Parameters
    ----------
    required
        True: the server had keys when it was started. A worker process that starts later then starts without their
        file, and refuses every caller.

    Attributes
    ----------
    fault
        Why the file cannot be read. None: it can be read.

    Raises
    ------
    StoreError
        If the file cannot be read at the start of a server.
    """

    def __init__(self, path: Path, *, required: bool = False) -> None:
        self._path = path
        self.fault: str | None = None
        self._stamp_read: tuple[int, ...] | None = None
        self._required = required
        self._keys: Keys | None = None
        if not required:
            self._read()

    def current(self) -> Keys:
        """Return the keys that are valid now. A file that cannot be read is logged once."""
        try:
            keys = self._read()
        except Exception as error:  # noqa: BLE001 - the server stays up after any error, and reads the file again
            self._keys = None
            fault = error.message if isinstance(error, FeatureStoreError) else f"{self._path}: {error}"
            if self.fault != fault:
                log_line({"event": "keys_unreadable", "error": fault})
            self.fault = fault
            return UnreadableKeys("the API keys cannot be read, so no caller is admitted")
        if self.fault is not None:
            log_line({"event": "keys_readable"})
        self.fault = None
        return keys

    def _read(self) -> Keys:
        """Return the keys in the file; it is read only if it has changed, or could not be read before."""
        stamp = self._stamp()
        if self._keys is None or stamp != self._stamp_read:
            self._keys = None
            keys = Keys(self._path, required=self._required)
            self._required = keys.required
            self._keys, self._stamp_read = keys, stamp
        return self._keys

    def _stamp(self) -> tuple[int, ...] | None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        except OSError:
            # This differs from every stamp, so the file is read, which says what is wrong.
            return ()
        return status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size
