"""Rows that are pushed while a release is made refuse no release, and the release that becomes active has them."""

from dataclasses import replace

import polars as pl
import pytest
from window_shop import build_window_shop

import featurestore
from featurestore.errors import StoreError
from featurestore.operations.audit.audit import audit
from featurestore.operations.delete import delete
from featurestore.operations.push.push import push
from featurestore.operations.release.release import release
from featurestore.operations.release.releases import active_release
from featurestore.operations.release.rollback import rollback
from featurestore.storage.lock import try_locked


def order(customer, amount):
    day = pl.Series(["2024-01-09T20:00:00Z"]).str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC")
    rows = pl.DataFrame({"customer": [customer], "amount": [amount], "coupon": ["NEW"]})
    return rows.with_columns(event_timestamp=day, ordered_at=day)


def amounts(project):
    rows = [{"customer": customer} for customer in (2, 3, 7)]
    return project.get_online(rows, ["last_order:amount"])["amount"].to_list()


class WriteBeforeEachJoin:
    """The engine of a workspace; before each join, a user writes."""

    def __init__(self, workspace, write):
        self._engine = workspace.engine
        self._write = write
        self.transform = self._engine.transform

    def historical(self, entity_rows, views):
        self._write()
        return self._engine.historical(entity_rows, views)


def written_to(shop, write):
    """Return the workspace of the shop whose audits are interrupted by writes."""
    workspace = shop._workspace
    engine = WriteBeforeEachJoin(workspace, write)
    return replace(workspace, parts=replace(workspace.parts, engine=lambda _: engine))


class BeforeEachScan:
    """A store of which a view is written before each scan."""

    def __init__(self, store, view, write):
        self._store, self._view, self._write_first = store, view, write
        self.state, self.read, self.write = store.state, store.read, store.write

    def scan(self, view):
        if view == self._view:
            self._write_first()
        return self._store.scan(view)


def release_while(workspace, view, write):
    """Make a release; while the rows of a view are copied, a user writes."""

    def opened(settings, *, create=False):
        store = workspace.parts.open_store(settings, create=create)
        return BeforeEachScan(store, view, write) if settings.root == workspace.root else store

    release(replace(workspace, parts=replace(workspace.parts, open_store=opened)))


@pytest.fixture
def stored(shop):
    shop.training_set("visits")
    shop.materialize()
    return shop


def test_writes_between_the_snapshot_and_the_audit_refuse_no_release(stored):
    """The audit compares what the release's store was written from; then the release takes the rest, and is served."""
    numbers = iter(range(20, 1_000))

    def write():
        push(stored._workspace, "last_order", order(3, float(next(numbers))))
        push(stored._workspace, "last_order", order(7, float(next(numbers))))
        delete(stored._workspace, "last_order", pl.DataFrame({"customer": [2]}))

    release(written_to(stored, write))
    last = next(numbers) - 1
    root = stored.layout.releases / "0001"
    assert amounts(featurestore.open(root)) == amounts(stored) == [None, last - 1, last]
    assert featurestore.open(root).audit().mismatches == stored.audit().mismatches == 0
    stored.push("last_order", order(3, 9.0))
    assert amounts(featurestore.open(root)) == [None, 9.0, last]


def test_writes_while_the_store_is_copied_refuse_no_release(stored):
    """The copy may have rows that came after the release began: its own log has them too."""

    def write():
        # Under a fixed time, the second one of an event takes a later time.
        push(stored._workspace, "last_order", order(3, 19.0))
        push(stored._workspace, "last_order", order(3, 20.0))
        push(stored._workspace, "last_order", order(7, 21.0))
        delete(stored._workspace, "last_order", pl.DataFrame({"customer": [2]}))

    release_while(stored._workspace, "last_order", write)
    root = stored.layout.releases / "0001"
    assert amounts(featurestore.open(root)) == amounts(stored) == [None, 20.0, 21.0]
    assert featurestore.open(root).audit().mismatches == 0


