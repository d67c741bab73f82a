"""The state of a running server: what it serves now, who may ask, and what is written down."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from featurestore.errors import FeatureStoreError
from featurestore.project import open as open_project
from featurestore.service.api.problems import UNSURE, RefusedError
from featurestore.service.lookup.active_release import WORKING, ActiveRelease
from featurestore.service.lookup.lookups import Lookups
from featurestore.service.runtime.key_reload import KeyReload, may_pass
from featurestore.service.runtime.uploads import Uploads
from featurestore.service.runtime.workers import Workers
from featurestore.service.telemetry.journal import Journal, RequestLog, Teller, log_line
from featurestore.service.telemetry.metrics import Metrics
from featurestore.service.telemetry.served_log import ServedLog

if TYPE_CHECKING:
    from featurestore.service.runtime.keys import ApiKey
    from featurestore.service.runtime.options import Options
    from featurestore.service.telemetry.journal import Entry

POLL = 0.5
MAX_PAUSE = 10.0
# Of the time that a request may take, so that one in vain can still be answered from memory, or with what was wrong.
SHARE = 0.8
PUSHES, WAITING_PUSHES = 4, 28
# What nobody waits for any more may end.
LAST_SECONDS = 1.0


class ServerState:
    """One server process.

    Raises
    ------
    FeatureStoreError
        If what is to be served does not belong together.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.serving = ActiveRelease(options)
        self.refused: str | None = None
        self.project = open_project(options.root)
        self.layout = self.project.layout
        self._tried, self._again, self._pause = self.serving.release, 0.0, POLL
        self.followed = KeyReload(self.layout.keys)
        self.keys = self.followed.now()
        answer = SHARE * options.timeout
        self.lookups = Lookups("lookups", options.threads, options.concurrency, answer)
        # Pushes wait for each other, and for whoever materializes: lookups must not wait for them.
        self.pushes = Workers("pushes", PUSHES, WAITING_PUSHES, answer, hint=UNSURE)
        self.uploads = Uploads(options.timeout)
        self.metrics = Metrics(together=options.workers > 1)
        tellers: list[Teller] = [self.metrics]
        if options.log_requests:
            tellers.append(RequestLog(keys=options.log_keys))
        self.served = ServedLog(self.layout, options.log_features)
        if options.log_features:
            tellers.append(self.served)
        self.journal = Journal(tellers)

    def permit(self, caller: ApiKey | None, service: str | None) -> None:
        """Let a key read a service (None: features asked for one by one), or refuse.

        Raises
        ------
        RefusedError
            If the key is for other services.
        """
        if caller is not None and caller.services and service not in caller.services:
            raise RefusedError(
                403,
                "Forbidden",
                f"API key {caller.name!r} may not read {service or 'features one by one'}",
                hint=f"it may read {', '.join(caller.services)}",
            )

    def permit_push(self, caller: ApiKey | None, view: str, serving: ActiveRelease) -> None:
        """Let a key push to a view, or refuse: a key for services may push to what they read.

        Raises
        ------
        RefusedError
            If the key is for services that do not read the view.
        """
        if caller is None or not caller.services:
            return
        known = serving.project.catalog.services
        services = [known[name] for name in caller.services if name in known]
        views = sorted({selection.view.name for service in services for selection in service.reads})
        if view not in views:
            raise RefusedError(
                403,
                "Forbidden",
                f"API key {caller.name!r} may not push to {view!r}",
                hint=f"it may push to what {', '.join(caller.services)} reads: {', '.join(views) or 'nothing'}",
            )

    def keeps(self, entry: Entry) -> bool:
        """Say whether someone will be told of the rows of a request, and not only of their number."""
        return self.options.log_keys or self.served.wants(entry)

    async def follow(self) -> None:
        """Take up new releases and keys as they come, until cancelled."""
        while True:
            await asyncio.sleep(POLL)
            await self.refresh()

    async def refresh(self) -> None:
        """Take up the keys and the release that stand now.

        Whatever goes wrong with one keeps neither the other nor the server from work: it is said, and looked at again.
        """
        self.keys = self.followed.now()
        name = self.serving.release
        try:
            name = self.project.active_release() or WORKING
            if name == self.serving.release:
                self._tried, self.refused, self._pause = name, None, POLL
            if name == self._tried or time.monotonic() < self._again:
                return
            start = time.perf_counter()
            # Requests at work keep what they began with.
            self.serving = await asyncio.to_thread(ActiveRelease, self.options)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - definitions are code, and may do anything
            self._refuse(name, error)
            return
        self._tried, self.refused, self._pause = name, None, POLL
        self.metrics.reloaded("done")
        log_line({"event": "release", "release": name, "ms": round((time.perf_counter() - start) * 1000, 1)})

    def _refuse(self, name: str, error: BaseException) -> None:
        if may_pass(error):
            # To load definitions takes from those who are answered: less and less often.
            self._again = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, MAX_PAUSE)
        else:
            self._tried = name
        text = str(error) if isinstance(error, FeatureStoreError) else f"{type(error).__name__}: {error}"
        if text != self.refused:
            self.metrics.reloaded("refused")
            log_line({"event": "release_refused", "release": name, "error": text})
        self.refused = text

    def close(self) -> None:
        """End: let lookups end, and tell what was asked."""
        self.uploads.close(LAST_SECONDS)
        self.pushes.close(LAST_SECONDS)
        self.lookups.close(LAST_SECONDS)
        self.journal.close()
        self.served.close()
