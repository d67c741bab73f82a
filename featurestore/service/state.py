"""The state of a server process: the active release, API keys, workers and the journal."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from featurestore.project import open as open_project
from featurestore.service.lookup.active_release import ActiveRelease
from featurestore.service.lookup.lookups import Lookups
from featurestore.service.lookup.release_reload import ReleaseReload
from featurestore.service.runtime.key_reload import KeyReload
from featurestore.service.runtime.uploads import Uploads
from featurestore.service.runtime.validators import Validators
from featurestore.service.runtime.workers import Workers
from featurestore.service.telemetry.journal import Journal, Observer
from featurestore.service.telemetry.metrics import Metrics
from featurestore.service.telemetry.request_log import RequestLog
from featurestore.service.telemetry.served_log import ServedLog

if TYPE_CHECKING:
    from featurestore.service.lookup.active_release import ProjectAsOf
    from featurestore.service.runtime.options import Options
    from featurestore.service.telemetry.journal import Entry

POLL_SECONDS = 0.5
# Share of a request's time for the online store. The rest is for an answer from the stale cache, or for the error.
STORE_SHARE = 0.8
# Pushes to one view that wait are written together: each waits in a thread.
PUSH_THREADS = 32
PUSH_TIMEOUT_HINT = "the rows may still be applied; it is safe to push them again"
# Work that no caller waits for may end within this time.
CLOSE_SECONDS = 1.0


class ServerState:
    """The state of one server process.

    Parameters
    ----------
    served
        What to serve. None: the releases of the project in the folder of the options.

    Raises
    ------
    FeatureStoreError
        If the definitions, training sets and online store do not belong together.
    """

    def __init__(self, options: Options, served: ProjectAsOf | None = None) -> None:
        self.options = options
        project = open_project(options.root) if served is None else served.project
        self.layout = project.layout
        self.metrics = Metrics(shared=options.workers > 1)
        active = ActiveRelease(options, served)
        self.release_reload = ReleaseReload(options, project, active, self.metrics.count_reload)
        self.key_reload = KeyReload(self.layout.keys, required=options.keys_required)
        self.keys = self.key_reload.current()
        store_seconds = STORE_SHARE * options.timeout
        self.lookups = Lookups("lookups", options.threads, options.concurrency, store_seconds)
        # Pushes wait for each other and for `materialize`. Lookups have threads of their own, so they never wait.
        self.pushes = Workers("pushes", PUSH_THREADS, 0, store_seconds, hint=PUSH_TIMEOUT_HINT)
        self.uploads = Uploads(options.timeout)
        self.validators = Validators(options.upload_memory)
        self.served_log = ServedLog(self.layout, options.log_features, self.metrics.count_lost_rows)
        observers: list[Observer] = [self.metrics]
        if options.log_requests:
            observers.append(RequestLog(keys=options.log_keys))
        if options.log_features:
            observers.append(self.served_log)
        self.journal = Journal(observers, on_lost_rows=self.metrics.count_lost_rows)

    @property
    def active_release(self) -> ActiveRelease:
        """The release that answers new requests."""
        return self.release_reload.active

    def records_rows(self, entry: Entry) -> bool:
        """Return whether an observer needs the rows of a request, and not only their number."""
        return self.options.log_keys or self.served_log.wants(entry)

    async def watch(self) -> None:
        """Load new releases and API keys as they appear, until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await self.refresh()

    async def refresh(self) -> None:
        """Load the API keys and the release that are current now. A failure of one does not stop the other."""
        self.keys = self.key_reload.current()
        former = self.release_reload.active
        await self.release_reload.refresh()
        if self.release_reload.active is not former:
            # They would keep its store open until the next lookup.
            self.lookups.close_channels()

    def close(self) -> None:
        """Wait for lookups that run, and write the remaining logs."""
        self.validators.close()
        self.pushes.close(CLOSE_SECONDS)
        self.lookups.close(CLOSE_SECONDS)
        self.journal.close()
        self.served_log.close()
