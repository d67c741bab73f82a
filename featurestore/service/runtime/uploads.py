"""Data that are sent to be judged: received aside, judged in threads of their own; of a body that does not come whole nothing stays."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import ClientDisconnect

from featurestore.service.api.problems import RefusedError
from featurestore.service.runtime.threads import Threads
from featurestore.storage.files import translated_write_errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.types import Receive

T = TypeVar("T")
AT_ONCE, WAITING = 2, 6
KEPT = 20  # of each dataset
PIECE = 1 << 20  # written at once
DAY = 86_400.0


class Upload:
    """One body, in a folder of its own aside.

    Attributes
    ----------
    id
        Of what is found; ids sort by time.
    body
        Where the body lies while it is judged.
    found
        Folder for what is found; it stays once `keep` was called.
    given_up
        True: nobody waits for it any more, and nothing is to stay.
    """

    def __init__(self, folder: Path) -> None:
        self.id = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{secrets.token_hex(4)}"
        self._folder, self._aside = folder, folder / f".{self.id}.partial"
        self.body, self.found = self._aside / "body", self._aside / "found"
        self.given_up = False

    def keep(self) -> Path | None:
        """Put what was found in its place, and remove the oldest beyond so many; returns the place, None: it was given up."""
        if self.given_up:
            return None
        place = self._folder / self.id
        with translated_write_errors(place):
            self.found.replace(place)
        for old in sorted(self._folder.glob("[!.]*"))[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
        return place

    def begin(self) -> None:
        """Make the folder; what a process that was killed has left is removed after a day."""
        with translated_write_errors(self._aside):
            self.found.mkdir(parents=True)
        for left in self._folder.glob(".*.partial"):
            if left.stat().st_mtime < time.time() - DAY:
                shutil.rmtree(left, ignore_errors=True)

    def end(self) -> None:
        """Remove all that was not kept."""
        shutil.rmtree(self._aside, ignore_errors=True)


class Uploads:
    """Takes bodies in and has them judged: so many at once, some may wait, more are refused.

    Parameters
    ----------
    pause
        Seconds in which something of a body has to come.
    """

    def __init__(self, pause: float) -> None:
        self._threads, self._pause, self._taken = Threads(AT_ONCE, "uploads"), pause, 0

    async def judged(self, folder: Path, receive: Receive, judge: Callable[[Upload], T]) -> T:
        """Receive a body into a folder, and run `judge` over it in a thread.

        Raises
        ------
        RefusedError
            If too many are at work, or the body does not come.
        ClientDisconnect
            If its sender goes away.
        StoreError
            If the file system refuses.
        """
        if self._taken >= AT_ONCE + WAITING:
            raise RefusedError(503, "Busy", "too many uploads at once", hint="try again in a second")
        self._taken += 1
        upload = Upload(folder)
        try:
            await self._receive(receive, upload)
            future = self._threads.submit(partial(judge, upload))
        except BaseException:
            upload.end()
            self._taken -= 1
            raise
        loop = asyncio.get_running_loop()
        # It keeps its place until its thread has ended, also when nobody waits for it any more.
        future.add_done_callback(lambda _: self._ended(loop, upload))
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            upload.given_up = True
            raise

    def close(self, seconds: float) -> None:
        """Let what runs end, for so long at the most."""
        self._threads.close(seconds)

    async def _receive(self, receive: Receive, upload: Upload) -> None:
        upload.begin()
        held, more = bytearray(), True
        with translated_write_errors(upload.body), upload.body.open("wb") as file:
            while more:
                message = await self._next(receive)
                held += message.get("body", b"")
                more = message.get("more_body", False)
                if len(held) >= PIECE or not more:
                    # Disks may take their time: lookups do not wait for them.
                    await asyncio.to_thread(file.write, bytes(held))
                    held.clear()

    async def _next(self, receive: Receive) -> Any:
        try:
            async with asyncio.timeout(self._pause):
                message = await receive()
        except TimeoutError as error:
            raise RefusedError(
                503,
                "TimedOut",
                f"nothing of the body has come for {self._pause:g} seconds",
                hint="send it without a break",
            ) from error
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        return message

    def _ended(self, loop: asyncio.AbstractEventLoop, upload: Upload) -> None:
        upload.end()
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        self._taken -= 1
