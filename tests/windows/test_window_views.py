"""All that reads a view offline knows its windows."""

import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import feast
import polars as pl
import pytest
from hypothesis import given
from laws import examples
from window_shop import build_window_shop, write_window_shop

import featurestore
from featurestore.adapters.polars import PolarsEngine
from featurestore.definitions.feature_service import feature_service
from featurestore.definitions.fingerprint import fingerprint
from featurestore.definitions.fingerprint.difference import differences
from featurestore.errors import ContractError, DefinitionError
from featurestore.ports import ViewRows
from featurestore.testing import oracle
from featurestore.testing.window_histories import window_histories
from featurestore.testing.window_oracle import window
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.vectors.explain import explain
from featurestore.vectors.historical import changes, historical


def day(number, hour=0):
    return datetime(2024, 1, number, hour, tzinfo=UTC)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return build_window_shop(tmp_path_factory.mktemp("windows"))


def edited(folder, old, new):
    """The shop's files with one change in the definitions or the schemas."""
    write_window_shop(folder)
    for path in (folder / "feature_repo/shop.py", folder / "schemas/shop.py"):
        path.write_text(path.read_text().replace(old, new))
    return featurestore.open(folder)


def test_an_explanation_says_of_each_event_which_windows_hold_it(shop):
    """On January 5th: order 1 is too old, order 2 is not known yet, and order 3 has no amount."""
    entity_rows = pl.DataFrame({"customer": [1], EVENT_TIMESTAMP: [day(5)]})
    events = shop.explain(entity_rows, ["spending"])["spending"]
    columns = ["verdict", "order", "orders_3d__window", "spent_3d__window", "mean_paid__window"]
    assert events.select(columns).rows() == [
        ("counts", 1, "left the window", "left the window", "in the window"),
        ("not yet known", 2, None, None, None),
        ("counts", 3, "in the window", "no value", "filtered"),
    ]


@given(window_histories(max_windows=3))
@examples(12)
def test_exactly_the_events_that_an_explanation_puts_in_a_window_are_counted(history):
    service = feature_service("service", (history.view,), owner="test")
    with tempfile.TemporaryDirectory() as folder:
        rows = written(history, folder)
        for entity_rows in history.entity_frame.iter_slices(1):
            question = entity_rows.row(0, named=True)
            events = explain(entity_rows, service, [rows])["windows"]
            for name, aggregation in history.windows.items():
                in_window = events[f"{name}__window"].is_in(["in the window", "no value"]).sum()
                assert in_window == counted(history, aggregation, question), (name, events)


def counted(history, aggregation, question):
    """How many events the oracle counts in a window; null and expired values count too."""
    key = (question["k"], question["n"])
    return window(
        replace(aggregation, kind="count", column=None, condition=None),
        question[EVENT_TIMESTAMP],
        [event for event in history.events if (event["k"], event["n"]) == key],
        history.timing,
        where=(lambda _: True) if aggregation.where is None else (lambda event: bool(event["b"])),
        identity=history.identity,
        deleted=[d[EVENT_TIMESTAMP] for d in history.deletions if (d["k"], d["n"]) == key],
    )


def written(history, folder):
    """The events and deletions of a history in files."""
    history.event_frame.write_parquet(Path(folder, "events.parquet"))
    history.deletion_frame.write_parquet(Path(folder, "deleted.parquet"))
    view = history.view
    return ViewRows(
        view[view.feature_names], (Path(folder, "events.parquet"),), (Path(folder, "deleted.parquet"),)
    )


@given(window_histories(max_windows=3))
@examples(12)
def test_windows_change_at_no_other_timestamp_than_those_that_are_listed(history):
    """At any timestamp, the values are those of the last listed timestamp before it, unless they tell the time."""
    service = feature_service("service", (history.view,), owner="test")
    constant = [name for name, window_ in history.windows.items() if window_.kind != "time_since"]
    with tempfile.TemporaryDirectory() as folder:
        rows = written(history, folder)
        listed = changes(service, [rows], start=None, end=day(2))
        entity_rows = history.entity_frame
        last = (
            entity_rows.with_row_index()
            .join(listed.rename({EVENT_TIMESTAMP: "last"}), on=["k", "n"], how="left")
            .filter(pl.col("last") <= pl.col(EVENT_TIMESTAMP))
            .group_by("index")
            .agg(pl.col("last").max())
        )
        placed = entity_rows.with_row_index().join(last, on="index", how="inner").sort("index")
        if history.timing.ttl is not None or not placed.height:
            return
        at = placed.select("k", "n", EVENT_TIMESTAMP)
        before = placed.select("k", "n", pl.col("last").alias(EVENT_TIMESTAMP))
        now, then = (historical(q, service, [rows], PolarsEngine()).select(constant) for q in (at, before))
        assert oracle.bits(now.rows()) == oracle.bits(then.rows())


