"""A running server reloads keys and releases after every change of the files that name them."""

import json
import shutil

import pytest
import requests
from servers import RedisServer, run_server
from serving import ROW, eventually, running
from shop import move_store

import featurestore
from featurestore.errors import StoreError
from featurestore.service.runtime.key_reload import KeyReload
from featurestore.service.runtime.key_scope import KeyScope
from featurestore.service.runtime.keys import add_key, read_keys, remove_key


@pytest.fixture
def keyed(stored):
    """The shop with one key: the path of its keys, and the secret."""
    return stored.layout.keys, add_key(stored.layout.keys, "reader", scopes=(KeyScope.READ,))


def events(capfd):
    return [json.loads(line)["event"] for line in capfd.readouterr().err.splitlines()]


def point_to(project, release):
    current = project.layout.releases / "current"
    current.unlink()
    current.symlink_to(release)


def as_folder(path):
    path.unlink()
    path.mkdir()


def as_text(path):
    path.write_bytes(b"\xff\xfe nonsense")


def below_a_file(path):
    shutil.rmtree(path.parent)
    path.parent.write_text("")


def gone(path):
    path.unlink()


def empty(path):
    path.write_bytes(b"")


def as_link_to_nothing(path):
    path.unlink()
    path.symlink_to("nothing.json")


def as_object(path):
    path.write_text("{}")


BROKEN = [as_folder, as_text, below_a_file, gone, empty, as_link_to_nothing, as_object]


@pytest.mark.parametrize("break_keys", BROKEN)
def test_a_worker_that_starts_without_readable_keys_admits_nobody_until_they_are_back(tmp_path, break_keys):
    """Its parent knows that there were keys. A new server does not start with keys that it cannot read."""
    path = tmp_path / "serving" / "keys.json"
    secret = add_key(path, "reader", scopes=(KeyScope.READ,)).encode()
    content = path.read_bytes()
    break_keys(path)
    worker = KeyReload(path, required=True)
    for _ in range(2):
        with pytest.raises(StoreError, match="no caller is admitted"):
            worker.current().owner_of(secret)
    assert worker.fault is not None
    if break_keys is not gone:
        with pytest.raises(StoreError, match="API keys cannot be read"):
            KeyReload(path)
    for place in (path.parent, path):
        if place.is_file() or place.is_symlink():
            place.unlink()
    if path.is_dir():
        path.rmdir()
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    assert worker.current().owner_of(secret).name == "reader"
    assert worker.fault is None


def test_an_empty_list_of_keys_admits_nobody(tmp_path):
    """It is what the removal of the last key leaves."""
    path = tmp_path / "keys.json"
    path.write_text("[]")
    keys = KeyReload(path).current()
    assert (keys.required, keys.owner_of(b"fs_x")) == (True, None)


@pytest.mark.parametrize("break_keys", [as_folder, as_text, below_a_file, gone])
def test_keys_that_cannot_be_read_admit_nobody_until_they_can(stored, keyed, break_keys, capfd):
    """A key that was removed must not work again. The log says why, once; then keys work as before."""
    path, secret = keyed
    with running(stored.settings.root) as client:
        client.key = secret
        assert client.vectors(ROW).status_code == 200
        break_keys(path)
        eventually(lambda: client.vectors(ROW).status_code == 503)
        refused = client.vectors(ROW)
        assert refused.headers["retry-after"] == "1"
        assert "API keys cannot be read" in refused.json()["error"]["message"]
        ready = client.get("/ready")
        assert (ready.status_code, ready.json()) == (503, {"status": "unready", "release": "working"})
        assert requests.get(client.url + "/health", timeout=30).status_code == 200
        # The server reads the files at least once more: it must not log the same fault again.
        stored.release()
        eventually(lambda: client.get("/ready").json()["release"] == "0001")
        for place in (path.parent, path):
            if place.is_file():
                place.unlink()
        if path.is_dir():
            path.rmdir()
        client.key = add_key(path, "other", scopes=(KeyScope.READ,))
        eventually(lambda: client.vectors(ROW).status_code == 200)
        client.key = secret
        assert client.vectors(ROW).status_code == 401
    assert events(capfd).count("keys_unreadable") == 1


def test_a_server_without_keys_refuses_all_if_their_file_becomes_unreadable(stored):
    """The file may have a first key."""
    with running(stored.settings.root) as client:
        assert client.vectors(ROW).status_code == 200
        stored.layout.keys.mkdir(parents=True)
        eventually(lambda: client.vectors(ROW).status_code == 401)


def test_a_removed_key_stops_working_while_a_release_is_refused(stored, keyed):
    """A broken release does not stop the reload of keys."""
    path, secret = keyed
    second_secret = add_key(path, "other", scopes=(KeyScope.READ,))
    with running(stored.settings.root) as client:
        stored.layout.releases.mkdir()
        (stored.layout.releases / "current").symlink_to("0009")
        client.key = secret
        eventually(lambda: "refused" in client.get("/ready").json())
        assert client.vectors(ROW).status_code == 200
        remove_key(path, "reader")
        eventually(lambda: client.vectors(ROW).status_code == 401)
        client.key = second_secret
        assert client.vectors(ROW).status_code == 200
    assert [key.name for key in read_keys(path)] == ["other"]


@pytest.mark.parametrize(
    ("file", "content"),
    [("feature_repo/shop.py", b"raise SystemExit(3)\n"), ("release.json", b'{"name":"\xff"}')],
)
def test_a_release_that_cannot_be_loaded_leaves_the_active_one(stored, file, content, capfd):
    """This also holds if loading it would end the process; the next release is loaded as usual."""
    for _ in range(3):
        stored.release()
    (stored.layout.releases / "0002" / file).write_bytes(content)
    point_to(stored, "0001")
    with running(stored.settings.root) as client:
        point_to(stored, "0002")
        eventually(lambda: "refused" in client.get("/ready").json())
        assert client.vectors(ROW).json()["release"] == "0001"
        point_to(stored, "0001")
        eventually(lambda: "refused" not in client.get("/ready").json())
        point_to(stored, "0003")
        eventually(lambda: client.get("/ready").json()["release"] == "0003")
    assert events(capfd) == ["release_refused", "release"]


def test_a_release_refused_for_a_passing_reason_is_tried_again(shop):
    """A release whose store did not answer becomes active as soon as the store answers."""
    with run_server(RedisServer) as server:
        move_store(shop.settings.root, "redis", server.url)
        project = featurestore.open(shop.settings.root)
        project.materialize()
        project.release()
        project.release()
        project.rollback("0001")
        with running(shop.settings.root) as client:
            assert client.vectors(ROW).json()["release"] == "0001"
            server.stop()
            point_to(project, "0002")
            eventually(lambda: "does not answer" in client.get("/ready").json().get("refused", ""))
            server.start()
            eventually(lambda: client.get("/ready").json()["release"] == "0002")
            assert client.vectors(ROW).json()["release"] == "0002"
            assert "refused" not in client.get("/ready").json()
