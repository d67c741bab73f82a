"""What a server says when its definitions, training sets and online store do not belong together."""

import gc
import shutil
from pathlib import Path

import pytest
from serving import ROW, eventually, running

import featurestore
from featurestore.errors import SkewError
from featurestore.operations.release.releases import switch
from featurestore.service.lookup.active_release import ActiveRelease
from featurestore.service.runtime.options import Options

EDITS = {
    "delay=timedelta(minutes=1)": "delay=timedelta(minutes=2)",
    '"customer", "amount",': '"customer", pl.col("amount") * 2,',
}


def edit(project):
    """Change two parts of the view."""
    path = project.settings.feast_repo / "shop.py"
    text = path.read_text()
    for old, new in EDITS.items():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def test_each_fault_has_a_line(stored):
    """The parts of a fault and its hint are separated on the line of its view or training set."""
    stored.training_set("visits")
    edit(stored)
    with pytest.raises(SkewError) as caught:
        ActiveRelease(Options(root=str(stored.settings.root)))
    head, view, training, hint = str(caught.value).splitlines()
    assert head.endswith(": definitions, training sets and online store do not belong together:")
    assert view == (
        "  view last_order: view 'last_order': the online store was written by another definition of it: "
        "timing delay 0:01:00 -> 0:02:00; body of last_order changed (feature_repo/shop.py); "
        "hint: run: featurestore build last_order && featurestore materialize"
    )
    assert training.startswith("  training set visits: training set visits was made with another definition")
    assert training.endswith(
        "; hint: run: featurestore build last_order && featurestore materialize && "
        "featurestore training-set visits"
    )
    assert hint == "  hint: run: dvc repro (or the commands named above), then serve again"


def test_a_running_server_and_a_running_reader_name_the_parts_that_changed(stored):
    """Other code filled the store in the meantime: lookups say what differs, and readiness says it on one line."""
    reader = stored.reader("last_order:amount")
    with running(stored.settings.root) as client:
        edit(stored)
        changed = featurestore.open(stored.settings.root)
        changed.build("last_order")
        changed.materialize()
        with pytest.raises(SkewError, match=r"body of last_order changed \(feature_repo/shop.py\)"):
            reader.read([{"customer": 3}], as_of=stored.settings.now())
        answer = client.vectors({"customer": 3, "basket": 1.0})
        assert "body of last_order changed" in answer.text
        assert "timing delay 0:02:00 -> 0:01:00" in answer.text
        ready = client.get("/ready").text
        assert (
            "timing delay 0:02:00 -> 0:01:00; body of last_order changed (feature_repo/shop.py); hint: start this "
            in ready
        )


def test_a_missing_key_is_not_found_through_every_door(stored):
    """A training set may have rows without a key: they belong to no row, and serving answers them in the same way."""
    rows = [{"customer": None}]
    joined = stored.historical(
        "SELECT NULL::BIGINT AS customer, TIMESTAMPTZ '2024-01-10' AS event_timestamp",
        ["last_order:amount"],
        statuses=True,
    )
    assert joined.select("amount", "amount__status").rows() == [(None, 3)]
    served = stored.get_online(rows, ["last_order:amount"], statuses=True)
    assert served.select("amount", "amount__status").rows() == [(None, 3)]
    read = stored.reader("last_order:amount").read(rows, as_of=stored.settings.now())
    assert (read.values, read.statuses) == ([[None]], [[3]])
    with running(stored.settings.root) as client:
        own = client.vectors({"customer": None, "basket": 1.0}).json()
        assert (own["values"][0][0], own["statuses"][0][0]) == (None, 3)
        body = {"features": ["last_order:amount"], "entities": {"customer": [None]}}
        column = client.post("/get-online-features", body).json()["results"][1]
        assert (column["values"], column["statuses"]) == ([None], ["NOT_FOUND"])


def open_stores():
    """Return the files of embedded stores that this process holds open, removed ones too."""
    links = [path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    return sorted(str(link) for link in links if "data.mdb" in str(link))


def test_the_store_of_a_former_release_closes_with_its_last_request(stored):
    """After any number of releases, a server holds the store of the active one, and that of the one before it."""
    stored.release()
    root, releases = stored.settings.root, stored.layout.releases
    for number in range(2, 8):
        shutil.copytree(releases / "0001", releases / f"{number:04d}", symlinks=True)
    options = Options(root=str(root))
    gc.collect()
    gc.disable()
    try:
        active = ActiveRelease(options)
        for number in range(2, 8):
            switch(stored.layout, f"{number:04d}")
            request = active
            request.endpoint_of_features(("last_order:amount",), full_names=False)
            active = ActiveRelease(options)
            # A request in progress keeps the release that it started with.
            assert request.faults() == {}
            del request
            shutil.rmtree(releases / f"{number - 1:04d}")
        held = [path for path in open_stores() if str(releases) in path]
        assert len(held) <= 4
        assert str(releases / "0007/data/online/store.lmdb/data.mdb") in held
    finally:
        gc.enable()


def connections(port):
    """Return how many connections to a port of this machine are open."""
    _, *lines = Path("/proc/self/net/tcp").read_text().splitlines()
    remote, established = f":{port:04X}", "01"
    return sum(line.split()[2].endswith(remote) and line.split()[3] == established for line in lines)


def test_a_server_keeps_no_connection_to_the_store_of_a_former_release(remote):
    """Switches between two releases open no more connections than the first two, also without garbage collection."""
    project, server = remote
    names = [project.release().name for _ in range(2)]
    with running(project.settings.root, threads=1) as client:
        gc.collect()
        gc.disable()
        try:
            held = []
            for name in names * 4:
                project.rollback(name)
                eventually(lambda name=name: client.get("/ready").json()["release"] == name)
                for _ in range(3):
                    assert client.vectors(ROW).status_code == 200
                held.append(connections(server.port))
            # The first two open a store each. The store that is read has two channels at most.
            assert max(held[2:]) <= held[1] + 2, held
        finally:
            gc.enable()
