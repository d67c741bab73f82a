"""What a running server follows: the file of API keys, and the release that is to be served."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from featurestore.errors import FeatureStoreError, StoreError
from featurestore.service.runtime.keys import Keys
from featurestore.service.telemetry.journal import log_line

if TYPE_CHECKING:
    from pathlib import Path


class LostKeys(Keys):
    """Keys that cannot be read. They admit nobody: one that was taken back must not go on working."""

    def __init__(self, fault: str) -> None:
        self.asked_for, self._fault = True, fault

    def of(self, secret: bytes) -> NoReturn:  # noqa: ARG002 - whatever it is
        """Refuse, for now.

        Raises
        ------
        StoreError
            Always.
        """
        raise StoreError(self._fault, hint="the server's owner has to restore them; try again", retry=True)


class KeyReload:
    """The keys as they stand; read again when their file changes.

    Attributes
    ----------
    fault
        Why they cannot be read; None: they can.

    Raises
    ------
    FeatureStoreError, OSError
        If they cannot be read at the start.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.fault: str | None = None
        self._seen = self._stamp()
        self._read = Keys(path)

    def now(self) -> Keys:
        """Return the keys that count now; what is wrong with them is logged once."""
        try:
            stamp = self._stamp()
            if stamp != self._seen or self.fault is not None:
                self._read = Keys(self._path, asked_for=self._read.asked_for)
                self._seen = stamp
        except Exception as error:  # noqa: BLE001 - whatever it is, the server goes on, and looks again
            fault = error.message if isinstance(error, FeatureStoreError) else f"{self._path}: {error}"
            if self.fault != fault:
                log_line({"event": "keys_unreadable", "error": fault})
            self.fault = fault
            return LostKeys("the API keys cannot be read, so nobody is admitted")
        if self.fault is not None:
            log_line({"event": "keys_readable"})
        self.fault = None
        return self._read

    def _stamp(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_ino


def may_pass(error: BaseException) -> bool:
    """Say whether what refused a release may pass by itself, so that it is tried again."""
    if isinstance(error, StoreError):
        return error.retry
    return isinstance(error, OSError) and not isinstance(error, FeatureStoreError)
