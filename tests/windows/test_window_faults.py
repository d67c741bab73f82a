"""Faults of windows, planted one by one in our own code: the command that users run catches each."""

import shutil
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from logged import log_answers
from window_shop import write_window_shop

import featurestore
from tests.faults.planting import code

NOW = datetime(2024, 1, 10, tzinfo=UTC)  # the shop's clock
HOUR = timedelta(hours=1)
WINDOWS = """    windows={
        "median": windows.quantile("amount", 0.5, over="lifetime"),
        "high": windows.approximate_quantile("amount", 0.9, error=0.1, over="3d"),
        "amounts": windows.approximate_distinct("amount", error=0.1, over="lifetime"),
"""
COLUMNS = """    median: pl.Float64 = pa.Field(nullable=True, description="median", metadata={"unit": "EUR"})
    high: pl.Float64 = pa.Field(nullable=True, description="high", metadata={"unit": "EUR"})
    amounts: pl.Int64 = pa.Field(description="different amounts", metadata={"unit": "1"})
    orders_3d:"""
FRIENDS = """
friend = spending["orders_3d", "spent_3d"].aliased("friend", keys={"customer": "friend"})
friends = feature_service("friends", (spending, friend), owner="shop")
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The shop with windows that expire, read under an alias and on demand; materialized, trained, pushed to, deleted from."""
    folder = write_window_shop(tmp_path_factory.mktemp("faults"))
    path = folder / "feature_repo/shop.py"
    text = path.read_text()
    assert 'identity=("order",),' in text
    path.write_text(
        text.replace('identity=("order",),', 'identity=("order",), ttl=timedelta(days=5),').replace(
            "    windows={\n", WINDOWS
        )
        + FRIENDS
    )
    schemas = folder / "schemas/shop.py"
    schemas.write_text(schemas.read_text().replace("    orders_3d:", COLUMNS))
    project = featurestore.open(folder)
    project.validate("orders")
    project.build("last_order")
    project.build("spending")
    project.training_set("spender_visits")
    project.materialize()
    project.push("spending", order(60, 5.0, NOW - 2 * HOUR))
    project.push("spending", order(60, 9.0, NOW - HOUR))
    project.push("spending", order(62, 0.0, NOW - HOUR, customer=3))
    project.delete("spending", pl.DataFrame({"customer": [2]}))
    return folder


@pytest.fixture
def project(built, tmp_path):
    """A copy of the shop, because the tests write to it."""
    return featurestore.open(shutil.copytree(built, tmp_path / "shop", symlinks=True))


def order(number, amount, event, customer=1):
    """An order to push."""
    return pl.DataFrame(
        {"customer": [customer], "order": [number], "amount": [amount], "event_timestamp": [event]}
    )


def test_without_a_fault_all_agree(project):
    """The correction counts once, the deleted customer has no orders, and the alias reads another customer."""
    assert project.audit().mismatches == 0
    row = project.get_online([{"customer": 2, "friend": 1}], "friends")
    assert row.select("orders_3d", "spent_3d", "friend_orders_3d", "friend_spent_3d").row(0) == (
        0,
        0.0,
        1,
        9.0,
    )


def test_an_audit_finds(project, tmp_path, monkeypatch):
    """Each fault is on one side only: the store or the join."""
    for target, before, after in (
        ("windows.walk:lower_edge", "now - length", "now - length - 10**12"),  # a longer window
        ("windows.histogram:quantile_of", "nearest_rank(quantile, ranks[-1])", "1"),
        ("windows.distribution:_exact", "len(values)) - 1", "len(values))"),
        ("windows.cardinality:Registers.count", "len(state)", "len(state) + 1"),
        ("windows.join:_end", "events.timestamps + duration", "events.timestamps + 2 * duration"),
        ("vectors.stored_windows:StoredWindows.answer", "now - newest > self._ttl", "False"),
        ("adapters.windows:read_windows", "= is_expired(", "= pl.lit(value=False) & is_expired("),
        ("vectors.stored_windows:StoredWindows._typed", "NULL if value is None else PRESENT", "PRESENT"),
    ):
        with monkeypatch.context() as fault:
            code(target, before, after)(tmp_path, fault)
            assert project.audit().mismatches > 0, target
    with monkeypatch.context() as fault:
        ignored = "condition.fill_null(value=False)", "(condition.fill_null(value=False) | True)"
        code("windows.stored_columns:StoredColumns.held", *ignored)(tmp_path, fault)
        project.materialize(full=True)
    assert project.audit().mismatches > 0, "the filter was ignored when the events were stored"


def test_prove_finds_an_edge_that_is_a_microsecond_off(project, tmp_path, monkeypatch):
    """An event that is as old as its window has left it; no order of the shop is that old."""
    code(
        "windows.open_head:Edge.results",
        "bisect_right(self._timestamps, low)",
        "bisect_right(self._timestamps, low - 1)",
    )(tmp_path, monkeypatch)
    assert project.prove(cases=3).differences != ()


def test_an_audit_finds_a_training_set_of_other_windows(project):
    """The kept rows say two orders where one was known."""
    path = project.layout.training("spender_visits")
    rows = pl.read_parquet(path)
    metadata = {k: v for k, v in pl.read_parquet_metadata(path).items() if k != "ARROW:schema"}
    rows.with_columns(orders_3d=pl.col("orders_3d") + 1).write_parquet(path, metadata=metadata)
    assert {d.path for d in project.audit().differences} == {"training set"}


def test_replay_finds_windows_that_were_served_wrong_and_a_rollback_serves_the_former_release(
    project, tmp_path, monkeypatch
):
    """What was logged before later pushes is what was known then."""
    project.check_leaks()
    project.release()
    root = project.settings.root
    log_answers(root, 1, 2, 3, service="spenders")
    project.push("spending", order(61, 7.0, NOW, customer=3))
    assert project.replay("spenders").mismatches == 0
    project.materialize()
    project.release()
    project.rollback("0001")
    served = featurestore.open(root / "data/releases/current")
    assert served.get_online([{"customer": 1}], ["spending:orders_3d"])["orders_3d"].to_list() == [1]
    with monkeypatch.context() as fault:
        code("windows.walk:lower_edge", "now - length", "now - length - 10**12")(tmp_path, fault)
        log_answers(root, 1, 2, 3, service="spenders")
    assert project.replay("spenders").mismatches > 0
