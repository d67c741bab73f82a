"""Uploaded datasets: each body is received into a folder of its own and validated in another process.

Nothing remains of a body that does not arrive completely, or whose time is over: its place is free at once.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import ClientDisconnect

from featurestore.service.runtime.refused import RefusedError
from featurestore.storage.durable import PARTIAL, make_folder, replace, sync_folder
from featurestore.storage.files import PRIVATE_FOLDER, temporary_folder, translated_write_errors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from pathlib import Path

    from starlette.types import Receive

T = TypeVar("T")
CONCURRENCY = 2
QUEUE = 6
KEPT = 20  # uploads of each dataset
CHUNK = 1 << 20  # bytes of one write
# A slower body gives its place to a new one, once it had the time of a pause.
MIN_RATE = 16 << 10  # bytes in a second


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
    """

    def __init__(self, folder: Path) -> None:
        self.id = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{secrets.token_hex(4)}"
        self._folder = folder
        self._temporary = folder / f".{self.id}{PARTIAL}"
        self._making = ExitStack()
        self.body = self._temporary / "body"
        self.results = self._temporary / "results"

    def keep(self) -> Path:
        """Move the results to their final place, and remove the oldest uploads beyond `KEPT`; returns the final folder."""
        place = self._folder / self.id
        with translated_write_errors(place):
            sync_folder(self.results)
            replace(self.results, place)
        for old in sorted(self._folder.glob("[!.]*"))[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
        return place

    def begin(self) -> None:
        """Make the temporary folder, and remove those of killed processes."""
        self._making.enter_context(temporary_folder(self._temporary))
        with translated_write_errors(self._temporary):
            make_folder(self.results, mode=PRIVATE_FOLDER)

    def end(self) -> None:
        """Remove the temporary folder."""
        self._making.close()


class _Arrival:
    """A body that arrives: how much, since when, and the limit of the wait for its next part."""

    def __init__(self, begin: float) -> None:
        self.bytes = 0
        self.begin = begin
        self.wait: asyncio.Timeout | None = None
        self.displaced = False

    def rate(self, now: float) -> float:
        """Return the mean number of bytes in a second."""
        return self.bytes / max(now - self.begin, 1e-3)


class Uploads:
    """Receives bodies and validates them: `CONCURRENCY` at the same time, `QUEUE` more wait, the rest is refused.

    Slow bodies cannot hold all places: a new one takes the place of the slowest that arrives at less than `MIN_RATE`.

    Parameters
    ----------
    pause
        Maximum seconds between two chunks of a body.
    """

    def __init__(self, pause: float) -> None:
        self._places = asyncio.Semaphore(CONCURRENCY)
        self._pause = pause
        self._pending = 0
        self._arriving: set[_Arrival] = set()

    async def run(self, folder: Path, receive: Receive, validate: Callable[[Upload], Awaitable[T]]) -> T:
        """Receive a body into a folder, and await `validate` on it.

        Raises
        ------
        RefusedError
            If too many uploads are pending, or the body pauses for too long.
        ClientDisconnect
            If the caller leaves, also while the body is validated: its place is free at once.
        StoreError
            If the file system refuses a write.
        """
        if self._pending >= CONCURRENCY + QUEUE and not self._displaces_slowest():
            raise RefusedError(503, "Busy", "too many uploads at the same time", hint="try again in a second")
        self._pending += 1
        upload = Upload(folder)
        try:
            await self._receive(receive, upload)
            return await _unless_left(receive, self._in_place(validate, upload))
        finally:
            self._pending -= 1
            # A large file takes time to remove. The thread ends its work, also if the caller has left.
            await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, upload.end))

    async def _in_place(self, validate: Callable[[Upload], Awaitable[T]], upload: Upload) -> T:
        async with self._places:
            return await validate(upload)

    def _displaces_slowest(self) -> bool:
        """Return whether a slow body gives up its place."""
        now = asyncio.get_running_loop().time()
        slow = [
            arrival
            for arrival in self._arriving
            if arrival.wait is not None
            and not arrival.wait.expired()
            and now - arrival.begin > self._pause
            and arrival.rate(now) < MIN_RATE
        ]
        if not slow:
            return False
        slowest = min(slow, key=lambda arrival: arrival.rate(now))
        slowest.displaced = True
        if slowest.wait is not None:
            slowest.wait.reschedule(now)
        return True

    async def _receive(self, receive: Receive, upload: Upload) -> None:
        upload.begin()
        arrival = _Arrival(asyncio.get_running_loop().time())
        self._arriving.add(arrival)
        try:
            await self._write(receive, upload, arrival)
        finally:
            self._arriving.discard(arrival)

    async def _write(self, receive: Receive, upload: Upload, arrival: _Arrival) -> None:
        buffer = bytearray()
        more = True
        with translated_write_errors(upload.body), upload.body.open("wb") as file:
            while more:
                message = await self._next(receive, arrival)
                body = message.get("body", b"")
                arrival.bytes += len(body)
                buffer += body
                more = message.get("more_body", False)
                if len(buffer) >= CHUNK or not more:
                    # A slow disk does not delay lookups.
                    await asyncio.to_thread(file.write, bytes(buffer))
                    buffer.clear()

    async def _next(self, receive: Receive, arrival: _Arrival) -> Any:
        try:
            async with asyncio.timeout(self._pause) as arrival.wait:
                message = await receive()
        except TimeoutError as error:
            reason = f"no part of the body arrived for {self._pause:g} seconds"
            if arrival.displaced:
                reason = f"the body arrives at less than {MIN_RATE:,} bytes in a second, and others wait for its place"
            raise RefusedError(503, "TimedOut", reason, hint="send the body without a pause") from error
        finally:
            arrival.wait = None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        return message


async def _unless_left(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Await work for a caller whose body has arrived; it is cancelled when the caller leaves.

    Raises
    ------
    ClientDisconnect
        If the caller leaves.
    """
    working, leaving = asyncio.create_task(work), asyncio.create_task(_left(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
