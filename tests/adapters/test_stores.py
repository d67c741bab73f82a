"""The stores in memory, LMDB, Redis and PostgreSQL behave the same to the last bit; the servers are real."""

import secrets
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from servers import free_port
from shop import move_store

import featurestore
from featurestore.adapters.feast.context import context_of
from featurestore.adapters.lmdb import LmdbStore
from featurestore.errors import StoreError
from featurestore.testing import MemoryStore
from featurestore.testing.stores import require_store, row, state

READ = """
import sys
from pathlib import Path
from featurestore.adapters.lmdb import LmdbStore

for pair in LmdbStore(Path(sys.argv[1])).scan("view"):
    print("reading", flush=True)
    sys.stdin.readline()
"""

UNPRIVILEGED = """
import os, sys
from pathlib import Path
from featurestore.adapters.lmdb import LmdbStore
from featurestore.errors import StoreError
from featurestore.testing.stores import row, state

if os.geteuid() == 0:
    os.setgroups([])
    os.setuid(65534)
store = LmdbStore(Path(sys.argv[1]))
try:
    pairs = store.scan("view")
    first = next(pairs)
    print("reading", flush=True)
    if sys.argv[2:]:
        sys.stdin.readline()
    list(pairs)
except StoreError as error:
    assert error.retry
    print("overwritten" if "while this process read it without a lock" in str(error) else error)
print(len(list(store.scan("view"))), store.read([("view", [b"a"])])[0][0].watermark)
try:
    LmdbStore(Path(sys.argv[1]), create=True).write("view", [], state(9), replace=False)
except StoreError as error:
    print("read-only" if "cannot be written" in str(error) and not error.retry else error)
"""


def lmdb_factory(tmp_path):
    return lambda: LmdbStore(tmp_path / "store.lmdb", create=True)


def redis_factory(url):
    from featurestore.adapters.redis import RedisStore  # noqa: PLC0415 - an extra

    return lambda: RedisStore(url, "test")


def postgres_factory(url):
    from featurestore.adapters.postgres import PostgresStore  # noqa: PLC0415 - an extra

    return lambda: PostgresStore(url, "test")


FACTORIES = {"redis": redis_factory, "postgres": postgres_factory}


@pytest.fixture(params=["memory", "lmdb", "redis", "postgres"])
def factory(request, tmp_path):
    """Open the same store again and again."""
    if request.param == "memory":
        store = MemoryStore()
        return lambda: store
    if request.param == "lmdb":
        return lmdb_factory(tmp_path)
    url = request.getfixturevalue(f"{request.param}_url")
    return (redis_factory if request.param == "redis" else postgres_factory)(url)


def test_every_store_keeps_the_laws(factory):
    """One suite for all, shipped with the package."""
    require_store(factory)


def test_concurrent_writers_leave_the_greatest_version(factory):
    """Eight writers, each with every key, in different orders."""
    factory().drop(["view"])
    keys = [number.to_bytes(2, "big") for number in range(300)]

    def write(writer: int) -> None:
        pairs = [(key, row(writer, bytes([writer]))) for key in keys]
        factory().write("view", pairs if writer % 2 else reversed(pairs), state(writer), replace=False)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert dict(factory().scan("view")) == {key: row(7, b"\x07") for key in keys}


def test_concurrent_rewrites_leave_the_rows_of_one(factory):
    """Four writers replace the view, each with its own keys; one that is overtaken raises."""
    factory().drop(["view"])
    written = {
        writer: {bytes([writer, number]): row(writer, b"x") for number in range(250)} for writer in range(4)
    }

    def write(writer: int) -> None:
        with suppress(StoreError):
            factory().write("view", written[writer].items(), state(writer), replace=True)

    for _ in range(5):
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, written))
        assert dict(factory().scan("view")) == written[factory().state("view").watermark]


def test_a_rewrite_that_is_overtaken_is_worth_another_try(redis_url):
    """If two writers replace a view in Redis at once, the later one wins completely."""
    store = redis_factory(redis_url)()

    def overtaken():
        yield b"a", row(1, b"x")
        redis_factory(redis_url)().write("view", [(b"b", row(2, b"y"))], state(2), replace=True)
        yield b"c", row(1, b"x")

    with pytest.raises(StoreError, match="another process began to replace test:view") as caught:
        store.write("view", overtaken(), state(1), replace=True)
    assert caught.value.retry
    assert store.state("view") == state(2)
    assert dict(store.scan("view")) == {b"b": row(2, b"y")}


