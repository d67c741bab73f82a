"""The event loop reads a remote store by channels, and gets what a thread would get; where a channel fails, a thread reads."""

import asyncio
import gc
import socket
import weakref
from selectors import EVENT_READ

import pytest
from servers import PostgresServer, RedisServer, run_server

from featurestore.adapters.postgres import PostgresStore
from featurestore.adapters.redis import RedisStore
from featurestore.errors import StoreError
from featurestore.service.lookup.channels import MAX_CHANNELS, Channels
from featurestore.service.runtime.workers import Workers
from featurestore.testing import MemoryStore
from featurestore.testing.stores import row, state

KEYS = [bytes([number]) for number in range(6)]
WANTED = [("alpha", KEYS), ("absent", KEYS[:2]), ("beta", []), ("alpha", [b"unknown"])]


def fill(store):
    for place, view in enumerate(("alpha", "beta")):
        store.write(view, [(key, row(place, key)) for key in KEYS[place:]], state(place), replace=True)


class Loop:
    """Channels in a running event loop, and the threads that read beside them."""

    def __init__(self, seconds=30):
        self.workers = Workers("lookups", 4, 4, 60)
        self.in_threads = 0
        self.channels = Channels(self.run, seconds)

    async def run(self, work, *, spent=0.0):
        self.in_threads += 1
        return await self.workers.run(work, spent=spent)

    async def open_all(self, store):
        """Read in a thread until there are as many channels as there may be."""
        opened = 0
        while opened < MAX_CHANNELS:
            before = self.in_threads
            reads = [self.channels.read(store, WANTED) for _ in range(opened + 1)]
            async with asyncio.timeout(30):
                await asyncio.gather(*reads)
                if opening := self.channels._store_channels.opening:
                    await opening
            assert self.in_threads == before + 2, "a read, and the channel that is opened after it"
            opened += 1
        self.in_threads = 0


def in_loop(scenario, **options):
    async def run():
        loop = Loop(**options)
        try:
            return await scenario(loop)
        finally:
            loop.channels.close()
            await asyncio.to_thread(loop.workers.close, 5)

    return asyncio.run(run())


@pytest.fixture(scope="module", params=["redis", "postgres"])
def server(request):
    """A server."""
    with run_server({"redis": RedisServer, "postgres": PostgresServer}[request.param]) as server:
        yield server


@pytest.fixture
def store(server):
    """A store on the server, with rows."""
    kind = RedisStore if isinstance(server, RedisServer) else PostgresStore
    store = kind(server.url, "channels")
    fill(store)
    return store


def test_a_channel_answers_as_the_store(store):
    """Also for commands and answers that the socket cannot take at once, and for another number of views."""
    large = [b"%d" % number + b"x" * 1_000 for number in range(3_000)]
    store.write("large", [(key, row(1, key * 3)) for key in large], state(1), replace=False)

    async def scenario(loop):
        await loop.open_all(store)
        for views in (WANTED, [("large", large), *WANTED], WANTED[:1], []):
            if views:
                assert await loop.channels.read(store, views) == store.read(views)
        assert loop.in_threads == 0

    in_loop(scenario)


def test_a_channel_that_the_server_closed_is_replaced(server, store):
    """A thread reads, and the next channel is opened after it."""

    async def scenario(loop):
        await loop.open_all(store)
        await asyncio.to_thread(server.stop)
        with pytest.raises(StoreError, match="does not answer"):
            await loop.channels.read(store, WANTED)
        await asyncio.to_thread(server.start)
        assert await loop.channels.read(store, WANTED) == await asyncio.to_thread(store.read, WANTED)

    in_loop(scenario)


class Store(MemoryStore):
    """A store in memory with channels over a pair of sockets: a byte goes there, and another comes back."""

    def __init__(self):
        super().__init__()
        fill(self)
        self.servers, self.closed = [], []

    def channel(self):
        here, there = socket.socketpair()
        here.setblocking(False)
        self.servers.append(there)
        return PairChannel(self, here, there)


class PairChannel:
    def __init__(self, store, here, there):
        self._store, self._socket, self._there = store, here, there
        self.fileno = here.fileno

    def read(self, views):
        if not hasattr(self._store, "silent"):
            self._there.send(b"!")
        yield EVENT_READ
        if not self._socket.recv(1):
            raise StoreError("closed", retry=True)
        if hasattr(self._store, "broken"):
            raise ZeroDivisionError
        return self._store.read(views)

    def close(self):
        self._store.closed.append(self)
        self._socket.close()
        self._there.close()


def test_a_channel_that_is_silent_is_given_up():
    """A thread answers, and the rest of the loop runs meanwhile."""
    store = Store()

    async def scenario(loop):
        await loop.open_all(store)
        store.silent = True
        answers = await asyncio.gather(*(loop.channels.read(store, WANTED) for _ in range(3)))
        assert answers == [store.read(WANTED)] * 3
        assert len(store.closed) == MAX_CHANNELS

    in_loop(scenario, seconds=0.01)


def test_an_idle_channel_that_is_closed_there_is_closed_here():
    """The next read does not try it."""
    store = Store()

    async def scenario(loop):
        await loop.open_all(store)
        for there in store.servers:
            there.shutdown(socket.SHUT_RDWR)
        async with asyncio.timeout(30):
            while len(store.closed) < MAX_CHANNELS:  # noqa: ASYNC110 - the loop notices it without a read
                await asyncio.sleep(0)
        assert await loop.channels.read(store, WANTED) == store.read(WANTED)
        assert loop.in_threads == 1

    in_loop(scenario)


def test_a_mistake_in_a_channel_reaches_its_caller():
    """It is not taken for a store that is away."""
    store = Store()

    async def scenario(loop):
        await loop.open_all(store)
        store.broken = True
        with pytest.raises(ZeroDivisionError):
            await loop.channels.read(store, WANTED)
        assert len(store.closed) == 1

    in_loop(scenario)


def test_a_caller_that_leaves_takes_no_channel_along():
    """The answer that is still to come is nobody's, and the channel then reads for others."""
    store = Store()

    async def scenario(loop):
        await loop.open_all(store)
        store.silent = True
        answers = [loop.channels.read(store, WANTED) for _ in range(MAX_CHANNELS)]
        for answer, there in zip(answers, store.servers, strict=True):
            answer.cancel()
            there.send(b"!")
        del store.silent
        async with asyncio.timeout(30):
            while not loop.channels._store_channels.free:  # noqa: ASYNC110 - the loop releases it without a read
                await asyncio.sleep(0)
        assert await loop.channels.read(store, WANTED) == store.read(WANTED)
        assert (store.closed, loop.in_threads) == ([], 0)

    in_loop(scenario)


def test_the_store_of_a_former_release_closes_with_its_channels():
    """When another store is read, nothing refers to it any more: no channel that was free, and none that was in use."""

    async def replaced(loop):
        former, present = Store(), Store()
        await loop.open_all(former)
        reading = loop.channels.read(former, WANTED)
        assert await loop.channels.read(present, WANTED) == present.read(WANTED)
        assert await reading == present.read(WANTED)
        assert len(former.closed) == MAX_CHANNELS
        former.closed.clear()  # the channels of this test refer to their store, too
        return weakref.ref(former)

    async def scenario(loop):
        former = await replaced(loop)
        async with asyncio.timeout(30):
            while former() is not None:  # a thread drops its work soon after it gave the answer
                gc.collect()
                await asyncio.sleep(0.01)

    in_loop(scenario)
