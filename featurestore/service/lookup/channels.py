"""Reads of a remote store without a thread: the event loop waits for the answers of a few connections."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE
from typing import TYPE_CHECKING, Protocol

from featurestore.errors import StoreError
from featurestore.ports import ChannelStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from typing import Any, TypeAlias

    from featurestore.ports import Channel, RowReader, StoredRows, ViewKeys

    OnEnd: TypeAlias = "Callable[[_ChannelReader, StoredRows | Exception], None]"

MAX_CHANNELS = 2
# How long no channel is opened after the store refused or closed one. Threads read it meanwhile.
REOPEN_SECONDS = 1.0


class RunInThread(Protocol):
    """Runs a function in a thread."""

    def __call__(self, work: Callable[[], Any], *, spent: float = 0.0) -> Awaitable[Any]:
        """Run work whose caller has waited for `spent` seconds already."""


class Channels:
    """The channels of a remote store, for one event loop.

    A channel only makes reads cheaper. If no channel is free, or if one fails, a thread reads: the store's own `read`
    has timeouts, connects again and says what is wrong. Only the store that was read last has channels: the store of a
    former release closes as soon as nothing refers to it.

    Parameters
    ----------
    run
        Runs a function in a thread.
    seconds
        Timeout of a read by a channel. After it the channel is closed, and a thread reads.
    """

    def __init__(self, run: RunInThread, seconds: float) -> None:
        self._run = run
        self._seconds = seconds
        self._store_channels: _StoreChannels | None = None
        # The event loop itself refers to its tasks weakly.
        self._instead: set[asyncio.Task[StoredRows]] = set()

    def read(self, store: RowReader, views: ViewKeys) -> asyncio.Future[StoredRows]:
        """Begin to look up keys of several views in one snapshot, as `RowReader.read`.

        Returns
        -------
        asyncio.Future
            The rows. It raises a StoreError if the store does not answer.
        """
        channels = self._store_channels
        if channels is None or channels.store is not store:
            self.close()
            channels = self._store_channels = _StoreChannels(store)
        loop = asyncio.get_running_loop()
        if not channels.free:
            return loop.create_task(self._read_in_thread(channels, views))
        answer: asyncio.Future[StoredRows] = loop.create_future()
        end = partial(self._end, channels=channels, views=views, answer=answer, start=loop.time())
        channels.free.pop().begin(views, self._seconds, end)
        return answer

    def _end(
        self,
        reader: _ChannelReader,
        result: StoredRows | Exception,
        *,
        channels: _StoreChannels,
        views: ViewKeys,
        answer: asyncio.Future[StoredRows],
        start: float,
    ) -> None:
        """Take what a channel read. If the channel failed, a thread reads."""
        if not isinstance(result, Exception):
            channels.release(reader)
            if not answer.done():
                answer.set_result(result)
            return
        reader.close()
        if answer.done():
            return
        if not isinstance(result, StoreError):
            answer.set_exception(result)
            return
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._read_in_thread(channels, views, spent=loop.time() - start))
        self._instead.add(task)
        task.add_done_callback(self._instead.discard)
        task.add_done_callback(partial(_pass_on, answer))

    async def _read_in_thread(
        self, channels: _StoreChannels, views: ViewKeys, *, spent: float = 0.0
    ) -> StoredRows:
        store = channels.store
        result: StoredRows = await self._run(lambda: store.read(views), spent=spent)
        if isinstance(store, ChannelStore):
            self._begin_to_open(store, channels)
        return result

    def close(self) -> None:
        """Close all channels. One that is in use closes when its read ends. Called in the event loop."""
        if self._store_channels is not None:
            self._store_channels.close()
            self._store_channels = None

    def _begin_to_open(self, store: ChannelStore, channels: _StoreChannels) -> None:
        """Begin to open a channel for later reads, unless there are enough or the last attempt was just now."""
        loop = asyncio.get_running_loop()
        if (
            not channels.is_closed
            and channels.opening is None
            and len(channels.readers) < MAX_CHANNELS
            and time.monotonic() >= channels.next_opening
        ):
            channels.opening = loop.create_task(self._open(store, channels))

    async def _open(self, store: ChannelStore, channels: _StoreChannels) -> None:
        channel = None
        try:
            # If the store does not answer, the reads fail too, and their error says so.
            with suppress(StoreError):
                channel = await self._run(store.channel)
        finally:
            channels.opening = None
        if channel is None:
            channels.delay_opening()
        elif channels.is_closed:
            channel.close()
        else:
            channels.add(_ChannelReader(channel, asyncio.get_running_loop(), channels.remove))


class _StoreChannels:
    """The channels of one store, and those that are free."""

    def __init__(self, store: RowReader) -> None:
        self.store = store
        self.is_closed = False
        self.readers: list[_ChannelReader] = []
        self.free: list[_ChannelReader] = []
        self.opening: asyncio.Task[None] | None = None
        self.next_opening = 0.0

    def add(self, reader: _ChannelReader) -> None:
        self.readers.append(reader)
        self.free.append(reader)

    def release(self, reader: _ChannelReader) -> None:
        """Keep a channel for the next read, unless it is closed."""
        if self.is_closed:
            reader.close()
        elif reader in self.readers:
            self.free.append(reader)

    def close(self) -> None:
        self.is_closed = True
        for reader in [*self.free]:
            reader.close()

    def delay_opening(self) -> None:
        self.next_opening = time.monotonic() + REOPEN_SECONDS

    def remove(self, reader: _ChannelReader) -> None:
        self.delay_opening()
        self.readers.remove(reader)
        if reader in self.free:
            self.free.remove(reader)


class _ChannelReader:
    """Reads a channel in an event loop, one read at a time."""

    def __init__(
        self, channel: Channel, loop: asyncio.AbstractEventLoop, on_close: Callable[[_ChannelReader], None]
    ) -> None:
        self._channel, self._loop, self._on_close = channel, loop, on_close
        self._file = channel.fileno()
        # Of the read that runs.
        self._steps: Generator[int, int, StoredRows] | None = None
        self._on_end: OnEnd | None = None
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._is_writing = self._is_closed = False
        # The socket stays registered: to register it for each read takes a system call and a quarter of the read's time.
        loop.add_reader(self._file, self._advance, EVENT_READ)

    def begin(self, views: ViewKeys, seconds: float, on_end: OnEnd) -> None:
        """Begin to look up keys.

        Parameters
        ----------
        seconds
            Timeout of the read.
        on_end
            Called once with this reader and the rows, or with what failed: a StoreError if the channel fails or does not
            answer in time.
        """
        self._on_end = on_end
        self._steps = self._channel.read(views)
        self._due = self._loop.time() + seconds
        if self._timer is None:
            self._timer = self._loop.call_at(self._due, self._check)
        self._advance(None)

    def close(self) -> None:
        """Close the channel."""
        if not self._is_closed:
            self._is_closed = True
            if self._timer is not None:
                self._timer.cancel()
            self._loop.remove_reader(self._file)
            self._loop.remove_writer(self._file)
            self._on_close(self)
            self._channel.close()

    def _advance(self, ready: int | None) -> None:
        """Run the read until it waits again. Without a read, the socket is ready because the store closed it."""
        if self._steps is None:
            self.close()
            return
        try:
            waits_for = self._steps.send(ready)  # type: ignore[arg-type]
        except StopIteration as end:
            self._wait_for(EVENT_READ)
            self._end(end.value)
        except Exception as error:  # noqa: BLE001 - `on_end` gets it
            self._end(error)
        else:
            self._wait_for(waits_for)

    def _wait_for(self, waits_for: int) -> None:
        if self._is_writing != bool(waits_for & EVENT_WRITE):
            self._is_writing = not self._is_writing
            if self._is_writing:
                self._loop.add_writer(self._file, self._advance, EVENT_WRITE)
            else:
                self._loop.remove_writer(self._file)

    def _check(self) -> None:
        """Give up a read that is late. One timer is for many reads, because a timer for each costs each of them time."""
        self._timer = None
        if self._steps is None:
            return
        if self._loop.time() < self._due:
            self._timer = self._loop.call_at(self._due, self._check)
        else:
            self._end(StoreError("no answer in time", retry=True))

    def _end(self, result: StoredRows | Exception) -> None:
        on_end, self._steps, self._on_end = self._on_end, None, None
        if on_end is not None:
            on_end(self, result)


def _pass_on(answer: asyncio.Future[StoredRows], task: asyncio.Task[StoredRows]) -> None:
    """Give the result of a task to those who wait for an answer."""
    if answer.done():
        return
    if task.cancelled():
        answer.cancel()
    elif error := task.exception():
        answer.set_exception(error)
    else:
        answer.set_result(task.result())