def test_without_entity_rows_each_change_of_a_window_is_a_row(shop):
    """Order 1 is known on the 1st and leaves on the 4th; order 2 is known on the 6th, as it leaves."""
    rows = shop.historical(None, ["spending:orders_3d"], end=day(9))
    assert rows.filter(customer=1).select(EVENT_TIMESTAMP, "orders_3d").rows() == [
        (day(1), 1),
        (day(4), 0),
        (day(5), 1),
        (day(6), 1),
        (day(8), 0),
    ]
    later = shop.historical(None, ["spending:orders_3d"], start=day(5), end=day(8))
    assert later.filter(customer=1)[EVENT_TIMESTAMP].to_list() == [day(6), day(8)]


def test_a_training_set_has_windows_and_on_demand_features_over_them(shop):
    """Orders 1 and 6 give 10.5 and 8.0 as the basket, an hour before the order."""
    manifest = shop.training_set("spender_visits")
    assert manifest.statuses["orders_3d"] == {"PRESENT": 5}
    rows = pl.read_parquet(shop.layout.training("spender_visits")).sort(EVENT_TIMESTAMP)
    assert rows.select("basket", "orders_3d", "spent_3d", "share").row(1) == (20.1, 1, 10.5, 20.1 / 30.6)


def test_sql_aliases_and_full_names(shop):
    sql = 'SELECT customer, ordered_at AS event_timestamp FROM orders WHERE "order" = 6'
    rows = shop.historical(sql, ["spending:orders_3d"], full_names=True, times=True, statuses=True)
    assert rows.row(0, named=True) == {
        "customer": 3,
        EVENT_TIMESTAMP: day(8),
        "spending__orders_3d": 1,
        "spending__orders_3d__status": 1,
        "spending__orders_3d__event_timestamp": day(8),
        "spending__orders_3d__age": timedelta(0),
    }


def test_a_sum_that_breaks_the_schema_of_the_features_refuses_the_events(tmp_path):
    """No order is above 25, but two of them are: 20.1 and 10.5 are known together on January 6th."""
    project = edited(
        tmp_path,
        "mean_paid: pl.Float32 = pa.Field(nullable=True",
        "mean_paid: pl.Float32 = pa.Field(nullable=True, le=15",
    )
    project.validate("orders")
    with pytest.raises(
        ContractError, match=r"schema Spending\n.*mean_paid.less_than_or_equal_to\(15\), such as 15.3"
    ) as refused:
        project.build("spending")
    assert refused.value.verdict.decision == "refused"
    assert not project.layout.features("spending").exists()


def test_a_feature_schema_may_warn(tmp_path):
    old = 'mean_paid: pl.Float32 = pa.Field(nullable=True, description="mean above 0 EUR", metadata={"unit": "EUR"})'
    new = old.replace("nullable=True", "nullable=True, le=15")
    new += '\n\n    class Config:\n        metadata = {"on_invalid": "warn"}\n'
    project = edited(tmp_path, old, new)
    project.validate("orders")
    verdict = project.build("spending")
    assert verdict.decision == "passed"
    assert [(count.name, count.warning) for count in verdict.rules] == [
        ("mean_paid.less_than_or_equal_to(15)", True)
    ]


def test_events_may_have_columns_that_no_window_reads_beside_a_condition(tmp_path):
    """No feature can be a duration or an enum, but a column of an event can."""
    project = edited(
        tmp_path,
        '    order: pl.Int64 = pa.Field(description="number")\n',
        """    order: pl.Int64 = pa.Field(description="number")
    waited: Annotated[pl.Duration, "us"] = pa.Field(description="time until it was loaded")
    level: Annotated[pl.Enum, ("low", "high")] = pa.Field(description="level")
""",
    )
    path = tmp_path / "feature_repo/shop.py"
    added = 'waited=pl.lit(timedelta(hours=1)), level=pl.lit("low").cast(pl.Enum(["low", "high"])), event'
    text = path.read_text()
    assert text.count('"customer", "order", "amount", event') == 1
    path.write_text(
        text.replace('"customer", "order", "amount", event', f'"customer", "order", "amount", {added}')
    )
    project = featurestore.open(tmp_path)
    assert project.check()
    project.validate("orders")
    assert project.build("spending").decision == "passed"


