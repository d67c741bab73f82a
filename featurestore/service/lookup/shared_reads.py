"""Reads of a remote store that several requests share: one round trip answers all that wait."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from featurestore.ports import RowReader, StoredRows, ViewKeys

    ReadStore = Callable[[RowReader, ViewKeys], Awaitable[StoredRows]]

# While this many reads are on their way, further requests wait for the end of one, but no longer than PATIENCE_SECONDS.
MAX_UNDERWAY = 2
PATIENCE_SECONDS = 0.003


class SharedReads:
    """Joins the reads of requests that arrive at about the same time.

    A read begins after all requests that it answers, so each of them sees what was written before it arrived.

    Parameters
    ----------
    read_store
        Reads a store without blocking the event loop.
    max_keys
        Maximum number of keys in one read, unless one request has more.
    """

    def __init__(self, read_store: ReadStore, max_keys: int) -> None:
        self._read_store = read_store
        self._max_keys = max_keys
        self._waiting: deque[_Request] = deque()
        self._underway: set[asyncio.Task[None]] = set()
        self._is_due = False

    async def read(self, store: RowReader, wanted: ViewKeys) -> StoredRows:
        """Look up keys of several views in one snapshot, as `RowReader.read`.

        Raises
        ------
        StoreError
            If the store does not answer.
        """
        loop = asyncio.get_running_loop()
        request = _Request(store, wanted, loop.create_future())
        self._waiting.append(request)
        if not self._is_due:
            self._is_due = True
            if len(self._underway) < MAX_UNDERWAY:
                loop.call_soon(self._begin)  # after the other requests that have arrived
            else:
                loop.call_later(PATIENCE_SECONDS, self._begin)
        return await request.answer

    def _begin(self) -> None:
        """Begin reads for all requests that wait."""
        self._is_due = False
        while self._waiting:
            task = asyncio.get_running_loop().create_task(self._answer(self._next()))
            self._underway.add(task)
            task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._underway.discard(task)
        if self._waiting and len(self._underway) < MAX_UNDERWAY:
            self._begin()

    def _next(self) -> list[_Request]:
        """Take requests for the same store."""
        first = self._waiting.popleft()
        requests, keys = [first], first.size
        while self._waiting and self._waiting[0].store is first.store:
            keys += self._waiting[0].size
            if keys > self._max_keys:
                break
            requests.append(self._waiting.popleft())
        return requests

    async def _answer(self, requests: list[_Request]) -> None:
        try:
            answers = await read_together(requests[0].store, [r.wanted for r in requests], self._read_store)
        except Exception as error:  # noqa: BLE001 - each request raises it
            for request in requests:
                if not request.answer.done():
                    request.answer.set_exception(error)
            return
        for request, answer in zip(requests, answers, strict=True):
            if not request.answer.done():  # a caller may have left
                request.answer.set_result(answer)


class _Request(NamedTuple):
    store: RowReader
    wanted: ViewKeys
    answer: asyncio.Future[StoredRows]

    @property
    def size(self) -> int:
        return sum(len(keys) for _, keys in self.wanted)


async def read_together(
    store: RowReader, requests: Sequence[ViewKeys], read_store: ReadStore
) -> list[StoredRows]:
    """Look up the keys of several requests in one read of the store; return the answers of each."""
    # A single request that names each view once is the read itself.
    if len(requests) == 1 and len({view for view, _ in requests[0]}) == len(requests[0]):
        return [await read_store(store, requests[0])]
    keys: dict[str, list[bytes]] = {}
    places: list[list[slice]] = []
    for wanted in requests:
        places.append([])
        for view, of_request in wanted:
            of_view = keys.setdefault(view, [])
            places[-1].append(slice(len(of_view), len(of_view) + len(of_request)))
            of_view.extend(of_request)
    answers = dict(zip(keys, await read_store(store, [*keys.items()]), strict=True))
    return [
        [
            (answers[view][0], answers[view][1][place])
            for (view, _), place in zip(wanted, of_request, strict=True)
        ]
        for wanted, of_request in zip(requests, places, strict=True)
    ]