def test_what_dead_writers_left_in_redis_goes_with_the_next_rewrite(redis_url):
    """After any number of killed writers, Redis holds at most one half-written view, and none after the next complete write."""
    import redis  # noqa: PLC0415 - an extra

    client, store = redis.Redis.from_url(redis_url), redis_factory(redis_url)()
    store.drop(["view"])

    def dying():
        yield from ((number.to_bytes(2, "big"), row(number, b"x")) for number in range(2_500))
        raise KeyboardInterrupt

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            store.write("view", dying(), state(1), replace=True)
        assert len(client.keys("test:view:*")) == 1
    store.write("view", [(b"a", row(1, b"x"))], state(1), replace=True)
    assert len(client.keys("test:view:*")) == 1
    with pytest.raises(KeyboardInterrupt):
        store.write("view", dying(), state(1), replace=True)
    store.drop(["view"])
    assert client.keys("test:view*") == []


@pytest.mark.parametrize("name", ["redis", "postgres"])
def test_a_server_that_does_not_answer_is_worth_another_try(name):
    """The error says so, and does not show the password."""
    url = {"redis": "redis://:secret@127.0.0.1:{}/0", "postgres": "postgresql://me:secret@127.0.0.1:{}/x"}[
        name
    ]
    factory = {"redis": redis_factory, "postgres": postgres_factory}[name](url.format(free_port()))
    with pytest.raises(StoreError, match="does not answer") as caught:
        factory().state("view")
    assert caught.value.retry
    assert "secret" not in str(caught.value)


def test_projects_of_long_names_are_held_apart(postgres_url):
    """PostgreSQL cuts a name at 63 bytes; a release's name is its project's and some more."""
    from featurestore.adapters.postgres import PostgresStore  # noqa: PLC0415 - an extra

    project = "département_" * 6
    ours, release = (PostgresStore(postgres_url, name) for name in (project, f"{project}_0001"))
    for store, value in ((ours, b"x"), (release, b"y")):
        store.write("view", [(b"a", row(1, value))], state(1), replace=True)
    release.drop(["view"])
    assert list(ours.scan("view")) == [(b"a", row(1, b"x"))]
    assert list(PostgresStore(postgres_url, project).scan("view")) == [(b"a", row(1, b"x"))]


def test_who_may_only_read_reads(postgres_url):
    """A reader creates nothing; the first writer creates the tables."""
    import psycopg  # noqa: PLC0415 - an extra

    from featurestore.adapters.postgres import PostgresStore  # noqa: PLC0415 - an extra

    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute("CREATE ROLE reader LOGIN")
        reader = PostgresStore(postgres_url.replace("features@", "reader@"), "shared")
        assert (reader.state("view"), list(reader.scan("view"))) == (None, [])
        assert reader.read([("view", [b"a"])]) == [(None, [None])]
        reader.drop(["view"])
        pairs = [(b"a", row(1, b"x"))]
        PostgresStore(postgres_url, "shared").write("view", pairs, state(1), replace=False)
        owner.execute("GRANT USAGE ON SCHEMA featurestore_shared TO reader")
        owner.execute("GRANT SELECT ON ALL TABLES IN SCHEMA featurestore_shared TO reader")
    assert reader.read([("view", [b"a"])]) == [(state(1), [row(1, b"x")])]
    assert list(reader.scan("view")) == pairs
    with pytest.raises(StoreError, match="permission denied"):
        reader.write("view", pairs, state(2), replace=False)


@pytest.mark.parametrize("project", ["50% {schema} %s", "a\"b'c", "%%", "{"])
@pytest.mark.parametrize("kind", ["redis", "postgres"])
def test_any_name_of_a_project_is_one(kind, project, request):
    """Signs that a statement or a pattern could read are part of the name, and projects stay apart."""
    url = request.getfixturevalue(f"{kind}_url")
    stores = [type(FACTORIES[kind](url)())(url, name) for name in (project, f"{project}2")]
    for version, store in enumerate(stores):
        store.write("view", [(b"a", row(version, b"x"))], state(version), replace=True)
        store.write("view", [(b"b", row(version, b"x"))], state(version), replace=False)
    for version, store in enumerate(stores):
        assert dict(store.scan("view")) == {key: row(version, b"x") for key in (b"a", b"b")}
    stores[0].drop(["view"])
    assert stores[0].state("view") is None
    assert stores[1].read([("view", [b"a"])]) == [(state(1), [row(1, b"x")])]
    if kind == "postgres":
        stores[1].remove_schema()
        assert stores[1].state("view") is None


