"""A push or a deletion that fails is not in the log, or the error says that it may be applied later."""

import errno
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from featurestore.config import load_settings
from featurestore.errors import SkewError, StoreError
from featurestore.operations.delete import delete
from featurestore.operations.push.logged import LoggedError
from featurestore.operations.push.push import push
from featurestore.storage.log import log_files
from featurestore.workspace import Workspace

EVENT = datetime(2024, 1, 9, 22, tzinfo=UTC)
ROW = pl.DataFrame(
    {"customer": [1], "event_timestamp": [EVENT], "amount": [99.5], "coupon": ["NEW"], "ordered_at": [EVENT]}
)


class FullStore:
    """A store that takes no more writes, of the project or of its release."""

    def __init__(self, store):
        self.state, self.read, self.scan = store.state, store.read, store.scan

    def write(self, *_, **__):
        raise StoreError("the store is full", hint="free space", retry=True)


def full(project, *, release):
    """Return the workspace of a project whose own store, or that of its release, is full."""
    workspace = project._workspace

    def opened(settings, *, create=False):
        store = workspace.parts.open_store(settings, create=create)
        return FullStore(store) if (settings.root != workspace.root) == release else store

    return Workspace.of(load_settings(workspace.root), replace(workspace.parts, open_store=opened))


@pytest.mark.parametrize("release", [False, True])
@pytest.mark.parametrize("write", ["push", "delete"])
def test_a_write_that_the_store_refuses_says_that_it_may_be_applied_later(shop, write, release):
    """The log has it; the next write applies it."""
    shop.materialize()
    if release:
        shop.training_set("visits")
        shop.release()
    function, rows = {"push": (push, ROW), "delete": (delete, pl.DataFrame({"customer": [3]}))}[write]
    with pytest.raises(LoggedError, match="may be applied later") as caught:
        function(full(shop, release=release), "last_order", rows)
    assert (caught.value.view, caught.value.rows, caught.value.retry) == ("last_order", 1, True)
    shop.push("last_order", ROW.with_columns(customer=pl.lit(2)))
    expected = [99.5, 8.0] if write == "push" else [None, None]
    assert (
        shop.get_online([{"customer": 1}, {"customer": 3}], ["last_order:amount"])["amount"].to_list()
        == expected
    )
    assert shop.audit().mismatches == 0


def test_a_push_that_a_release_cannot_take_is_not_logged(shop):
    """The release is asked before anything is written."""
    shop.materialize()
    shop.training_set("visits")
    root = shop.layout.releases / shop.release().name
    path = root / "feature_repo/shop.py"
    path.write_text(path.read_text().replace("minutes=1)", "minutes=2)"))
    with pytest.raises(SkewError):
        shop.push("last_order", ROW)
    assert not list(shop.layout.pushed("last_order").glob("*.parquet"))


def fail_to_sync(monkeypatch, folder, *, after=0):
    """Let the disk be full when the names in a folder are synced, or a file of it is, after a number of syncs."""
    sync, left = os.fsync, [after]

    def full_disk(descriptor):
        if str(folder) in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full_disk)


@pytest.mark.parametrize("syncs", [0, 1])
@pytest.mark.parametrize("write", ["push", "delete"])
def test_a_file_of_the_log_that_cannot_be_synced_is_not_in_the_log(shop, monkeypatch, write, syncs):
    """Neither if its content could not be synced, nor if its name could not be: the next number is the same."""
    shop.materialize()
    layout = shop.layout
    log = {"push": layout.pushed("last_order"), "delete": layout.deleted("last_order")}[write]
    log.mkdir(parents=True)
    fail_to_sync(monkeypatch, log, after=syncs)
    with pytest.raises(StoreError, match="No space left") as caught:
        {
            "push": lambda: shop.push("last_order", ROW),
            "delete": lambda: shop.delete("last_order", ROW.select("customer")),
        }[write]()
    monkeypatch.undo()
    assert not isinstance(caught.value, LoggedError)
    assert log_files(log) == []
    assert shop.get_online([{"customer": 1}], ["last_order:amount"])["amount"].to_list() == [None]


@pytest.mark.parametrize("write", ["push", "delete"])
def test_a_write_whose_record_cannot_be_kept_says_that_it_is_in_the_log(shop, monkeypatch, write):
    """The store has it by then."""
    shop.materialize()
    commits = shop.layout.commits("last_order")
    fail_to_sync(monkeypatch, commits)
    with pytest.raises(LoggedError, match="No space left"):
        {
            "push": lambda: shop.push("last_order", ROW),
            "delete": lambda: shop.delete("last_order", ROW.select("customer")),
        }[write]()
