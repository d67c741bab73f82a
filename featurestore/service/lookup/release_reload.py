"""Release reload: a running server loads each new release, and keeps the active one while a new one is refused."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from featurestore.errors import FeatureStoreError, StoreError
from featurestore.service.lookup.active_release import ActiveRelease
from featurestore.service.runtime.log import log_line
from featurestore.storage.served_columns import WORKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from featurestore.project import Project
    from featurestore.service.runtime.options import Options

MIN_PAUSE = 0.5  # seconds
MAX_PAUSE = 10.0  # seconds


class ReleaseReload:
    """The active release of a running server.

    Parameters
    ----------
    project
        The project that the releases belong to.
    active
        The release that answers first.
    count
        Called with ``"done"`` after a release was loaded, and with ``"refused"`` after one was refused.

    Attributes
    ----------
    active
        The release that answers requests.
    fault
        Why the current release was refused. None: it was not refused.
    """

    def __init__(
        self, options: Options, project: Project, active: ActiveRelease, count: Callable[[str], None]
    ) -> None:
        self._options = options
        self._project = project
        self._count = count
        self.active = active
        self.fault: str | None = None
        self._tried = self.active.name
        self._next_try = 0.0
        self._pause = MIN_PAUSE

    async def refresh(self) -> None:
        """Load the current release if it is not the active one.

        A release that is refused is logged, and never raises. It is tried again if the reason may pass.
        """
        name = self.active.name
        try:
            name = self._current()
            if name == self.active.name:
                self._settle(name)
            if name == self._tried or time.monotonic() < self._next_try:
                return
            start = time.perf_counter()
            # Requests in progress keep the release that they started with.
            self.active = await asyncio.to_thread(ActiveRelease, self._options)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - definitions are code and may raise anything
            self._refuse(name, error)
            return
        self._settle(name)
        self._count("done")
        milliseconds = round((time.perf_counter() - start) * 1000, 1)
        log_line({"event": "release", "release": name, "ms": milliseconds})

    def _current(self) -> str:
        """Return the name of the release that is to answer: a release in its own folder always answers itself."""
        if self.active.root == self._project.settings.root:
            return self._project.active_release() or self.active.name
        return self._project.active_release() or WORKING

    def _settle(self, name: str) -> None:
        self._tried = name
        self.fault = None
        self._pause = MIN_PAUSE

    def _refuse(self, name: str, error: BaseException) -> None:
        if _may_pass(error):
            # Loading definitions slows the answers down, so the pauses grow.
            self._next_try = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, MAX_PAUSE)
        else:
            self._tried = name
        fault = str(error) if isinstance(error, FeatureStoreError) else f"{type(error).__name__}: {error}"
        if fault != self.fault:
            self._count("refused")
            log_line({"event": "release_refused", "release": name, "error": fault})
        self.fault = fault


def _may_pass(error: BaseException) -> bool:
    """Return whether the reason for a refusal may disappear without a new release."""
    if isinstance(error, StoreError):
        return error.retry
    return isinstance(error, OSError) and not isinstance(error, FeatureStoreError)
