"""A windowed view in a project: materialized, pushed to, deleted from, audited and read."""

import shutil
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from event_shop import build_event_shop
from feast import FeatureStore
from runner import run
from serving import running

import featurestore
from featurestore.errors import StoreError
from featurestore.storage.views import log_deleted, log_rows
from featurestore.timing.epoch import microseconds
from featurestore.timing.join import Status
from featurestore.values.codec import REBUILD, encode_key
from featurestore.values.event_codec import is_block
from featurestore.vectors.pushed_rows import pushed_rows

NOW = datetime(2024, 1, 10, tzinfo=UTC)  # the shop's clock
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
NOON = datetime(2024, 1, 9, 12, tzinfo=UTC)
AMOUNTS = ["orders_3d:orders_3d", "orders_3d:amount_3d"]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the shop with windows, built and not materialized."""
    return build_event_shop(tmp_path_factory.mktemp("built")).settings.root


@pytest.fixture
def project(built, tmp_path):
    """A copy of the shop, because the tests write to it."""
    return featurestore.open(shutil.copytree(built, tmp_path / "shop"))


def read(project, customer, as_of=NOW, view="orders_3d"):
    """The count and the sum of the orders of a customer."""
    features = [f"{view}:orders_3d", f"{view}:amount_3d"]
    return project.get_online([{"customer": customer}], features, as_of=as_of).row(0)[1:]


def order(number, amount, event, customer=1):
    """An order to push."""
    return pl.DataFrame(
        {"customer": [customer], "order": [number], "amount": [amount], "event_timestamp": [event]}
    )


def stamped(rows, known):
    """Rows as they are logged: with the time from which they are known."""
    return rows.with_columns(created_timestamp=pl.lit(known, dtype=pl.Datetime("us", "UTC")))


def test_windows_slide_between_two_materializations(project):
    """Nothing is written, and the order leaves the window to the microsecond."""
    project.materialize()
    assert read(project, 2, NOON + 3 * DAY - TICK) == (1, 0.0)
    assert read(project, 2, NOON + 3 * DAY) == (0, 0.0)
    assert project.audit().mismatches == 0


def test_no_event_of_a_window_is_an_older_row(project):
    """Events that are read and keys that are written are not counted against each other; the command prints a dash."""
    [view] = project.materialize(["orders_3d"]).views
    assert view.rows_read > view.rows_applied
    assert view.rows_older is None
    assert project.push("orders_3d", order(30, 1.0, NOON)).rows_older is None

    printed = run("materialize", "orders_3d", "--full", cwd=project.settings.root).stdout
    assert [line.split()[-2:] for line in printed.splitlines()[-1:]] == [["-", "full"]]


def test_steps_of_materialization_serve_what_a_full_one_does(project):
    """The order of the 3rd that is loaded on the 6th counts from then on."""
    for day in (2, 5, 6, 10):
        until = datetime(2024, 1, day, tzinfo=UTC)
        [done] = project.materialize(["orders_3d"], until=until).views
        assert done.full == (day == 2)
        stepwise = [read(project, customer, until) for customer in (1, 2, 3, 9)]
        rows = pl.DataFrame({"customer": [1, 2, 3, 9], "event_timestamp": [until] * 4})
        offline = project.historical(rows, AMOUNTS)
        assert [row[2:] for row in offline.rows()] == stepwise
    project.materialize(["orders_3d"], full=True)
    assert [read(project, customer) for customer in (1, 2, 3, 9)] == stepwise


def test_an_unknown_key_has_values(project):
    """No order is a count of 0, not a missing row; a mean of no values is null."""
    project.materialize()
    [row] = project.get_online([{"customer": 77}], "recent", statuses=True).to_dicts()
    assert (row["orders_3d"], row["amount_3d"], row["mean_3d"]) == (0, 0.0, None)
    statuses = [row[f"{name}__status"] for name in ("orders_3d", "amount_3d", "mean_3d", "amount")]
    assert statuses == [Status.PRESENT, Status.PRESENT, Status.NULL_VALUE, Status.NOT_FOUND]


def test_a_pushed_event_is_read_at_once(project):
    """Online and in training sets, from now on, also by a reader that held the row before; equal events are separate events."""
    project.materialize()
    reader = project.reader(AMOUNTS)
    for count in (1, 2, 3):
        assert reader.read([{"customer": 1}], as_of=NOW + DAY).values == [[count - 1, 2.5 * (count - 1)]]
        pushed = project.push("orders_3d", order(50, 2.5, NOON))
        assert (pushed.rows, pushed.repeated, pushed.older, pushed.deleted) == (1, 0, 0, 0)
        assert pushed.written == 1
        assert read(project, 1, NOW + DAY) == (count, 2.5 * count)
    assert project.audit().mismatches == 0
    project.materialize(full=True)
    assert read(project, 1, NOW + DAY) == (3, 7.5)


def test_events_are_pushed_as_json(project):
    """As HTTP reads them: the columns are those of the events, and not the features."""
    project.materialize()
    columns = {"customer": [1], "order": [50], "amount": [2.5], "event_timestamp": [NOON.isoformat()]}
    project.push("orders_3d", pushed_rows(project.catalog.view("orders_3d"), columns))
    assert read(project, 1, NOW + DAY) == (1, 2.5)


def test_a_pushed_correction_replaces_its_event(project):
    """The view names an order by its number: the event moves, and the sum changes."""
    project.materialize()
    for amount, event in ((2.5, NOON), (4.0, NOON - TICK), (1.5, NOON + TICK)):
        project.push("corrected_3d", order(50, amount, event))
        assert read(project, 1, NOW + DAY, "corrected_3d") == (1, amount)
    assert project.push("corrected_3d", order(50, 1.5, NOON + TICK)).repeated == 1
    assert project.audit().mismatches == 0


def test_a_new_event_leaves_the_blocks_of_its_key_and_a_late_one_changes_those_on_its_path(project):
    """With an identity and without one: a push costs what its events do, and not what all events of the key do."""
    project.materialize()
    minutes = [timedelta(minutes=n) for n in range(400)]
    history = pl.concat([order(100 + n, 2.0, NOON - DAY + minute) for n, minute in enumerate(minutes)])
    store, clock = project.store(), iter(NOW + minute for minute in minutes[1:])

    def push(view, rows):
        object.__setattr__(project.settings, "as_of", next(clock))
        before = {key: row for key, row in store.scan(view) if is_block(key)}
        project.push(view, rows)
        blocks = {key: row for key, row in store.scan(view) if is_block(key)}
        return sum(before.get(key) != row for key, row in blocks.items())

    for view in ("orders_3d", "corrected_3d"):
        assert push(view, history) > 10
        assert push(view, order(1000, 1.0, NOON)) == 0
        assert read(project, 1, NOW + DAY, view) == (401, 801.0)
        # A leaf and the list that names it are written, where two rows were free, and those before become free.
        assert push(view, order(1001, 3.0, NOON - DAY + minutes[9])) == 4
        assert read(project, 1, NOW + DAY, view) == (402, 804.0)
    assert push("corrected_3d", order(100, 3.0, NOON - DAY)) == 4
    assert read(project, 1, NOW + DAY, "corrected_3d") == (402, 805.0)
    assert push("corrected_3d", order(100, 0.0, NOON)) <= 4
    assert read(project, 1, NOW + DAY, "corrected_3d") == (402, 802.0)
    # The newest event moves back to where others are, and the one before it becomes the newest.
    push("corrected_3d", order(100, 1.0, NOON + minutes[1]))
    assert 0 < push("corrected_3d", order(100, 1.0, NOON - DAY + minutes[9])) <= 4
    assert read(project, 1, NOW + DAY, "corrected_3d") == (402, 803.0)
    assert project.audit().mismatches == 0


def test_the_newest_event_is_right_after_all_events_of_a_key_moved_out_of_its_windows(project):
    """Changes to events that are too old for each window are not applied: the newest one is read from the built rows."""
    project.materialize()
    project.push("corrected_3d", pl.concat([order(1, 1.0, NOON, 7), order(2, 1.0, NOON + TICK, 7)]))
    later = NOW + 10 * DAY
    object.__setattr__(project.settings, "as_of", later)
    moved = [order(1, 1.0, NOON - DAY, 7), order(2, 1.0, NOON - 2 * DAY, 7)]
    project.push("corrected_3d", pl.concat(moved))
    vectors = project.reader(["corrected_3d:orders_3d"]).read([{"customer": 7}], as_of=later)
    assert (vectors.values, vectors.events) == ([[0]], [[microseconds(NOON - DAY)]])


def test_keys_are_written_again_for_several_reasons_at_once(project):
    """In the order of the keys: an earlier version lost the events of the first one."""
    project.materialize()
    object.__setattr__(project.settings, "as_of", NOW + TICK)
    late, correction = order(70, 1.0, NOON - 5 * DAY), order(6, 9.0, NOON, customer=3)
    project.push("corrected_3d", pl.concat([late, correction]))
    log_deleted(project.catalog.view("orders_3d"), pl.DataFrame({"customer": [3]}), NOW, project.layout)
    log_rows(project.catalog.view("orders_3d"), stamped(late, NOW + TICK), project.layout)
    object.__setattr__(project.settings, "as_of", NOW + 2 * TICK)
    project.materialize()
    assert [read(project, customer, NOW + 2 * TICK, "corrected_3d") for customer in (1, 3)] == [
        (0, 0.0),
        (2, 16.0),
    ]
    assert project.audit().mismatches == 0


def test_late_and_future_events(project):
    """A late event takes its place between the others; one of the future waits until it is known."""
    project.materialize()
    project.push("orders_3d", order(50, 1.0, NOON))
    project.push("orders_3d", order(51, 2.0, NOON - DAY))
    later = project.push("orders_3d", order(52, 4.0, NOON + DAY))
    assert (later.pending, later.pending_until) == (1, NOON + DAY)
    assert read(project, 1, NOW + TICK) == (2, 3.0)
    assert project.audit().mismatches == 0
    project.materialize(until=NOON + DAY)
    assert read(project, 1, NOON + DAY) == (3, 7.0)
    assert read(project, 1, NOON + 2 * DAY + TICK) == (2, 5.0)


def test_a_window_may_be_longer_than_the_time_since_the_year_1(project):
    """The first timestamp of all is in it, and it ends after the last one: a store and `prove` failed with an OverflowError."""
    path = project.settings.root / "feature_repo/shop.py"
    path.write_text(
        path.read_text()
        .replace('windows.count(over="3d")', 'windows.count(over="800000d")')
        .replace('windows.sum("amount", over="3d")', 'windows.sum("amount", over="3652058d")')
    )
    project = featurestore.open(project.settings.root)
    project.build("orders_3d")
    project.build("corrected_3d")
    project.materialize()
    project.push("orders_3d", order(80, 4.0, datetime(1, 1, 1, tzinfo=UTC), customer=7))
    assert read(project, 7) == (1, 4.0)
    assert project.audit().mismatches == 0
    assert project.prove(cases=1).differences == ()


def test_a_deleted_key_has_no_events_until_a_later_one(project):
    """An event of before the deletion does not count, whenever it arrives."""
    project.materialize()
    assert project.delete("orders_3d", pl.DataFrame({"customer": [2, 9]})) == 2
    assert read(project, 2, NOW + DAY) == (0, 0.0)
    assert project.delete("orders_3d", pl.DataFrame({"customer": [2]})) == 0
    pushed = project.push("orders_3d", order(60, 3.0, NOON, customer=2))
    assert (pushed.deleted, pushed.written) == (1, 0)
    assert read(project, 2, NOW + DAY) == (0, 0.0)
    assert project.audit().mismatches == 0
    project.push("orders_3d", order(61, 5.0, NOW + TICK, customer=2))
    project.materialize(until=NOW + DAY)
    assert read(project, 2, NOW + DAY) == (1, 5.0)
    project.materialize(until=NOW + DAY, full=True)
    assert read(project, 2, NOW + DAY) == (1, 5.0)


@pytest.mark.parametrize("is_damaged", [is_block, lambda key: key == encode_key((1,))], ids=["block", "head"])
def test_a_damaged_row_is_refused_until_all_is_written_again(project, is_damaged):
    """One bit of a stored row of events changed: nothing reads it, and the command of the message heals it."""
    project.materialize()
    minutes = [timedelta(minutes=n) for n in range(80)]
    orders = [order(100 + n, 2.0, NOON - DAY + minute) for n, minute in enumerate(minutes)]
    project.push("orders_3d", pl.concat(orders))
    at = NOON + 2 * DAY + minutes[4]  # in the oldest block
    right = read(project, 1, at)
    assert right == (75, 150.0)
    store = project.store()
    rows = [
        (key, row[:-6] + bytes([row[-6] ^ 1]) + row[-5:] if is_damaged(key) else row)
        for key, row in store.scan("orders_3d")
    ]
    assert len(set(rows) - set(store.scan("orders_3d"))) > 0
    store.write("orders_3d", rows, store.state("orders_3d"), replace=True)
    reads = [
        lambda: read(project, 1, at),
        lambda: project.reader(AMOUNTS).read([{"customer": 1}], as_of=at),
        project.audit,
    ]
    if not is_damaged(b"\xc1"):
        reads.append(lambda: project.delete("orders_3d", pl.DataFrame({"customer": [1]})))
    for refused in reads:
        with pytest.raises(StoreError, match="a stored row is damaged") as caught:
            refused()
        assert caught.value.hint == REBUILD
    project.materialize(full=True)
    assert read(project, 1, at) == right
    assert project.audit().mismatches == 0


def test_every_path_is_proved_on_generated_events(project):
    """Pushes, corrections and deletions of generated events, read at the edges of the windows."""
    project.apply()
    project.materialize()
    proof = project.prove(cases=5)
    assert proof.differences == ()
    assert {"get_online", "reader", "historical", "HTTP /v1/vectors"} <= proof.paths.keys()


def test_an_event_that_reads_the_future_is_a_leak(project):
    """The event is named, and its column."""
    root = project.settings.root
    for path, old, new in (
        (
            "feature_repo/shop.py",
            '"customer", "order", "amount", event',
            '"customer", "order", pl.col("amount").sum().over("customer"), event',
        ),
    ):
        text = (root / path).read_text()
        assert old in text
        (root / path).write_text(text.replace(old, new))
    edited = featurestore.open(root)
    edited.validate("orders")
    assert {leak.feature for leak in edited.check_leaks(["orders_3d"]).leaks} == {"amount"}


def test_feast_reads_windows(project):
    """Feast's own client gets the values and statuses of get_online, also of a key without events."""
    project.apply()
    project.materialize()
    store = FeatureStore(repo_path=str(project.settings.root / "feature_repo"))
    rows = [{"customer": customer} for customer in (2, 3, 77)]
    response = store.get_online_features([*AMOUNTS, "orders_3d:mean_3d"], rows)
    served = project.get_online(rows, [*AMOUNTS, "orders_3d:mean_3d"], statuses=True)
    answer = response.to_dict()
    for name in ("orders_3d", "amount_3d", "mean_3d"):
        assert answer[name] == served[name].to_list()
    by_name = dict(zip(response.proto.metadata.feature_names.val, response.proto.results, strict=True))
    assert list(by_name["mean_3d"].statuses) == served["mean_3d__status"].to_list()


