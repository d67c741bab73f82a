"""Training and serving agree about deleted keys, after any pushes, deletions and materializations."""

import shutil
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import examples

import featurestore
from featurestore.config import load_settings
from featurestore.operations.delete import delete
from featurestore.operations.get_online import get_online
from featurestore.operations.historical import historical
from featurestore.operations.materialize import materialize
from featurestore.operations.push.push import push
from featurestore.testing import MemoryStore
from featurestore.workspace import Workspace

NOW = datetime(2024, 1, 10, tzinfo=UTC)  # the shop's clock
MINUTE = timedelta(minutes=1)
KEY = pl.DataFrame({"customer": [3]})
CUSTOMERS = pl.DataFrame({"customer": [1, 3, 7]})
FEATURES = ["last_order:amount"]
PUSH = st.tuples(st.just("push"), st.sampled_from([1, 3, 7]), st.integers(0, 3))
DELETE = st.tuples(st.just("delete"), st.sampled_from([1, 3, 7]), st.just(0))
MATERIALIZE = st.tuples(st.just("materialize"), st.booleans(), st.just(0))


def order(amount, *, customer=3, at=NOW):
    return pl.DataFrame(
        {
            "customer": [customer],
            "event_timestamp": [at],
            "amount": [amount],
            "coupon": [None],
            "ordered_at": [at],
        }
    )


def set_clock(project, now):
    object.__setattr__(project.settings, "as_of", now)


def both(workspace, as_of):
    """Return amounts and statuses of all customers as training and serving read them."""
    joined = historical(workspace, CUSTOMERS.with_columns(event_timestamp=as_of), FEATURES, statuses=True)
    served = get_online(workspace, CUSTOMERS, FEATURES, as_of=as_of, statuses=True)
    columns = ("amount", "amount__status")
    return joined.select(columns).rows(), served.select(columns).rows()


@given(st.lists(st.one_of(PUSH, DELETE, MATERIALIZE), min_size=3, max_size=7))
@examples(6)
def test_training_and_serving_agree_after_any_pushes_and_deletions(shared_shop, steps):
    """After each step both read the same, and what was served earlier is what training reads of that time."""
    store = MemoryStore()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "shop"
        shutil.copytree(shared_shop.settings.root, root)
        parts = replace(shared_shop._workspace.parts, open_store=lambda *_, **__: store)
        workspace = Workspace.of(load_settings(root), parts)
        materialize(workspace)
        times = [NOW]
        answers = {NOW: both(workspace, NOW)[1]}
        for number, (verb, subject, events_ago) in enumerate(steps):
            now = times[-1] + MINUTE
            set_clock(workspace, now)
            if verb == "push":
                # Events at the very time of an earlier step, so also of a deletion.
                at = ([*times, now])[-1 - min(events_ago, len(times))]
                push(workspace, "last_order", order(float(number), customer=subject, at=at))
            elif verb == "delete":
                delete(workspace, "last_order", pl.DataFrame({"customer": [subject]}))
            else:
                materialize(workspace, full=subject)
            joined, served = both(workspace, now)
            assert joined == served
            times.append(now)
            answers[now] = served
        for now in times:
            rows = CUSTOMERS.with_columns(event_timestamp=now)
            joined = historical(workspace, rows, FEATURES, statuses=True)
            assert joined.select("amount", "amount__status").rows() == answers[now]


def test_an_event_at_the_time_of_the_deletion_does_not_bring_the_key_back(shop):
    """A key is deleted from that microsecond on: only a later event brings it back."""
    shop.materialize()
    shop.delete("last_order", KEY)
    set_clock(shop, NOW + timedelta(hours=1))
    done = shop.push("last_order", order(5.0, at=NOW))
    assert (done.rows_applied, done.deleted) == (0, 1)
    assert shop.get_online(KEY, FEATURES)["amount"].to_list() == [None]
    shop.push("last_order", order(6.0, at=NOW + timedelta(microseconds=1)))
    assert shop.get_online(KEY, FEATURES)["amount"].to_list() == [6.0]
    assert shop.audit().mismatches == 0


def test_a_training_set_has_the_key_before_its_deletion_and_not_after(shop):
    """A deletion changes what training reads from its time on, and nothing before it."""
    shop.materialize(until=NOW - timedelta(hours=1))
    times = [NOW - MINUTE, NOW, NOW + MINUTE]
    rows = pl.DataFrame({"customer": [3] * 3, "event_timestamp": times})
    shop.delete("last_order", KEY)
    joined = shop.historical(rows, FEATURES, statuses=True)
    assert joined.select("amount", "amount__status").rows() == [(8.0, 1), (None, 3), (None, 3)]
    verdicts = [shop.explain(row, FEATURES)["last_order"]["verdict"].to_list() for row in rows.iter_slices(1)]
    assert verdicts == [["older", "answer"], ["older", "deleted"], ["older", "deleted"]]


def test_a_training_set_that_samples_a_deleted_key_passes_the_audit(shop):
    """The audit asks the service for rows of the training set: both sides say that the key is not found."""
    shop.training_set("visits")
    shop.materialize()
    shop.delete("last_order", pl.DataFrame({"customer": [1, 2, 3]}))
    assert shop.audit().mismatches == 0


def test_a_key_deleted_again_counts_0(shop):
    """Also when time has passed, and for a key that the store never held; repeated keys count once."""
    shop.materialize()
    keys = pl.DataFrame({"customer": [3, 3, 99]})
    assert shop.delete("last_order", keys) == 2
    set_clock(shop, NOW + timedelta(hours=1))
    assert shop.delete("last_order", keys) == 0
    # The later deletion still counts: an event between the two does not bring the key back.
    assert shop.push("last_order", order(5.0, at=NOW + MINUTE)).deleted == 1


def test_a_push_and_a_deletion_reach_the_active_release(shop):
    """What is served has the rows at once, and the result names the release."""
    shop.materialize()
    shop.release()
    release = featurestore.open(shop.layout.releases / "0001")
    done = shop.push("last_order", order(5.0, at=NOW - MINUTE))
    assert (done.release, done.not_reached) == ("0001", None)
    assert release.get_online(KEY, FEATURES)["amount"].to_list() == [5.0]
    assert shop.plan_delete("last_order", KEY).release == "0001"
    shop.delete("last_order", KEY)
    assert release.get_online(KEY, FEATURES)["amount"].to_list() == [None]
    assert release.audit().mismatches == shop.audit().mismatches == 0


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        (NOW - timedelta(days=30), "older"),
        (NOW + timedelta(hours=1), "pending"),
        (NOW - timedelta(hours=1), "repeated"),
    ],
)
def test_a_push_that_writes_nothing_says_why(shop, at, reason):
    """An older row, one that is known later, and one that was pushed before are counted by their reason."""
    shop.materialize()
    shop.push("last_order", order(5.0, at=NOW - timedelta(hours=1)))
    done = shop.push("last_order", order(5.0, at=at))
    reasons = ("older", "pending", "repeated", "deleted")
    assert {name: getattr(done, name) for name in reasons} == dict.fromkeys(reasons, 0) | {reason: 1}
    assert (done.pending_until is not None) == (reason == "pending")