def test_events_of_a_windowed_view_that_come_while_it_is_copied_count_once(tmp_path):
    """The copy has some of them already when its log is read."""
    shop = build_window_shop(tmp_path)
    for training in shop.catalog.training_sets:
        shop.training_set(training)
    shop.check_leaks()
    shop.materialize()
    orders = iter(range(100, 1_000))

    def write():
        for customer in (3, 3, 7):
            row = order(customer, 5.0).select("customer", "amount", "event_timestamp")
            push(shop._workspace, "spending", row.with_columns(order=pl.lit(next(orders))))

    release_while(shop._workspace, "spending", write)
    released = featurestore.open(shop.layout.releases / "0001")
    features = ["spending:orders_3d", "spending:spent_3d"]
    answers = [p.get_online([{"customer": 3}, {"customer": 7}], features).rows() for p in (released, shop)]
    assert answers[0] == answers[1] == [(3, 4, 25.0), (7, 1, 5.0)]
    assert released.audit().mismatches == 0


def test_a_view_that_is_materialized_from_other_rows_while_it_is_copied_is_named(stored):
    """Its copy would hold the rows of one build, and its state would name another."""

    def write():
        raw = stored.settings.root / "data/raw/orders.csv"
        raw.write_text(raw.read_text().replace(",8,", ",9,"))
        stored.validate("orders")
        stored.build("last_order")
        stored.materialize()

    with pytest.raises(StoreError, match="'last_order' was materialized from other rows") as caught:
        release_while(stored._workspace, "last_order", write)
    assert caught.value.retry
    assert active_release(stored.layout) is None


@pytest.mark.parametrize("activation", ["release", "rollback"])
def test_nobody_writes_between_the_last_rows_of_a_release_and_its_switch(stored, activation):
    """A push that is acknowledged before the switch is in the new release; one after it writes to the new release."""
    workspace = stored._workspace
    if activation == "rollback":
        release(workspace)
        release(workspace)
    before = active_release(workspace.layout)
    free = []

    def opened(settings, *, create=False):
        store = workspace.parts.open_store(settings, create=create)
        return Watched(store) if settings.root.parent == workspace.layout.releases else store

    class Watched:
        def __init__(self, store):
            self._store = store
            self.state, self.read, self.scan = store.state, store.read, store.scan

        def write(self, *args, **named):
            with try_locked(workspace.layout.pushing("last_order")) as is_free:
                free.append(is_free)
            assert active_release(workspace.layout) == before
            return self._store.write(*args, **named)

    watched = replace(workspace, parts=replace(workspace.parts, open_store=opened))
    release(watched) if activation == "release" else rollback(watched)
    assert active_release(workspace.layout) != before
    assert free[-1] is False


def test_an_audit_of_a_store_that_is_written_meanwhile_says_so(stored):
    """It neither passes nor blames a cell: nobody can tell what it compared."""
    numbers = iter(range(20, 1_000))

    def write():
        push(stored._workspace, "last_order", order(3, float(next(numbers))))

    with pytest.raises(StoreError, match="view 'last_order' was written while it was audited") as caught:
        audit(written_to(stored, write))
    assert caught.value.retry
    assert stored.audit().mismatches == 0


def test_a_write_through_a_former_release_reaches_the_active_one(stored):
    """A server writes through the release that it answers from, and learns of the next one up to a second later."""
    for _ in range(2):
        release(stored._workspace)
    former, active = (featurestore.open(stored.layout.releases / name) for name in ("0001", "0002"))
    pushed = former.push("last_order", order(3, 9.0))
    assert (pushed.release, pushed.not_reached) == ("0002", None)
    assert former.plan_delete("last_order", pl.DataFrame({"customer": [2]})).release == "0002"
    former.delete("last_order", pl.DataFrame({"customer": [2]}))
    assert amounts(active) == amounts(former)
    assert amounts(active)[:2] == [None, 9.0]
    # The active release itself needs no second write.
    pushed = active.push("last_order", order(7, 8.0))
    assert (pushed.release, pushed.not_reached) == (None, None)
    assert amounts(active) == [None, 9.0, 8.0]