def test_a_row_without_a_key_is_not_found_on_every_path(project):
    """As offline: a null belongs to no stored row. A key without events still has a count of 0."""
    project.apply()
    project.materialize()
    rows, names = [{"customer": None}, {"customer": 77}], ["orders_3d", "amount_3d", "mean_3d"]
    missing, present = [Status.NOT_FOUND] * 3, [Status.PRESENT, Status.PRESENT, Status.NULL_VALUE]

    frame = pl.DataFrame(rows, schema={"customer": pl.Int64})
    entity_rows = frame.with_columns(event_timestamp=pl.lit(NOW, dtype=pl.Datetime("us", "UTC")))
    for read in (
        project.historical(entity_rows, ["orders_3d"], statuses=True),
        project.get_online(frame, ["orders_3d"], as_of=NOW, statuses=True),
    ):
        assert read.select(names).rows() == [(None, None, None), (0, 0.0, None)]
        assert read.select(f"{name}__status" for name in names).rows() == [tuple(missing), tuple(present)]

    vectors = project.reader("recent").read(rows, as_of=NOW)
    places = [vectors.features.index(name) for name in names]
    assert [[row[i] for i in places] for row in vectors.statuses] == [missing, present]
    assert [vectors.values[0][i] for i in places] == [None, None, None]
    assert vectors.events[vectors.views.index("orders_3d")] == [None, None]

    features = [f"orders_3d:{name}" for name in names]
    with running(project.settings.root) as client:
        answer = client.vectors(*rows, service="recent").json()
        wire = client.post(
            "/get-online-features", {"features": features, "entities": {"customer": [None, 77]}}
        )
    places = [answer["features"].index(name) for name in names]
    assert [[row[i] for i in places] for row in answer["statuses"]] == [missing, present]
    by_name = dict(zip(wire.json()["metadata"]["feature_names"], wire.json()["results"], strict=True))
    assert [by_name[name]["statuses"] for name in names] == [
        ["NOT_FOUND", "PRESENT"],
        ["NOT_FOUND", "PRESENT"],
        ["NOT_FOUND", "NULL_VALUE"],
    ]
