"""Redis that loses rows is noticed: no request is answered as if the keys did not exist, and materialize writes the view in full."""

import polars as pl
import pytest
import redis
from serving import running
from shop import build_shop, move_store

from featurestore.adapters.redis import RedisStore
from featurestore.errors import MissingDataError, StoreError

FEATURES = ["last_order:amount"]
PROJECT = "features"


@pytest.fixture
def server(redis_url):
    """A client of the server, which keeps its rows again at the end."""
    client = redis.Redis.from_url(redis_url)
    client.flushall()
    yield client
    client.config_set("maxmemory-policy", "noeviction")


@pytest.fixture
def project(shop_files, redis_url, server):
    move_store(shop_files, "redis", redis_url)
    opened = build_shop(shop_files)
    opened.materialize()
    return opened


def amount(project):
    return project.get_online([{"customer": 3}], FEATURES)["amount"].to_list()


def rows_of(server):
    [name] = [key for key in server.keys("*:last_order:*") if server.type(key) == b"hash"]
    return name


def evict_rows(server):
    server.unlink(rows_of(server))


def evict_state(server):
    server.unlink(rows_of(server).rpartition(b":")[0])


def evict_all(server):
    server.flushall()


def lose_a_row(server):
    name = rows_of(server)
    server.hdel(name, server.hkeys(name)[0])


@pytest.mark.parametrize("lose", [evict_rows, evict_state, evict_all, lose_a_row])
def test_lost_rows_are_refused_and_written_again(project, server, lose):
    """Until then the server answers 503, also for keys that are still there."""
    with running(project.settings.root) as client:
        assert client.vectors({"customer": 3, "basket": 16.0}).status_code == 200
        lose(server)
        assert client.vectors({"customer": 3, "basket": 16.0}).status_code == 503
        assert client.get("/ready").status_code == 503
        with pytest.raises(MissingDataError, match="not in the online store, or not with all of its rows"):
            amount(project)
        [view] = project.materialize().views
        assert view.full
        assert client.vectors({"customer": 3, "basket": 16.0}).json()["values"][0][0] == 8.0
    assert amount(project) == [8.0]
    assert project.audit().mismatches == 0


def test_what_a_lost_state_left_behind_is_not_served(project, server):
    """A view that is written in full holds no row of before, though the hash of its rows stayed."""
    server.hset(f"{rows_of(server).rpartition(b':')[0].decode()}:1", b"\x91\x63", b"\xff" * 20)
    evict_state(server)
    project.materialize()
    assert project.audit().mismatches == 0


def test_a_store_of_a_former_version_without_counts_is_served(project, server):
    """Its rows are counted from the next write on."""
    name = rows_of(server).rpartition(b":")[0]
    counts = [field for field in server.hkeys(name) if field.startswith(b"count:")]
    server.hdel(name, *counts)
    assert amount(project) == [8.0]
    before = dict(project.store().scan("last_order"))
    project.store().write("last_order", before.items(), project.store().state("last_order"), replace=False)
    assert amount(project) == [8.0]
    lose_a_row(server)
    with pytest.raises(MissingDataError):
        amount(project)


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl", "allkeys-random"])
def test_a_server_that_evicts_is_refused(server, redis_url, policy):
    """The error names the policy, the expected one, and the command."""
    server.config_set("maxmemory-policy", policy)
    with pytest.raises(StoreError, match=f"maxmemory-policy is {policy}, expected noeviction") as caught:
        RedisStore(redis_url, PROJECT)
    assert "CONFIG SET maxmemory-policy noeviction" in caught.value.hint


@pytest.mark.parametrize("write", ["push", "materialize"])
@pytest.mark.parametrize("answer_lost", [False, True])
def test_a_network_that_is_lost_during_a_write_leaves_the_view_before_or_after_it(
    project, monkeypatch, write, answer_lost
):
    """The rows and the state of the view change in one step, whichever command or answer is lost."""
    rows = project.dataset("last_order").select("customer", "amount", "coupon", "ordered_at").collect()
    send = redis.connection.Connection.send_packed_command
    project.materialize(until="2024-01-05T00:00:00Z")
    for lost_at in range(12):
        before = list(project.store().scan("last_order")), project.store().state("last_order")
        sent = 0

        def sent_until_lost(connection, *args, lost_at=lost_at, **named):
            nonlocal sent
            sent += 1
            if sent <= lost_at or (answer_lost and sent == lost_at + 1):
                send(connection, *args, **named)
            if sent > lost_at:
                if answer_lost and sent == lost_at + 1:
                    connection.read_response()
                connection.disconnect()
                raise redis.exceptions.ConnectionError("lost")

        monkeypatch.setattr(redis.connection.Connection, "send_packed_command", sent_until_lost)
        try:
            if write == "push":
                event = rows["ordered_at"].max()
                row = rows[:1].with_columns(
                    amount=pl.lit(float(lost_at)), event_timestamp=event, ordered_at=event
                )
                project.push("last_order", row)
            else:
                project.materialize(until=f"2024-01-{6 + lost_at % 4:02}T14:00:00Z")
        except StoreError:
            pass
        monkeypatch.undo()
        after = list(project.store().scan("last_order")), project.store().state("last_order")
        assert after[0] == before[0] or after[1] != before[1]
    assert 0 < sent < lost_at, "the last write is one that nothing interrupts"
