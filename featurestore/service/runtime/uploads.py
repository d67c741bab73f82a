"""Uploaded datasets: each body is received into a folder of its own and validated in a thread.

Nothing remains of a body that does not arrive completely.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import ClientDisconnect

from featurestore.service.runtime.refused import RefusedError
from featurestore.service.runtime.threads import Threads
from featurestore.storage.durable import make_folder, replace, sync_folder
from featurestore.storage.files import PRIVATE_FOLDER, translated_write_errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.types import Receive

T = TypeVar("T")
CONCURRENCY = 2
QUEUE = 6
KEPT = 20  # uploads of each dataset
CHUNK = 1 << 20  # bytes of one write
DAY = 86_400.0  # seconds


class Upload:
    """One uploaded body in a temporary folder.

    Attributes
    ----------
    id
        Name of the folder that keeps the results. Ids sort by time.
    body
        Path of the body while it is validated.
    results
        Folder for the results. `keep` moves it to its final place.
    abandoned
        True: the caller has left, and `keep` keeps nothing.
    """

    def __init__(self, folder: Path) -> None:
        self.id = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{secrets.token_hex(4)}"
        self._folder = folder
        self._temporary = folder / f".{self.id}.partial"
        self.body = self._temporary / "body"
        self.results = self._temporary / "results"
        self.abandoned = False

    def keep(self) -> Path | None:
        """Move the results to their final place, and remove the oldest uploads beyond `KEPT`.

        Returns
        -------
        Path or None
            The final folder. None: the caller has left.
        """
        if self.abandoned:
            return None
        place = self._folder / self.id
        with translated_write_errors(place):
            sync_folder(self.results)
            replace(self.results, place)
        for old in sorted(self._folder.glob("[!.]*"))[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
        return place

    def begin(self) -> None:
        """Make the temporary folder, and remove those of killed processes after a day."""
        with translated_write_errors(self._temporary):
            make_folder(self.results, mode=PRIVATE_FOLDER)
        for partial_folder in self._folder.glob(".*.partial"):
            if partial_folder.stat().st_mtime < time.time() - DAY:
                shutil.rmtree(partial_folder, ignore_errors=True)

    def end(self) -> None:
        """Remove the temporary folder."""
        shutil.rmtree(self._temporary, ignore_errors=True)


class Uploads:
    """Receives bodies and validates them: `CONCURRENCY` at the same time, `QUEUE` more wait, the rest is refused.

    Parameters
    ----------
    pause
        Maximum seconds between two chunks of a body.
    """

    def __init__(self, pause: float) -> None:
        self._threads = Threads(CONCURRENCY, "uploads")
        self._pause = pause
        self._pending = 0

    async def run(self, folder: Path, receive: Receive, validate: Callable[[Upload], T]) -> T:
        """Receive a body into a folder, and run `validate` on it in a thread.

        Raises
        ------
        RefusedError
            If too many uploads are pending, or the body pauses for too long.
        ClientDisconnect
            If the caller leaves.
        StoreError
            If the file system refuses a write.
        """
        if self._pending >= CONCURRENCY + QUEUE:
            raise RefusedError(503, "Busy", "too many uploads at the same time", hint="try again in a second")
        self._pending += 1
        upload = Upload(folder)
        try:
            await self._receive(receive, upload)
            future = self._threads.submit(partial(validate, upload))
        except BaseException:
            upload.end()
            self._pending -= 1
            raise
        loop = asyncio.get_running_loop()
        # The upload keeps its place until its thread ends, also after its caller has left.
        future.add_done_callback(lambda _: self._ended(loop, upload))
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            upload.abandoned = True
            raise

    def close(self, seconds: float) -> None:
        """Wait at most `seconds` for the validations that run."""
        self._threads.close(seconds)

    async def _receive(self, receive: Receive, upload: Upload) -> None:
        upload.begin()
        buffer = bytearray()
        more = True
        with translated_write_errors(upload.body), upload.body.open("wb") as file:
            while more:
                message = await self._next(receive)
                buffer += message.get("body", b"")
                more = message.get("more_body", False)
                if len(buffer) >= CHUNK or not more:
                    # A slow disk does not delay lookups.
                    await asyncio.to_thread(file.write, bytes(buffer))
                    buffer.clear()

    async def _next(self, receive: Receive) -> Any:
        try:
            async with asyncio.timeout(self._pause):
                message = await receive()
        except TimeoutError as error:
            raise RefusedError(
                503,
                "TimedOut",
                f"no part of the body arrived for {self._pause:g} seconds",
                hint="send the body without a pause",
            ) from error
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        return message

    def _ended(self, loop: asyncio.AbstractEventLoop, upload: Upload) -> None:
        upload.end()
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        self._pending -= 1
