"""The proof finds no difference in code that is right, finds each planted fault, and leaves served data untouched."""

import re
from contextlib import redirect_stdout
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from random import Random

import polars as pl
import pytest
from menagerie import write_menagerie
from rates import write_rates
from shop import move_store, write_files

import featurestore
from featurestore.adapters.postgres import PostgresStore
from featurestore.operations import get_online
from featurestore.quality.gate import view_rows
from featurestore.storage import online
from featurestore.testing.cases import CaseMaker
from featurestore.timing import fold, join
from featurestore.values import codec
from featurestore.vectors import historical, reader


@pytest.fixture(scope="module")
def shop_root(tmp_path_factory):
    """The shop's files, for all tests of the module: a proof changes nothing in them."""
    return write_files(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    """A project with every dtype and every kind of check."""
    return featurestore.open(write_menagerie(tmp_path_factory.mktemp("zoo")))


def test_a_row_that_must_be_refused_has_the_version_of_no_good_row(tmp_path):
    """Otherwise the gate keeps the good row out too, and prove reports a difference where there is none."""
    view = featurestore.open(write_rates(tmp_path)).catalog.view("rates")
    base = datetime(2024, 3, 10, 7, tzinfo=UTC)
    for seed in range(20):
        cases = CaseMaker(view, Random(seed)).cases(base, 8)  # noqa: S311 - cases, not secrets
        assert cases.refused
        refused = {row["event_timestamp"] for row in cases.refused}
        assert refused.isdisjoint(row["event_timestamp"] for row in cases.rows)


def test_every_dtype_check_and_timing_is_proved_through_every_path(zoo):
    """No cell differs, each path answers, and rows beyond the bounds are refused."""
    record = zoo.prove(cases=24)
    assert record.differences == ()
    assert record.unproved == {}
    assert (record.views, record.services) == (("animals", "checked"), ("zoo",))
    assert set(record.paths) >= {
        "get_online",
        "reader",
        "HTTP /v1/vectors",
        "HTTP /get-online-features",
        "historical",
    }
    assert min(record.paths.values()) > 1_000
    assert record.cells == sum(record.paths.values())
    assert record.refused > 80
    assert record.left_out == 0


def test_equal_seeds_give_equal_cases(shop_root):
    """A proof can be repeated; another seed tries other cases."""
    project = featurestore.open(shop_root)
    first, again, different = (project.prove(cases=1, seed=seed) for seed in (7, 7, 8))
    assert first == again
    assert first.rows != different.rows


def test_what_is_served_is_untouched(shop):
    """The store, the data and the clock are as before; nothing is left in the folder for temporary files."""
    shop.materialize()
    before = {path: path.read_bytes() for path in shop.layout.data.rglob("*") if path.is_file()}
    held = list(shop.store().scan("last_order"))
    assert shop.prove(cases=2).differences == ()
    files = {path: path.read_bytes() for path in shop.layout.data.rglob("*") if path.is_file()}
    assert {p: b for p, b in files.items() if p.suffix != ".mdb"} == {
        p: b for p, b in before.items() if p.suffix != ".mdb"
    }
    assert list(shop.store().scan("last_order")) == held


def cut_versions(frame, keys, features):
    """Encode versions of whole seconds."""
    for key, row in codec.encode_rows(frame, keys, features):
        event, created = codec.HEADER.unpack_from(row)
        header = codec.HEADER.pack(event - event % 10**6, created - created % 10**6)
        yield key, codec.seal(key, header + codec.values_of(row))


def without_negative_zero(rows, schema):
    """Decode -0.0 as 0.0."""
    floats = [pl.col(name) for name, dtype in schema.items() if dtype.is_float()]
    zeros = [pl.when(value == 0).then(value.abs()).otherwise(value).name.keep() for value in floats]
    return codec.decode_rows(rows, schema).with_columns(zeros)


def without_created(timing):
    """Take a row as known at its event, also where it was created later."""
    return known_at(replace(timing, created=False))


def from_the_start(rows, timing, *, until, after=None):
    """List also what became known at the start of an interval."""
    return known_rows(rows, timing, until=until, after=after and after - timedelta(microseconds=1))


known_at = fold.known_at
known_rows = fold.known_rows
ready = reader._ready
FAULTS = {
    "microseconds are cut from versions": (online, "encode_rows", cut_versions),
    "late rows are known too early in training": (join, "known_at", without_created),
    "the reader ignores the ttl": (reader, "_ready", lambda *a: replace(ready(*a), ttl=None)),
    "deleted keys are served": (online, "encode_deleted", lambda *_: []),
    "negative zero is lost": (get_online, "decode_rows", without_negative_zero),
    "the start of an interval is included": (historical, "known_rows", from_the_start),
    "rows that contradict each other pass": (
        view_rows,
        "duplicated_rows",
        lambda frame, *_: frame.head(0).collect()["__row__"],
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_and_shown_by_a_script(fault, shop_root, monkeypatch):
    """The script is short, needs nothing else, and prints another value than the expected one."""
    monkeypatch.setattr(*FAULTS[fault])
    record = featurestore.open(shop_root).prove(cases=8)
    first = record.differences[0]
    assert first.script.count("'event_timestamp'") <= 6
    with redirect_stdout(StringIO()) as printed:
        exec(compile(first.script, "script", "exec"), {})  # noqa: S102 - it is ours
    actual = re.search(r"^actual: +(.*)$", printed.getvalue(), re.MULTILINE)
    assert printed.getvalue() if actual is None else actual[1] != first.expected
    with pytest.raises(featurestore.SkewError, match=rf"{first.name}.*by {re.escape(first.path)} on lmdb"):
        record.require_parity()


def test_keys_that_become_equal_once_joined_are_tried(zoo, monkeypatch):
    """The keys ("a", "b|c") and ("a|b", "c") are two."""
    for home in (codec, reader):
        monkeypatch.setattr(home, "encode_key", lambda key: "|".join(map(str, key)).encode())
    assert zoo.prove(cases=2).differences


def moved_to(kind: str, url: str, root: Path) -> featurestore.Project:
    """Return the project in `root`, with its online store on a server."""
    move_store(root, kind, url)
    return featurestore.open(root)


def test_redis_is_proved_under_a_name_of_its_own(redis_url, tmp_path, monkeypatch):
    """The embedded store and Redis are both read; no key is left, also after a difference."""
    import redis  # noqa: PLC0415 - an extra

    project = moved_to("redis", redis_url, write_files(tmp_path))
    record = project.prove(cases=6)
    assert (record.stores, record.differences) == (("lmdb", "redis"), ())
    monkeypatch.setattr(online, "encode_rows", cut_versions)
    assert project.prove(cases=6).differences
    assert redis.Redis.from_url(redis_url).keys() == []


def test_postgres_is_proved_in_a_schema_of_its_own(postgres_url, tmp_path, monkeypatch):
    """The embedded store and PostgreSQL are both read; no schema is left, also after a failure."""
    import psycopg  # noqa: PLC0415 - an extra

    project = moved_to("postgres", postgres_url, write_files(tmp_path))
    record = project.prove(cases=6)
    assert (record.stores, record.differences) == (("lmdb", "postgres"), ())
    monkeypatch.setattr(PostgresStore, "read", lambda *_: 1 / 0)
    assert {d.store for d in project.prove(cases=2).differences} == {"postgres"}
    with psycopg.connect(postgres_url) as connection:
        schemas = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'featurestore%'")
        assert schemas.fetchall() == []
