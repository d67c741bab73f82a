"""Reads of a remote store without a thread: the event loop waits for the answers of a few connections."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE
from typing import TYPE_CHECKING, Protocol

from featurestore.errors import StoreError
from featurestore.ports import ChannelStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from typing import Any

    from featurestore.ports import Channel, RowReader, StoredRows, ViewKeys

MAX_CHANNELS = 2
# A store that refuses a connection, or closes it, is not asked for the next one at once. Threads read it meanwhile.
OPEN_SECONDS = 1.0


class Run(Protocol):
    """Runs a function in a thread."""

    def __call__(self, work: Callable[[], Any], *, spent: float = 0.0) -> Awaitable[Any]:
        """Run work whose caller has waited for `spent` seconds already."""


class Channels:
    """The channels of a remote store, for one event loop.

    A channel only makes reads cheaper. If there is none that is free, or if it fails, a thread reads: the store's own
    `read` has the timeouts, connects again and says what is wrong. Only the store that was read last has channels: the
    store of a release that is no longer served closes when nothing refers to it.

    Parameters
    ----------
    run
        Runs a function in a thread.
    seconds
        How long a channel may be silent. Then it is closed, and a thread reads.
    """

    def __init__(self, run: Run, seconds: float) -> None:
        self._run = run
        self._seconds = seconds
        self._of_store: _OfStore | None = None

    async def read(self, store: RowReader, views: ViewKeys) -> StoredRows:
        """Look up keys of several views in one snapshot, as `RowReader.read`.

        Raises
        ------
        StoreError
            If the store does not answer.
        """
        of_store = self._of_store
        if of_store is None or of_store.store is not store:
            self.close()
            of_store = self._of_store = _OfStore(store)
        start = time.monotonic()
        if of_store.free:
            lane = of_store.free.pop()
            try:
                answers = await lane.read(views, self._seconds)
            except StoreError:
                lane.close()
            except BaseException:
                lane.close()
                raise
            else:
                of_store.release(lane)
                return answers
        spent = time.monotonic() - start
        result: StoredRows = await self._run(lambda: store.read(views), spent=spent)
        if isinstance(store, ChannelStore):
            self._open(store, of_store)
        return result

    def close(self) -> None:
        """Close all channels; those that are read, when the read ends. Called in the event loop."""
        if self._of_store is not None:
            self._of_store.close()
            self._of_store = None

    def _open(self, store: ChannelStore, of_store: _OfStore) -> None:
        """Begin to open a channel for later reads."""
        loop = asyncio.get_running_loop()
        if (
            not of_store.is_closed
            and of_store.opening is None
            and len(of_store.lanes) < MAX_CHANNELS
            and time.monotonic() >= of_store.next_opening
        ):
            of_store.opening = loop.create_task(self._opened(store, of_store))

    async def _opened(self, store: ChannelStore, of_store: _OfStore) -> None:
        channel = None
        try:
            # A store that does not answer fails the reads too, and they say so.
            with suppress(StoreError):
                channel = await self._run(store.channel)
        finally:
            of_store.opening = None
        if channel is None:
            of_store.wait()
        elif of_store.is_closed:
            channel.close()
        else:
            of_store.add(_Lane(channel, asyncio.get_running_loop(), of_store.remove))


class _OfStore:
    """The channels of one store, and those that are free."""

    def __init__(self, store: RowReader) -> None:
        self.store = store
        self.is_closed = False
        self.lanes: list[_Lane] = []
        self.free: list[_Lane] = []
        self.opening: asyncio.Task[None] | None = None
        self.next_opening = 0.0

    def add(self, lane: _Lane) -> None:
        self.lanes.append(lane)
        self.free.append(lane)

    def release(self, lane: _Lane) -> None:
        """Keep a channel for the next read, unless it was closed or is of no more use."""
        if self.is_closed:
            lane.close()
        elif lane in self.lanes:
            self.free.append(lane)

    def close(self) -> None:
        self.is_closed = True
        for lane in [*self.free]:
            lane.close()

    def wait(self) -> None:
        self.next_opening = time.monotonic() + OPEN_SECONDS

    def remove(self, lane: _Lane) -> None:
        self.wait()
        self.lanes.remove(lane)
        if lane in self.free:
            self.free.remove(lane)


class _Lane:
    """A channel in an event loop. It has one read at a time."""

    def __init__(
        self, channel: Channel, loop: asyncio.AbstractEventLoop, on_close: Callable[[_Lane], None]
    ) -> None:
        self._channel, self._loop, self._on_close = channel, loop, on_close
        self._file = channel.fileno()
        self._steps: Generator[int, int, StoredRows] | None = None
        self._answer: asyncio.Future[StoredRows] | None = None
        self._is_writing = self._is_closed = False
        # It stays registered: to register it for each read would take a system call and a quarter of the read's time.
        loop.add_reader(self._file, self._go_on, EVENT_READ)

    async def read(self, views: ViewKeys, seconds: float) -> StoredRows:
        """Look up keys.

        Raises
        ------
        StoreError
            If the channel fails, or is silent for too long.
        """
        self._answer = self._loop.create_future()
        self._steps = self._channel.read(views)
        silent = self._loop.call_later(seconds, self._fail, StoreError("no answer in time", retry=True))
        try:
            self._go_on(None)
            return await self._answer
        finally:
            silent.cancel()
            self._steps = self._answer = None

    def close(self) -> None:
        """Close the channel."""
        if not self._is_closed:
            self._is_closed = True
            self._loop.remove_reader(self._file)
            self._loop.remove_writer(self._file)
            self._on_close(self)
            self._channel.close()

    def _go_on(self, ready: int | None) -> None:
        """Run the read until it waits again. Bytes that no read waits for are the end of the connection."""
        if self._steps is None or self._answer is None:
            self.close()
            return
        try:
            waits_for = self._steps.send(ready)  # type: ignore[arg-type]
        except StopIteration as end:
            self._steps = None
            if not self._answer.done():
                self._answer.set_result(end.value)
            waits_for = EVENT_READ
        except Exception as error:  # noqa: BLE001 - the reader raises it
            self._fail(error)
            return
        if self._is_writing != bool(waits_for & EVENT_WRITE):
            self._is_writing = not self._is_writing
            if self._is_writing:
                self._loop.add_writer(self._file, self._go_on, EVENT_WRITE)
            else:
                self._loop.remove_writer(self._file)

    def _fail(self, error: Exception) -> None:
        self._steps = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
