"""One writer with a wrong clock takes no view off line, and loses nothing that others write."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from serving import running
from shop import build_shop, move_store

import featurestore
from featurestore import config
from featurestore.errors import ConfigError
from featurestore.timing.clock import MAX_SKEW, ClockError
from featurestore.timing.epoch import microseconds

FEATURES = ["last_order:amount"]
HOUR = timedelta(hours=1)


def live(files, kind, request):
    """The shop on a kind of store, with the clock in place of a fixed timestamp, and one order an hour ago."""
    path = files / "feature_repo/feature_store.yaml"
    path.write_text(path.read_text().replace('  as_of: "2024-01-10T00:00:00Z"\n', ""))
    if kind != "lmdb":
        move_store(files, kind, request.getfixturevalue(f"{kind}_url"))
    project = build_shop(files)
    project.materialize()
    project.push("last_order", order(3, 8.0, datetime.now(UTC) - HOUR))
    return project


def order(customer, amount, event):
    times = {"event_timestamp": [event], "ordered_at": [event]}
    return pl.DataFrame({"customer": [customer], "amount": [amount], "coupon": ["NEW"], **times})


def amounts(project, *customers):
    return project.get_online([{"customer": c} for c in customers], FEATURES)["amount"].to_list()


@pytest.fixture
def ahead(monkeypatch):
    """Set the clock of this machine ahead, as all of featurestore's settings see it."""

    def set_clock(by):
        class Clock(datetime):
            @classmethod
            def now(cls, tz=None):
                return datetime.now(tz) + by

        monkeypatch.setattr(config, "datetime", Clock)

    return set_clock


def set_watermark(project, by):
    """Write a watermark as a writer does whose clock is wrong, and nobody can tell."""
    state = project.store().state("last_order")
    future = microseconds(datetime.now(UTC) + by)
    wrong = type(state)(
        **{name: getattr(state, name) for name in state.__struct_fields__} | {"watermark": future}
    )
    project.store().write("last_order", [], wrong, replace=False)


@pytest.mark.parametrize("kind", ["lmdb", "redis", "postgres"])
def test_a_push_by_a_writer_an_hour_ahead_is_stamped_by_the_clock_of_the_store(
    shop_files, kind, request, ahead, monkeypatch
):
    """The view answers with the row at once, also an event of the wrong clock; a later push by the right clock wins."""
    project = live(shop_files, kind, request)
    event = datetime.now(UTC) - timedelta(minutes=10)
    ahead(HOUR)
    project.push("last_order", order(7, 1.0, event))
    pending = project.push("last_order", order(3, 99.0, datetime.now(UTC) + HOUR))
    project.materialize()
    monkeypatch.undo()
    assert pending.pending == 1
    assert amounts(project, 7, 3) == [1.0, 8.0]
    project.push("last_order", order(7, 2.0, event))
    project.push("last_order", order(3, 9.0, event))
    assert amounts(project, 7, 3) == [2.0, 9.0]
    assert project.audit().mismatches == 0


def test_a_store_that_is_a_little_ahead_answers_as_of_its_watermark(shop_files, request):
    """Clocks may differ by `MAX_SKEW`: nobody is refused, unless the request names an earlier time."""
    project = live(shop_files, "lmdb", request)
    set_watermark(project, MAX_SKEW / 2)
    with running(project.settings.root) as client:
        assert client.get("/ready").status_code == 200
        assert client.vectors({"customer": 3, "basket": 16.0}).json()["values"][0][0] == 8.0
        refused = client.vectors({"customer": 3, "basket": 16.0}, as_of=datetime.now(UTC).isoformat())
        assert refused.status_code == 409
    assert amounts(project, 3) == [8.0]
    with pytest.raises(ClockError):
        project.get_online([{"customer": 3}], FEATURES, as_of=datetime.now(UTC))
    project.push("last_order", order(7, 1.0, datetime.now(UTC) - HOUR))
    assert amounts(project, 7, 3) == [1.0, 8.0]


@pytest.mark.parametrize("write", ["push", "delete", "materialize"])
def test_the_next_write_brings_back_a_store_that_is_far_ahead(shop_files, request, write):
    """Until then reads say how far it is ahead, and a server starts and tells it."""
    project = live(shop_files, "lmdb", request)
    set_watermark(project, HOUR)
    with pytest.raises(
        ClockError, match=r"after .*: the store holds rows that were not known then"
    ) as caught:
        amounts(project, 3)
    assert timedelta(minutes=59) < caught.value.ahead <= HOUR
    with running(project.settings.root) as client:
        assert client.get("/ready").status_code == 503
        if write == "push":
            project.push("last_order", order(7, 1.0, datetime.now(UTC) - HOUR))
        elif write == "delete":
            project.delete("last_order", pl.DataFrame({"customer": [1]}))
        else:
            project.materialize()
        assert client.get("/ready").status_code == 200
        assert client.vectors({"customer": 3, "basket": 16.0}).json()["values"][0][0] == 8.0
    assert project.audit().mismatches == 0


def test_a_watermark_far_ahead_of_the_clock_is_refused(shop_files, request, ahead):
    """The error says which clock, and how far; nothing is written."""
    project = live(shop_files, "lmdb", request)
    state = project.store().state("last_order")
    ahead(2 * HOUR)
    until = datetime.now(UTC) + HOUR
    with pytest.raises(ClockError, match="ahead of the clock of this machine") as caught:
        project.materialize(until=until.isoformat())
    assert (caught.value.timestamp, caught.value.clock) == (until, "the clock of this machine")
    with pytest.raises(ConfigError, match="in the future"):
        featurestore.open(project.settings.root).materialize(until=(until + 2 * HOUR).isoformat())
    assert project.store().state("last_order") == state
