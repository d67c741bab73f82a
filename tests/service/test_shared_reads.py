"""Requests that arrive at about the same time share one read of a remote store, and get what each would get alone."""

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import examples

from featurestore.errors import StoreError
from featurestore.service.lookup import shared_reads
from featurestore.service.lookup.shared_reads import MAX_UNDERWAY, SharedReads, join_requests, split_rows
from featurestore.testing import MemoryStore
from featurestore.testing.stores import row, state

KEYS = [bytes([number]) for number in range(6)]
VIEWS = ("alpha", "beta", "absent")


async def in_thread(store, views):
    return await asyncio.to_thread(store.read, views)


def filled():
    store = MemoryStore()
    for place, view in enumerate(VIEWS[:2]):
        store.write(view, [(key, row(place, key)) for key in KEYS[place:]], state(place), replace=True)
    return store


STORE = filled()
REQUESTS = st.lists(
    st.lists(st.tuples(st.sampled_from(VIEWS), st.lists(st.sampled_from(KEYS), max_size=4)), max_size=3),
    min_size=1,
    max_size=4,
)


@examples(50)
@given(REQUESTS)
def test_each_request_gets_what_it_would_get_alone(requests):
    """They may name the same views and keys, and one view twice."""
    views, places = join_requests(requests)
    assert split_rows(STORE.read(views), places) == [STORE.read(wanted) for wanted in requests]


class Store:
    """A store that notes its reads, and of which some reads hang until they are released."""

    def __init__(self, hanging=0):
        self.reads = []
        self.began = threading.Semaphore(0)
        self.released = threading.Event()
        self._hanging = hanging

    def read(self, views):
        self.reads.append([(view, list(keys)) for view, keys in views])
        self.began.release()
        if len(self.reads) <= self._hanging:
            self.released.wait(30)
        if any(b"damaged" in keys for _, keys in views):
            raise StoreError("the store fails")
        return STORE.read(views)


def wanted(*keys):
    return [("alpha", list(keys))]


def shared(max_keys=100):
    return SharedReads(in_thread, max_keys)


def test_requests_that_arrive_together_share_a_read():
    """The keys of all are in one read, up to a limit, and never with those of another store."""
    first, second = Store(), Store()

    async def together(max_keys, *requests):
        reads = shared(max_keys)
        return await asyncio.gather(*(reads.read(store, wanted(*keys)) for store, keys in requests))

    requests = [(first, KEYS[:1]), (first, KEYS[1:3]), (second, KEYS[:1]), (first, KEYS[3:4])]
    answers = asyncio.run(together(100, *requests))
    assert answers == [STORE.read(wanted(*keys)) for _, keys in requests]
    assert (first.reads, second.reads) == ([wanted(*KEYS[:3]), wanted(KEYS[3])], [wanted(KEYS[0])])
    first.reads.clear()
    asyncio.run(together(2, *((first, KEYS[:count]) for count in (1, 1, 3, 1))))
    assert [len(keys) for [(_, keys)] in first.reads] == [2, 3, 1]


def test_a_request_is_not_answered_by_a_read_that_began_before_it():
    """It would not see what was written in between."""
    store = Store(hanging=1)

    async def one_after_the_other():
        reads = shared()
        early = asyncio.create_task(reads.read(store, wanted(KEYS[0])))
        await asyncio.to_thread(store.began.acquire)
        late = asyncio.create_task(reads.read(store, wanted(KEYS[0])))
        assert await late == STORE.read(wanted(KEYS[0]))
        assert not early.done()
        store.released.set()
        assert await early == await late

    asyncio.run(one_after_the_other())
    assert len(store.reads) == 2


async def hang(reads, store):
    """Begin as many reads as may be under way, each of which hangs."""
    hanging = []
    for _ in range(MAX_UNDERWAY):
        hanging.append(asyncio.create_task(reads.read(store, wanted(KEYS[0]))))
        await asyncio.to_thread(store.began.acquire)
    return hanging


def test_reads_that_hang_do_not_hold_up_others():
    """Requests wait for the end of a read only for a moment."""
    store = Store(hanging=MAX_UNDERWAY)

    async def behind():
        reads = shared()
        hanging = await hang(reads, store)
        answers = await asyncio.gather(*(reads.read(store, wanted(key)) for key in KEYS))
        assert not any(task.done() for task in hanging)
        store.released.set()
        await asyncio.gather(*hanging)
        return answers

    assert asyncio.run(behind()) == [STORE.read(wanted(key)) for key in KEYS]
    assert store.reads[MAX_UNDERWAY:] == [wanted(*KEYS)]


def test_requests_wait_for_the_end_of_a_read(monkeypatch):
    """While enough reads are on their way, the requests that arrive share the next one, which begins at the end of one."""
    monkeypatch.setattr(shared_reads, "PATIENCE_SECONDS", 3_600)
    store = Store(hanging=MAX_UNDERWAY)

    async def crowd():
        reads = shared()
        tasks = await hang(reads, store)
        for key in KEYS:
            tasks.append(asyncio.create_task(reads.read(store, wanted(key))))
            await asyncio.sleep(0)
        store.released.set()
        async with asyncio.timeout(30):
            await asyncio.gather(*tasks)

    asyncio.run(crowd())
    assert store.reads[MAX_UNDERWAY:] == [wanted(*KEYS)]


def test_an_error_reaches_each_request_whose_caller_is_still_there():
    """And a caller that leaves takes no answer from the others."""

    async def failing():
        reads = shared()
        store = Store()
        tasks = [
            asyncio.create_task(reads.read(store, wanted(key))) for key in (KEYS[0], b"damaged", KEYS[1])
        ]
        await asyncio.sleep(0)
        tasks[0].cancel()
        async with asyncio.timeout(30):
            return await asyncio.gather(*tasks, return_exceptions=True)

    left, *failed = asyncio.run(failing())
    assert isinstance(left, asyncio.CancelledError)
    assert [str(error) for error in failed] == ["the store fails"] * 2

    async def leaving():
        reads, store = shared(), Store()
        tasks = [asyncio.create_task(reads.read(store, wanted(key))) for key in KEYS[:2]]
        await asyncio.sleep(0)
        tasks[0].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        async with asyncio.timeout(30):
            return await tasks[1]

    assert asyncio.run(leaving()) == STORE.read(wanted(KEYS[1]))
