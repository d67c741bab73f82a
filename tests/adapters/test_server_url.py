"""A message names a server, and never its password."""

import traceback
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import examples

from featurestore.adapters.postgres import PostgresStore
from featurestore.adapters.redis import RedisStore
from featurestore.adapters.server_url import client_message, without_secrets
from featurestore.config import load_settings
from featurestore.errors import ConfigError, StoreError


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("rediss://:pass@cache:6379/0?password=secret", "rediss://cache:6379/0"),
        ("postgresql://me:secret@one:1,two:2/db?sslpassword=secret", "postgresql://one:1,two:2/db"),
        ("unix://:secret@/run/redis.sock?db=0", "unix:///run/redis.sock"),
        ("rediss://:p@ss@cache:6379/0", "the configured address"),
        ("redis://me:se?cret@cache/0", "the configured address"),
        ("redis://me:se/cret@cache/0", "the configured address"),
        ("host=db password=secret", "the configured address"),
    ],
)
def test_no_secret_is_shown(url, shown):
    """User names, passwords and queries are left out."""
    assert without_secrets(url) == shown


PASSWORDS = st.text(st.characters(min_codepoint=33, max_codepoint=0x17F), min_size=4, max_size=12).map(
    "Zq9x".__add__
)


@st.composite
def addresses(draw):
    """An address with a password in one of the forms that clients read, and the password."""
    password = draw(PASSWORDS)
    escaped = password.replace("\\", "\\\\").replace("'", "\\'")
    forms = [
        f"redis://:{password}@db/0",
        f"redis://me:{quote(password, safe='')}@db:1/0",
        f"unix://:{quote(password, safe='')}@/run/redis.sock?db=0",
        f"postgresql://me@db/features?sslmode=disable&password={quote(password, safe='')}",
        f"postgresql:///features?host=/run&sslpassword={password}",
        f"host=db password={password} user=me",
        f"host='a b' password = '{escaped}'",
        f"PASSWORD='{escaped}",
        f"redis://db/0 {password}",
    ]
    return draw(st.sampled_from(forms)), password


@given(
    addresses(), st.sampled_from(["{}", "{!r}", "invalid port '{}'", 'missing "=" after "{}" in connection'])
)
@examples(150)
def test_no_address_and_no_quotation_of_it_shows_the_password(address, words):
    """A client may quote the whole address, the password as it is written, or the password as it is read."""
    url, password = address
    written = quote(password, safe="")
    for quoted in (url, password, written, url[url.find("Zq9x") :]):
        shown = client_message(url, ValueError(words.format(quoted))) + without_secrets(url)
        assert "Zq9x" not in shown, (url, shown)


def test_a_message_without_the_password_stays_as_it_is():
    """What helps to find the fault is kept."""
    error = ValueError("connection to server at db, port 1 failed: Connection refused\n")
    quoting = ValueError("the user me has another password than secret")
    assert client_message("redis://me:secret@db", quoting) == "the user me has another password than ***"
    for url in ("postgresql://me:secret@db:1/x", "host=db port=1 password='se cret'", "redis://db"):
        assert client_message(url, error) == "connection to server at db, port 1 failed: Connection refused"
    assert client_message("redis://:pw@db", error) == "ValueError"


@pytest.mark.parametrize(
    ("store", "url"),
    [
        (RedisStore, "redis://:Zq9xsecret@127.0.0.1:Zq9x/0"),
        (RedisStore, "redis://:Zq9x/secret@127.0.0.1:1/0"),
        (RedisStore, "redis://127.0.0.1:1/0?password=Zq9xsecret&db=Zq9xsecret"),
        (RedisStore, "unix://:Zq9xsecret@/none.sock"),
        (RedisStore, "Zq9xsecret"),
        (PostgresStore, "postgresql://me:Zq9xsecret@127.0.0.1:1/x"),
        (PostgresStore, "postgresql://me@127.0.0.1:1/x?password=Zq9xsecret"),
        (PostgresStore, "host=127.0.0.1 port=1 password=Zq9xsecret"),
        (PostgresStore, "host=127.0.0.1 port=1 password=one Zq9xsecret"),
        (PostgresStore, "host=127.0.0.1 Zq9xsecret=1"),
        (PostgresStore, "postgresql://me:Zq9x[secret@127.0.0.1:1/x"),
    ],
)
def test_the_client_of_a_store_shows_no_password(store, url):
    """Neither the message nor the traceback in a log has a part of it."""
    with pytest.raises(StoreError) as caught:
        getattr(store(url, "shop"), "state", lambda _: None)("last_order")
    assert "Zq9x" not in "".join(traceback.format_exception(caught.value))
    assert "Zq9x" not in repr(caught.value)


@pytest.mark.parametrize(
    "text", ["url: 'redis://:Zq9xsecret@db", "url: [redis://:Zq9xsecret@db]", "url: redis://:Zq9xsecret@db"]
)
def test_the_settings_show_no_password(shop_files, text):
    """YAML that cannot be read is not quoted, and the settings themselves do not print the address."""
    path = shop_files / "feature_repo/feature_store.yaml"
    kept = path.read_text().replace("LmdbOnlineStore", "RedisOnlineStore")
    path.write_text(kept.replace("path: ../data/online/store.lmdb", text))
    try:
        shown = repr(load_settings(shop_files))
    except ConfigError as error:
        shown = "".join(traceback.format_exception(error))
        assert str(path) in shown
    assert "Zq9x" not in shown
