"""What a command acknowledged outlasts a power loss: contents are synced before they count, and names after."""

import errno
import os
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from disk import watched
from runner import run

from featurestore.adapters.lmdb import LmdbStore
from featurestore.errors import StoreError, UnknownNameError
from featurestore.ports import ViewState
from featurestore.service.runtime.keys import add_key, remove_key
from featurestore.storage.files import append_record, write_text
from featurestore.storage.layout import Layout
from featurestore.storage.together import replaced_together

ROWS = pl.DataFrame(
    {
        "customer": [1],
        "event_timestamp": ["2024-01-09T22:00:00Z"],
        "ordered_at": ["2024-01-09T22:00:00Z"],
        "amount": [99.5],
        "coupon": ["NEW"],
    }
)


def change(shop, before, after):
    path = shop.settings.root / "data/raw/orders.csv"
    path.write_text(path.read_text().replace(before, after))


def refused(shop):
    assert run("validate", "orders", cwd=shop.settings.root).returncode == 4


# Only the last step of each is watched.
DOORS = {
    "materialize": (lambda shop: shop.materialize(),),
    "push": (lambda shop: shop.materialize(), lambda shop: shop.push("last_order", ROWS)),
    "push to a release": (
        lambda shop: shop.materialize(),
        lambda shop: shop.release(),
        lambda shop: shop.push("last_order", ROWS),
    ),
    "second push": (
        lambda shop: shop.push("last_order", ROWS),
        lambda shop: shop.push("last_order", ROWS.with_columns(customer=2)),
    ),
    "delete": (
        lambda shop: shop.materialize(),
        lambda shop: shop.delete("last_order", pl.DataFrame({"customer": [1]})),
    ),
    "release": (lambda shop: shop.materialize(), lambda shop: shop.release()),
    "rollback": (
        lambda shop: shop.materialize(),
        lambda shop: shop.release(),
        lambda shop: shop.release(),
        lambda shop: shop.rollback(),
    ),
    "training set": (lambda shop: shop.training_set("visits"),),
    "validate, with quarantine": (
        lambda shop: change(shop, "10.5", "11.5"),
        lambda shop: shop.validate("orders"),
    ),
    "refuse": (lambda shop: change(shop, "2024-01-0", "0-"), refused),
    "report": (lambda shop: shop.report(),),
    "add a key": (lambda shop: add_key(shop.layout.keys, "one", scopes=("read",)),),
    "remove a key": (
        lambda shop: add_key(shop.layout.keys, "one", scopes=("read",)),
        lambda shop: remove_key(shop.layout.keys, "one"),
    ),
}


@contextmanager
def stores_watched(disk, monkeypatch):
    """Record when a store is written."""
    write = LmdbStore.write

    def recorded(*arguments, **options):
        disk.calls.append(("write store", str(len(disk.lost()))))
        return write(*arguments, **options)

    monkeypatch.setattr(LmdbStore, "write", recorded)
    yield
    monkeypatch.undo()


@pytest.mark.parametrize("door", DOORS)
def test_no_name_and_no_content_can_be_lost(shop, monkeypatch, door):
    """After each door every new file is synced, and its folder after the file got its name."""
    *earlier, act = DOORS[door]
    for step in earlier:
        step(shop)
    with watched(shop.layout.data, monkeypatch) as disk:
        act(shop)
    assert disk.lost() == set()
    assert disk.too_early == []


@pytest.mark.parametrize("door", ["push", "delete"])
def test_the_log_is_on_disk_before_the_store_changes(shop, monkeypatch, door):
    """A store never holds rows that the log could lose."""
    shop.materialize()
    with watched(shop.layout.data, monkeypatch) as disk, stores_watched(disk, monkeypatch):
        DOORS[door][-1](shop)
        [(_, lost), *_] = [call for call in disk.calls if call[0] == "write store"]
    assert lost == "0"
    written = disk.position("write store")
    assert any("pushed" in call[-1] for call in disk.calls[:written] if call[0] == "replace")


