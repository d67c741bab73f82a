"""The state of a view on a server has a checksum: a changed bit is noticed."""

import msgspec
import pytest

from featurestore.storage.stored_state import encode_state
from featurestore.testing.stores import row, state
from featurestore.values.codec import ROW_FORMAT


def redis_state(url, change):
    import redis  # noqa: PLC0415 - an extra

    client = redis.Redis.from_url(url)
    client.hset("test:view", "state", change(client.hget("test:view", "state")))


def postgres_state(url, change):
    import psycopg  # noqa: PLC0415 - an extra

    with psycopg.connect(url) as connection:
        [(held,)] = connection.execute("SELECT state FROM featurestore_test.states WHERE view = 'view'")
        connection.execute("UPDATE featurestore_test.states SET state = %s", [change(held)])


def open_store(name, url):
    if name == "redis":
        from featurestore.adapters.redis import RedisStore  # noqa: PLC0415 - an extra

        return RedisStore(url, "test")
    from featurestore.adapters.postgres import PostgresStore  # noqa: PLC0415 - an extra

    return PostgresStore(url, "test")


@pytest.mark.parametrize("name", ["redis", "postgres"])
def test_a_state_that_changed_on_a_server_counts_as_none(request, name):
    """Whichever bit of it changes, no watermark is taken from it; the next writer replaces the view."""
    url = request.getfixturevalue(f"{name}_url")
    store = open_store(name, url)
    change_state = {"redis": redis_state, "postgres": postgres_state}[name]
    store.drop(["view"])
    written = msgspec.structs.replace(state(1), row_format=ROW_FORMAT)
    for place in range(0, len(encode_state("view", written)), 7):
        store.write("view", [(b"a", row(1, b"x"))], written, replace=True)
        assert store.read([("view", [b"a"])]) == [(written, [row(1, b"x")])]
        change_state(url, lambda held, i=place: held[:i] + bytes([held[i] ^ 1 << i % 8]) + held[i + 1 :])
        [(held, rows)] = store.read([("view", [b"a"])])
        assert (held, rows) == (None, [None]) or held.row_format != ROW_FORMAT
    change_state(url, lambda held: held[:-4])
    assert store.state("view") is None
