"""The channels of Redis and PostgreSQL keep one suite, which is shipped with the package and catches faults."""

import importlib
import socket
import sys
from selectors import EVENT_READ

import pytest
from test_stores import FACTORIES

from featurestore.errors import MissingPackageError, StoreError
from featurestore.testing import MemoryStore, require_channels
from featurestore.testing.channels import read_channel
from featurestore.testing.stores import row, state


@pytest.mark.parametrize("kind", ["redis", "postgres"])
def test_the_channels_of_a_store_keep_the_laws(kind, request):
    """The servers are real."""
    require_channels(FACTORIES[kind](request.getfixturevalue(f"{kind}_url")))


def test_a_channel_of_postgres_plans_once_and_by_the_index(postgres_url):
    """The plan is made while there is one row, and stays when there are many."""
    store = FACTORIES["postgres"](postgres_url)()
    store.write("one", [(b"a", row(1, b""))], state(1), replace=True)
    channel = store.channel()
    for _ in range(7):
        read_channel(channel, [("one", [b"a"])])
    [counts] = channel._connection.execute(
        "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE name = 'featurestore_1'"
    ).fetchall()
    plan = channel._connection.execute("EXPLAIN EXECUTE featurestore_1('one', '{}')").fetchall()
    channel.close()
    assert counts == (7, 0)
    assert not [line for [line] in plan if "Seq Scan" in line], plan


class Store(MemoryStore):
    """A store in memory with channels over pairs of sockets: a byte goes there, and another comes back."""

    fault = None

    def channel(self):
        return PairChannel(self)


class PairChannel:
    def __init__(self, store):
        self.store, self.fault = store, store.fault
        self.here, self.there = socket.socketpair()
        self.fileno = self.here.fileno
        self.first = None

    def read(self, views):
        answer = self.store.read(views)
        if self.fault == "stale":
            answer = self.first = self.first or answer
        if self.fault == "short":
            answer = [(held, rows[:1_000]) for held, rows in answer]
        try:
            self.there.send(b"!")
            if self.fault != "waits itself":
                yield "forever" if self.fault == "unknown event" else EVENT_READ
            if not self.here.recv(1):
                raise ConnectionResetError
        except OSError:
            if self.fault == "own error":
                raise
            if self.fault == "calm":
                return answer
            raise StoreError("closed", retry=self.fault != "final") from None
        return answer

    def close(self):
        self.here.close()
        self.there.close()
        if self.fault == "closes all":
            self.store.drop(["one"])


def one_store(fault):
    store = Store()
    store.fault = fault
    return lambda: store


def test_a_channel_without_faults_passes():
    """So what follows fails for its fault alone."""
    require_channels(one_store(None))


@pytest.mark.parametrize(
    ("fault", "law"),
    [
        ("stale", "Answer as the store"),
        ("waits itself", "Yield before the answer"),
        ("unknown event", "expected EVENT_READ, EVENT_WRITE or both"),
        ("short", "larger than a socket takes"),
        ("own error", "expected a StoreError"),
        ("calm", "Raise a StoreError with `retry`"),
        ("final", "Raise a StoreError with `retry`"),
        ("closes all", "Close a channel, and neither"),
    ],
)
def test_the_suite_catches_a_fault(fault, law):
    """The error is the law that does not hold."""
    with pytest.raises(AssertionError, match=law):
        require_channels(one_store(fault))


def test_redis_names_its_extra_without_hiredis(monkeypatch):
    """The extra brings hiredis, and nothing reads Redis in another way."""
    monkeypatch.setitem(sys.modules, "hiredis", None)
    for name in ("redis", "redis_channel"):
        monkeypatch.delitem(sys.modules, f"featurestore.adapters.{name}", raising=False)
    with pytest.raises(MissingPackageError, match="hiredis") as caught:
        importlib.import_module("featurestore.adapters.redis")
    assert caught.value.requirement == "featurestore[redis]"