def test_a_value_beyond_its_dtype_is_refused_with_its_name(tmp_path):
    project = edited(
        tmp_path, '"orders_3d": windows.count(over="3d")', '"orders_3d": windows.sum("big", over="3d")'
    )
    for path, old, new in (
        (
            "schemas/shop.py",
            '    order: pl.Int64 = pa.Field(description="number")\n',
            '    order: pl.Int64 = pa.Field(description="number")\n    big: pl.Int64 = pa.Field(description="big", metadata={"unit": "1"})\n',
        ),
        (
            "feature_repo/shop.py",
            '"customer", "order", "amount", event',
            '"customer", "order", "amount", big=pl.col("order") + 2**31, event',
        ),
    ):
        (tmp_path / path).write_text((tmp_path / path).read_text().replace(old, new))
    project = featurestore.open(tmp_path)
    project.validate("orders")
    with pytest.raises(
        ContractError, match="'spending', column 'orders_3d': a value of the window does not fit into Int32"
    ):
        project.build("spending")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('where=pl.col("amount") > 0', 'where=pl.col("worth") > 0', "condition does not fit schema Ordered"),
        ('where=pl.col("amount") > 0', 'where=pl.col("amount") + 1', "gives Float64; expected Boolean"),
        (
            'where=pl.col("amount") > 0',
            'where=pl.col("amount") == pl.col("amount").max()',
            "'spending', column 'mean_paid', where: the condition reads other events than its own: Max",
        ),
        (
            'windows.mean("amount", over="lifetime", where=pl.col("amount") > 0)',
            'windows.share(pl.col("amount").shift(1) > 0, over="1d")',
            "column 'mean_paid', condition: the condition reads other events than its own: Shift",
        ),
        (
            'where=pl.col("amount") > 0',
            'where=pl.col("amount").map_batches(lambda v: v.rank() > 1, return_dtype=pl.Boolean, is_elementwise=True)',
            "'spending', column 'mean_paid': its condition reads other events than its own: it differs",
        ),
        (
            'where=pl.col("amount") > 0',
            'where=pl.col("amount").drop_nulls() > 0',
            "'spending', column 'mean_paid': its condition reads other events than its own: it differs",
        ),
        (
            'windows.count(over="3d")',
            "5",
            "'spending', window 'orders_3d': it is 5 .int.; expected a window",
        ),
        ("    windows={", "    windows=5 or {", "'spending': windows is 5 .int.; expected"),
        ('identity=("order",)', "identity=3", "feature_view: identity is 3 .int.; expected names as text"),
        ("orders_3d: pl.Int32", "orders_3d: pl.String", "gives Int64, but schema Spending says String"),
        (
            'windows.mean("amount", over="lifetime"',
            'windows.mean("amount", over="3 days"',
            "'3 days', which is not",
        ),
        ('description="orders of three days", ', "", "'orders_3d': the description is missing"),
        ('identity=("order",)', 'identity=("amount",)', "identity 'amount' is nullable in schema Ordered"),
        ("entity=customer,", "entity=None,", "'spending': windows are given without an entity"),
        (
            "\n\nclass Spending(",
            '\n    class Config:\n        metadata = {"on_invalid": "warn"}\n\n\nclass Spending(',
            "column 'spent_3d': sum of 'amount', but schema Ordered lets NaN pass",
        ),
    ],
)
def test_check_names_a_window_that_does_not_fit(tmp_path, old, new, message):
    with pytest.raises(DefinitionError, match=message):
        edited(tmp_path, old, new).check()


def test_another_window_is_a_named_difference(shop, tmp_path):
    """The fingerprint names the window and the option."""
    project = edited(tmp_path, 'count(over="3d")', 'count(over="4d")')
    before, after = (fingerprint(opened.catalog.views["spending"]) for opened in (shop, project))
    [difference] = differences(before, after)
    assert "window orders_3d: duration" in str(difference)
    plain = [fingerprint(opened.catalog.views["last_order"]).digest for opened in (shop, project)]
    assert plain[0] == plain[1]


def test_feast_reads_windows_offline(shop):
    """Feast's SDK joins through the same engine; a pull gives the windows at each timestamp at which they changed."""
    shop.apply()
    store = feast.FeatureStore(repo_path=str(shop.settings.root / "feature_repo"))
    entity_rows = pl.DataFrame({"customer": [1, 3], EVENT_TIMESTAMP: [day(5), day(9)]})
    references = ["spending:orders_3d", "spending:spent_3d"]
    joined = store.get_historical_features(entity_df=entity_rows.to_pandas(), features=references).to_df()
    assert joined["orders_3d"].tolist() == [1, 2]
    assert joined["spent_3d"].tolist() == [0.0, 15.0]
    offline, source = store._get_provider().offline_store, store.get_feature_view("spending").batch_source
    names = (["customer"], ["orders_3d"], "event_timestamp", "created_timestamp", day(1), day(9))
    latest = offline.pull_latest_from_table_or_query(store.config, source, *names).to_df()
    assert latest[["customer", "orders_3d"]].to_numpy().tolist() == [[1, 0], [3, 2]]
    every = offline.pull_all_from_table_or_query(store.config, source, *names).to_df()
    assert every["orders_3d"].tolist() == [0, 1, 1, 0, 1, 2]
