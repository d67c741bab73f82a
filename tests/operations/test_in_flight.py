"""A request that arrives while a push or a deletion is written replays green: it shows the state before or after it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from logged import log_answers
from shop import build_shop, move_store

from featurestore.config import load_settings
from featurestore.operations.delete import delete
from featurestore.operations.materialize import materialize
from featurestore.operations.push.push import push
from featurestore.operations.release.release import release
from featurestore.operations.replay.replay import replay
from featurestore.project import open_served
from featurestore.workspace import Workspace


class ReadWhileWriting:
    """A store that is read before each write begins, after the rows were given, and after it ended."""

    def __init__(self, store, read):
        self._store = store
        self._read = read
        self.state = store.state
        self.read = store.read
        self.scan = store.scan

    def write(self, view, rows, state, *, replace):
        def given():
            yield from rows
            self._read()

        self._read()
        applied = self._store.write(view, given(), state, replace=replace)
        self._read()
        return applied


def live(files, kind, request):
    """The shop with the clock in place of a fixed timestamp, on a store of a kind."""
    path = files / "feature_repo/feature_store.yaml"
    path.write_text(path.read_text().replace('  as_of: "2024-01-10T00:00:00Z"\n', ""))
    if kind != "lmdb":
        move_store(files, kind, request.getfixturevalue(f"{kind}_url"))
    return build_shop(files)._workspace


def order(amount, customer=3):
    at = datetime.now(UTC) - timedelta(hours=1)
    return pl.DataFrame(
        {
            "customer": [customer],
            "event_timestamp": [at],
            "amount": [amount],
            "coupon": [None],
            "ordered_at": [at],
        }
    )


def read_while_writing(workspace):
    """Return the workspace on a store that is asked, by what the project serves, during each write of its own."""
    answers = []

    def opened(settings, *, create=False):
        store = workspace.parts.open_store(settings, create=create)

        def read():
            # LMDB opens a view once in a process, and not while it is written.
            served_root = open_served(workspace.root)[0].settings.root
            reader = store if served_root == settings.root else None
            answers.append(log_answers(workspace.root, 3, store=reader).values[0][0])

        def read_in_thread():
            # Another thread has another connection to PostgreSQL.
            with ThreadPoolExecutor(1) as pool:
                pool.submit(read).result()

        return ReadWhileWriting(store, read if settings.online_url is None else read_in_thread)

    parts = replace(workspace.parts, open_store=opened)
    return Workspace.of(load_settings(workspace.root), parts), answers


@pytest.mark.parametrize("kind", ["lmdb", "redis", "postgres"])
def test_a_request_during_a_push_or_a_deletion_is_no_mismatch(shop_files, kind, request):
    """A request shows the state before or after a write that is under way: replay accepts both, and counts the former."""
    workspace = live(shop_files, kind, request)
    materialize(workspace)
    busy, answers = read_while_writing(workspace)
    for amount in (1.0, 2.0):
        push(busy, "last_order", order(amount))
    delete(busy, "last_order", pl.DataFrame({"customer": [3]}))
    assert answers == [None, None, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, None]
    record = replay(workspace, "buying")
    assert (record.vectors, record.mismatches, record.causes) == (9, 0, {})
    assert record.in_flight == 6
    # The log is merged: what was in flight is still no mismatch.
    materialize(workspace)
    assert len(list(workspace.layout.pushed("last_order").glob("*-*.*-*.parquet"))) == 1
    record = replay(workspace, "buying")
    assert (record.mismatches, record.in_flight) == (0, 6)


def test_a_push_to_the_project_is_in_flight_until_the_release_has_it(shop_files, request):
    """The active release is reached after the project: replay accepts what it answers until then."""
    workspace = live(shop_files, "lmdb", request)
    materialize(workspace)
    release(workspace)
    busy, answers = read_while_writing(workspace)
    push(busy, "last_order", order(1.0))
    # Three reads of the release around the write of the project, three around its own.
    assert answers == [None, None, None, None, None, 1.0]
    record = replay(workspace, "buying", release="0001")
    assert (record.vectors, record.mismatches, record.in_flight) == (6, 0, 5)


def test_a_store_that_misses_a_push_that_was_written_is_found(shop_files, request):
    """A request that arrives after the writing had ended must see the push."""
    workspace = live(shop_files, "lmdb", request)
    materialize(workspace)
    before = list(workspace.store().scan("last_order"))
    state = workspace.store().state("last_order")
    push(workspace, "last_order", order(1.0))
    workspace.store().write("last_order", before, state, replace=True)
    log_answers(workspace.root, 3)
    record = replay(workspace, "buying")
    assert (record.in_flight, record.mismatches > 0) == (0, True)
    assert {cause.value for cause in record.causes} == {"pushed before it could be served"}
