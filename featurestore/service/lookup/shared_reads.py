"""Reads of a remote store that several requests share: one round trip answers all that wait."""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import TypeAlias

    from featurestore.ports import RowReader, StoredRows, ViewKeys

    ReadStore: TypeAlias = Callable[[RowReader, ViewKeys], Awaitable[StoredRows]]
    # For each request and each of its views: the number of the view in the read, and which of its keys.
    Places: TypeAlias = list[list[tuple[int, slice]]]

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
        self._underway: set[asyncio.Future[StoredRows]] = set()
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
            requests = self._next()
            views, places = join_requests([request.wanted for request in requests])
            read = asyncio.ensure_future(self._read_store(requests[0].store, views))
            self._underway.add(read)
            read.add_done_callback(partial(self._end, requests, places))

    def _end(self, requests: list[_Request], places: Places | None, read: asyncio.Future[StoredRows]) -> None:
        """Answer the requests of a read."""
        self._underway.discard(read)
        waiting = [request.answer for request in requests]
        if read.cancelled():  # the event loop ends
            for answer in waiting:
                answer.cancel()
        elif error := read.exception():
            for answer in waiting:
                if not answer.done():  # a caller may have left
                    answer.set_exception(error)
        else:
            for answer, rows in zip(waiting, split_rows(read.result(), places), strict=True):
                if not answer.done():
                    answer.set_result(rows)
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


class _Request(NamedTuple):
    store: RowReader
    wanted: ViewKeys
    answer: asyncio.Future[StoredRows]

    @property
    def size(self) -> int:
        return sum(len(keys) for _, keys in self.wanted)


def join_requests(requests: Sequence[ViewKeys]) -> tuple[ViewKeys, Places | None]:
    """Join the keys of several requests, so that each view is read once.

    Returns
    -------
    tuple
        The keys, and where those of each request are among them. None: the only request is the read itself.
    """
    if len(requests) == 1 and len({view for view, _ in requests[0]}) == len(requests[0]):
        return requests[0], None
    keys: dict[str, list[bytes]] = {}
    numbers: dict[str, int] = {}
    places: Places = []
    for wanted in requests:
        places.append([])
        for view, of_request in wanted:
            number = numbers.setdefault(view, len(numbers))
            of_view = keys.setdefault(view, [])
            places[-1].append((number, slice(len(of_view), len(of_view) + len(of_request))))
            of_view.extend(of_request)
    return [*keys.items()], places


def split_rows(rows: StoredRows, places: Places | None) -> list[StoredRows]:
    """Return the rows of each request from those of the read that `join_requests` made of them."""
    if places is None:
        return [rows]
    return [
        [(rows[number][0], rows[number][1][place]) for number, place in of_request] for of_request in places
    ]