def test_what_postgres_can_never_hold_is_not_worth_another_try(postgres_url):
    """A key beyond what its index takes."""
    key = secrets.token_bytes(6_000)  # of random bytes, which PostgreSQL cannot compress
    with pytest.raises(StoreError, match="exceeds") as caught:
        postgres_factory(postgres_url)().write("view", [(key, row(1, b"x"))], state(1), replace=False)
    assert not caught.value.retry


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["redis", "postgres"])
def test_a_project_moves_to_a_server_by_two_lines(shop, name, request, monkeypatch):
    """The same definitions and values, through our API and Feast's; the audit agrees."""
    from feast import FeatureStore  # noqa: PLC0415 - after the filters above

    shop.materialize()
    rows = [{"customer": customer, "basket": 10.0} for customer in (1, 2, 3, 9)]
    embedded = shop.get_online(rows, "buying", statuses=True)
    monkeypatch.setenv("STORE_URL", request.getfixturevalue(f"{name}_url"))
    move_store(shop.settings.root, name, "${STORE_URL}")
    moved = featurestore.open(shop.settings.root)
    moved.materialize()
    assert moved.get_online(rows, "buying", statuses=True).equals(embedded)
    assert moved.audit().mismatches == 0
    moved.apply()
    context_of.__globals__["_load"].cache_clear()
    store = FeatureStore(repo_path=str(moved.settings.feast_repo))
    answer = store.get_online_features(store.get_feature_service("buying"), rows).to_dict()
    assert answer["ratio"] == embedded["ratio"].to_list()
    assert answer["amount"] == embedded["amount"].to_list()
    store.teardown()
    assert moved.store().state("last_order") is None


def test_a_lost_connection_is_made_anew(postgres_url):
    """Neither a read nor a write notices."""
    import psycopg  # noqa: PLC0415 - an extra

    store = postgres_factory(postgres_url)()
    store.write("view", [(b"a", row(1, b"x"))], state(1), replace=True)

    def cut():
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND usename = 'features'"
            )

    cut()
    assert store.state("view") == state(1)
    cut()
    assert store.write("view", [(b"a", row(2, b"x"))], state(2), replace=False) == 1


def test_a_killed_reader_does_not_make_the_store_grow(tmp_path):
    """What it was reading when it died is no longer kept for it."""
    path = tmp_path / "store.lmdb"
    pairs = [(number.to_bytes(4, "big"), row(1, b"x" * 200)) for number in range(5_000)]
    store = LmdbStore(path, create=True)
    store.write("view", pairs, state(1), replace=True)
    with subprocess.Popen(
        [sys.executable, "-c", READ, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as reader:
        reader.stdout.readline()
        reader.kill()
    size = (path / "data.mdb").stat().st_size
    for _ in range(12):
        store.write("view", pairs, state(1), replace=True)
    assert (path / "data.mdb").stat().st_size < 4 * size


@pytest.fixture
def shown():
    """A store of five thousand rows that others may read, and not write."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "store.lmdb"
        store = LmdbStore(path, create=True)
        pairs = [(number.to_bytes(4, "big"), row(1, b"x" * 200)) for number in range(5_000)]
        store.write("view", pairs, state(1), replace=True)
        for file in path.iterdir():
            file.chmod(0o444)
        path.chmod(0o555)
        yield path, store, pairs
        path.chmod(0o755)


def unprivileged(path, *words):
    command = [sys.executable, "-c", UNPRIVILEGED, str(path), *words]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_who_may_only_read_an_embedded_store_reads(shown):
    """A write fails, and the error names the missing permission."""
    with unprivileged(shown[0]) as reader:
        printed, _ = reader.communicate()
    assert printed.splitlines() == ["reading", "5000 1", "read-only"]


def test_who_cannot_say_that_he_reads_is_told_when_it_was_written_over(shown):
    """Pages are reused after two further writes; what was read from them is discarded."""
    path, store, pairs = shown
    with unprivileged(path, "wait") as reader:
        assert reader.stdout.readline() == "reading\n"
        for version in (2, 3, 4):
            store.write("view", pairs, state(version), replace=True)
        printed, _ = reader.communicate("\n")
    assert printed.splitlines() == ["overwritten", "5000 4", "read-only"]


def test_stores_whose_folder_is_gone_give_their_room_back(tmp_path):
    """A process can open any number of stores, one after another."""
    for number in range(600):
        folder = tmp_path / str(number)
        LmdbStore(folder, create=True).write("view", [(b"a", row(1, b"x"))], state(1), replace=False)
        shutil.rmtree(folder)
