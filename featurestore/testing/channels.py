"""The suite of channels: by a channel, an event loop must read what the store itself reads."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from typing import TYPE_CHECKING, Protocol

from featurestore.errors import StoreError
from featurestore.ports import ChannelStore, OnlineStore
from featurestore.testing.stores import require_laws, row, state

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from featurestore.ports import Channel, StoredRows, ViewKeys

SECONDS = 30.0
KEYS = (b"a", b"b", b"c")


class OnlineChannelStore(OnlineStore, ChannelStore, Protocol):
    """An online store that has channels."""


def require_channels(open_store: Callable[[], OnlineChannelStore]) -> None:
    """Prove the channels of an online store, which `require_store` has proven.

    Parameters
    ----------
    open_store
        Opens the same store each time, as another process would. Views ``one`` and ``two`` are
        removed.

    Raises
    ------
    AssertionError
        If a law does not hold. The message is the law.
    """
    laws = (
        _answers_as_the_store,
        _closes_alone,
        _waits_in_steps,
        _sees_earlier_writes,
        _many_rows,
        _channels_apart,
        _closed_by_the_server,
    )
    require_laws(open_store, laws)


def read_channel(channel: Channel, views: ViewKeys) -> StoredRows:
    """Look up keys by a channel, and wait for it as an event loop does.

    Raises
    ------
    StoreError
        If the store does not answer.
    AssertionError
        If the channel waits for nothing that an event loop knows, or longer than 30 seconds.
    """
    return _rest(channel, channel.read(views), None)


def _rest(channel: Channel, steps: Generator[int, int, StoredRows], ready: int | None) -> StoredRows:
    with DefaultSelector() as selector:
        try:
            while True:
                waits_for = steps.send(ready)  # type: ignore[arg-type]
                if waits_for not in {EVENT_READ, EVENT_WRITE, EVENT_READ | EVENT_WRITE}:
                    raise AssertionError(
                        f"a channel waits for {waits_for!r}; expected EVENT_READ, EVENT_WRITE or both"
                    )
                selector.register(channel.fileno(), waits_for)
                events = selector.select(SECONDS)
                selector.unregister(channel.fileno())
                if not events:
                    raise AssertionError(f"a channel waits for longer than {SECONDS:g} seconds")
                ready = events[0][1]
        except StopIteration as end:
            rows: StoredRows = end.value
            return rows


@contextmanager
def _channel(store: ChannelStore) -> Iterator[Channel]:
    channel = store.channel()
    try:
        yield channel
    finally:
        channel.close()


def _plain(answers: StoredRows) -> list[tuple[object, list[bytes | None]]]:
    return [(held, [*rows]) for held, rows in answers]


def _write(store: OnlineStore, view: str, version: int, value: bytes = b"") -> None:
    store.write(view, [(key, row(version, value)) for key in KEYS], state(version), replace=False)


def _answers_as_the_store(store: OnlineChannelStore, reopened: OnlineChannelStore) -> bool:
    """Answer as the store for several views, absent ones, unknown and repeated keys, and no keys; again and again."""
    with _channel(store) as channel:
        wanted = [("one", KEYS), ("two", [b"a", b"d", b"a"])]
        empty = _plain(read_channel(channel, wanted)) == [(None, [None] * 3), (None, [None] * 3)]
        _write(reopened, "one", 1)
        _write(reopened, "two", 2)
        requests: list[ViewKeys] = [
            wanted,
            [("two", [b"d"])],
            [("one", []), ("none", [b"a"]), ("two", KEYS)],
            wanted[:1],
        ]
        return empty and all(
            _plain(read_channel(channel, views)) == _plain(store.read(views)) for views in requests
        )


def _closes_alone(store: OnlineChannelStore, _: OnlineChannelStore) -> bool:
    """Close a channel, and neither the store nor another channel."""
    _write(store, "one", 1)
    with _channel(store) as kept:
        store.channel().close()
        answers = [read_channel(kept, [("one", KEYS)]), store.read([("one", KEYS)])]
    return [_plain(answer) for answer in answers] == [[(state(1), [row(1, b"")] * len(KEYS))]] * 2


def _waits_in_steps(store: OnlineChannelStore, _: OnlineChannelStore) -> bool:
    """Yield before the answer: a read that blocks stops the event loop."""
    _write(store, "one", 1)
    with _channel(store) as channel:
        read_channel(channel, [("one", KEYS)])  # a store may prepare its command
        steps = channel.read([("one", KEYS)])
        try:
            steps.send(None)  # type: ignore[arg-type]
        except StopIteration:
            return False
        return _plain(_rest(channel, steps, EVENT_READ)) == _plain(store.read([("one", KEYS)]))


def _sees_earlier_writes(store: OnlineChannelStore, reopened: OnlineChannelStore) -> bool:
    """Return each write that ended before the read began, of any writer."""
    with _channel(store) as channel:
        for version in range(1, 7):
            _write(reopened if version % 2 else store, "one", version)
            answer = read_channel(channel, [("one", KEYS)])
            if _plain(answer) != [(state(version), [row(version, b"")] * len(KEYS))]:
                return False
    return True


def _many_rows(store: OnlineChannelStore, _: OnlineChannelStore) -> bool:
    """Take commands and answers that are larger than a socket takes at once."""
    pairs = [(b"%04d" % number + b"x" * 400, row(1, b"y" * 2_000)) for number in range(2_000)]
    store.write("one", pairs, state(1), replace=True)
    with _channel(store) as channel:
        answer = read_channel(channel, [("one", [key for key, _ in pairs])])
    return _plain(answer) == [(state(1), [stored for _, stored in pairs])]


def _channels_apart(store: OnlineChannelStore, reopened: OnlineChannelStore) -> bool:
    """Let each channel get its own answer, while another one waits for its own."""
    _write(store, "one", 1)
    _write(store, "two", 2)
    with _channel(store) as first, _channel(store) as second, _channel(reopened) as third:
        steps = first.read([("one", KEYS)])
        steps.send(None)  # type: ignore[arg-type]
        others = [_plain(read_channel(channel, [("two", KEYS)])) for channel in (second, third)]
        mine = _plain(_rest(first, steps, EVENT_READ))
    return mine == _plain(store.read([("one", KEYS)])) and others == [_plain(store.read([("two", KEYS)]))] * 2


def _closed_by_the_server(store: OnlineChannelStore, _: OnlineChannelStore) -> bool:
    """Raise a StoreError with `retry` if the connection is closed; the store and new channels still read."""
    _write(store, "one", 1)
    with _channel(store) as channel:
        read_channel(channel, [("one", KEYS)])
        with socket.socket(fileno=os.dup(channel.fileno())) as connection:
            connection.shutdown(socket.SHUT_RDWR)
        try:
            read_channel(channel, [("one", KEYS)])
        except StoreError as error:
            if not error.retry:
                return False
        except Exception as error:
            raise AssertionError(
                f"a channel whose connection is closed raises {error!r}; expected a StoreError"
            ) from error
        else:
            return False
    with _channel(store) as channel:
        return _plain(read_channel(channel, [("one", KEYS)])) == _plain(store.read([("one", KEYS)]))