def test_the_first_line_of_a_record_syncs_its_folders(tmp_path, monkeypatch):
    """New folders, and the name of a new file, are synced; a later line needs no more than its file."""
    path = tmp_path / "a/b/record.jsonl"
    line = ViewState(definition="d", source="s", watermark=1)
    with watched(tmp_path, monkeypatch) as disk:
        append_record(line, path)
    assert disk.lost() == set()
    with watched(tmp_path, monkeypatch) as disk:
        append_record(line, path)
    assert ("fsync", str(path)) in disk.calls
    assert ("fsync", str(path.parent)) not in disk.calls


def test_a_journal_ends_on_disk_before_the_old_files_are_removed(tmp_path, monkeypatch):
    """Otherwise a power loss would leave a journal whose old files are gone."""
    layout = Layout(tmp_path / "data")
    path = layout.dataset("a")
    write_text("old", path)
    with watched(tmp_path, monkeypatch) as disk, replaced_together(layout, "a") as files:
        write_text("new", files.aside(path))
    second, journal = path.with_name(".a.parquet.before"), layout.replacing / "a.journal"
    linked = disk.position("link", str(path), str(second))
    written = max(i for i, call in enumerate(disk.calls) if call[0] == "replace" and call[-1] == str(journal))
    ended = disk.position("unlink", str(journal))
    removed = max(i for i, call in enumerate(disk.calls) if call == ("unlink", str(second)))
    assert ("fsync", str(path.parent)) in disk.calls[linked:written]
    assert ("fsync", str(journal.parent)) in disk.calls[written:ended]
    assert ("fsync", str(journal.parent)) in disk.calls[ended:removed]
    assert disk.lost() == set()


@pytest.mark.parametrize("left", ["folders", "a file"])
def test_names_that_a_killed_process_made_are_synced_by_the_next(tmp_path, monkeypatch, left):
    """Nobody knows whether they were synced: that they exist does not say so."""
    path = tmp_path / "data/a/b/record.jsonl"
    path.parent.mkdir(parents=True)
    if left == "a file":
        path.write_text("{}\n")
    line = ViewState(definition="d", source="s", watermark=1)
    with watched(tmp_path, monkeypatch) as disk:
        append_record(line, path)
        synced = {place for name, place in disk.calls if name == "fsync"}
        assert {str(path), *(str(path.parents[level]) for level in range(4))} <= synced
        disk.calls.clear()
        append_record(line, path)
        assert [place for name, place in disk.calls if name == "fsync" and place[0] == "/"] == [str(path)]


def test_a_push_after_one_that_could_not_sync_its_folder_outlasts_a_power_loss(shop, monkeypatch):
    """The first made the folder of the log, and its sync failed: it is refused. The second must sync the folder."""
    fsync, data = os.fsync, shop.layout.data
    shop.materialize()

    def full(descriptor):
        if Path(f"/proc/self/fd/{descriptor}").readlink() == data:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        shop.push("last_order", ROWS)
    assert shop.layout.all_pushed.exists()
    monkeypatch.undo()
    with watched(data, monkeypatch) as disk:
        shop.push("last_order", ROWS)
    assert ("fsync", str(data)) in disk.calls


def test_a_key_that_is_said_to_be_gone_stays_gone(shop, monkeypatch):
    """Its removal failed after it took place: the command is repeated, and says that there is no such key."""
    path = shop.layout.keys
    add_key(path, "one", scopes=("read",))
    add_key(path, "two", scopes=("read",))
    fsync = os.fsync

    def full(descriptor):
        if Path(f"/proc/self/fd/{descriptor}").readlink() == path.parent:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        remove_key(path, "one")
    monkeypatch.undo()
    with watched(path.parent, monkeypatch) as disk, pytest.raises(UnknownNameError):
        remove_key(path, "one")
    assert ("fsync", str(path.parent)) in disk.calls


def test_a_sync_that_failed_high_above_is_done_again(tmp_path, monkeypatch):
    """The folders below it were synced: that does not say that those above them were."""
    path = tmp_path / "data/a/b/record.jsonl"
    line = ViewState(definition="d", source="s", watermark=1)
    fsync, top = os.fsync, tmp_path

    def full(descriptor):
        if Path(f"/proc/self/fd/{descriptor}").readlink() == top:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        append_record(line, path)
    monkeypatch.undo()
    with watched(tmp_path, monkeypatch) as disk:
        append_record(line, path)
    assert ("fsync", str(top)) in disk.calls
