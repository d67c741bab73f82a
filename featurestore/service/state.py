"""The state of a running server: what it serves now, who may ask, and what is written down."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

from featurestore.config import load_settings
from featurestore.errors import FeatureStoreError
from featurestore.operations.release import current
from featurestore.service.journal import Journal, RequestLog, Teller, log_line
from featurestore.service.keys import Keys
from featurestore.service.lookups import Lookups
from featurestore.service.metrics import Metrics
from featurestore.service.problems import RefusedError
from featurestore.service.served import ServedLog
from featurestore.service.serving import WORKING, Serving
from featurestore.storage.layout import Layout

if TYPE_CHECKING:
    from featurestore.service.journal import Entry
    from featurestore.service.keys import ApiKey
    from featurestore.service.options import Options

POLL = 0.5


class ServerState:
    """One server process.

    Raises
    ------
    FeatureStoreError
        If what is to be served does not belong together.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.serving = Serving(options)
        self.refused: str | None = None
        self._layout = Layout(load_settings(Path(options.root)).data)
        self._tried = self.serving.release
        self._keys_seen = self._keys_stamp()
        self.keys = Keys(self._layout.keys)
        self.lookups = Lookups(options.threads, options.concurrency)
        self.metrics = Metrics(together=options.workers > 1)
        tellers: list[Teller] = [self.metrics]
        if options.log_requests:
            tellers.append(RequestLog(keys=options.log_keys))
        self.served = ServedLog(self._layout, options.log_features)
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

    def keeps(self, entry: Entry) -> bool:
        """Say whether someone will be told of the rows of a request, and not only of their number."""
        return self.options.log_keys or self.served.wants(entry)

    async def follow(self) -> None:
        """Take up new releases and keys as they come, until cancelled."""
        while True:
            await asyncio.sleep(POLL)
            try:
                await self.refresh()
            except FeatureStoreError as error:
                log_line({"event": "refresh_failed", "error": str(error)})

    async def refresh(self) -> None:
        """Take up the release and the keys that stand now; what does not belong together is refused, and said."""
        stamp = self._keys_stamp()
        if stamp != self._keys_seen:
            self.keys = Keys(self._layout.keys, asked_for=self.keys.asked_for)
            self._keys_seen = stamp
        name = current(self._layout) or WORKING
        if name == self._tried:
            return
        self._tried, start = name, time.perf_counter()
        try:
            # Requests at work keep what they began with.
            self.serving = await asyncio.to_thread(Serving, self.options)
        except FeatureStoreError as error:
            self.refused = str(error)
            self.metrics.reloaded("refused")
            log_line({"event": "release_refused", "release": name, "error": self.refused})
            return
        self.refused = None
        self.metrics.reloaded("done")
        log_line({"event": "release", "release": name, "ms": round((time.perf_counter() - start) * 1000, 1)})

    def close(self) -> None:
        """End: let lookups end, and tell what was asked."""
        self.lookups.close()
        self.journal.close()
        self.served.close()

    def _keys_stamp(self) -> tuple[int, int] | None:
        try:
            found = self._layout.keys.stat()
        except FileNotFoundError:
            return None
        return found.st_mtime_ns, found.st_ino
