"""The same values through Feast's own API: offline, online, materialized by us or by Feast."""

import asyncio
import subprocess
from datetime import UTC, datetime, timedelta

import forks
import polars as pl
import pytest
from runner import run

from featurestore.errors import ConfigError, DefinitionError, MissingDataError

pytestmark = [
    # Feast 0.67 and what it imports warn about themselves.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:(Saving|Retrieving) dataset:RuntimeWarning"),
]

NOW = datetime(2024, 1, 10, tzinfo=UTC)
FEAST_COMMANDS = ("apply", "feature-views list", "feature-views describe last_order")
ROWS = [{"customer": customer, "basket": 10.0} for customer in (1, 2, 3, 9)]


@pytest.fixture
def store(shop):
    """Feast's store over the applied shop."""
    from feast import FeatureStore  # noqa: PLC0415 - after the filters above, and only where it is used

    shop.apply()
    return FeatureStore(repo_path=str(shop.settings.feast_repo))


def entity_rows():
    timestamps = [datetime(2024, 1, day, tzinfo=UTC) for day in (1, 4, 7, 9)]
    return pl.DataFrame(
        {"customer": [1, 1, 3, 9], "event_timestamp": timestamps, "basket": [10.0] * 4},
        schema_overrides={"event_timestamp": pl.Datetime("us", "UTC")},
    )


def test_historical_features_are_ours(shop, store):
    """Feast's retrieval gives our join, column for column, in the order given."""
    rows = entity_rows()
    service = store.get_feature_service("buying")
    joined = store.get_historical_features(entity_df=rows.to_pandas(), features=service)
    assert pl.DataFrame(joined.to_arrow()).equals(shop.historical(rows, "buying"))


def test_full_feature_names(store):
    """Features are named by their view where asked."""
    job = store.get_historical_features(
        entity_df=entity_rows().to_pandas(),
        features=["last_order:amount", "compared:ratio"],
        full_feature_names=True,
    )
    assert job.to_df().columns.tolist()[-2:] == ["last_order__amount", "compared__ratio"]


def test_entity_rows_by_sql(store):
    """A query sees every dataset by its name."""
    job = store.get_historical_features(
        entity_df='SELECT customer, ordered_at + INTERVAL 1 DAY AS event_timestamp FROM orders WHERE "order" = 4',
        features=["last_order:ordered_at"],
    )
    assert job.to_df()["ordered_at"].tolist() == [datetime(2024, 1, 9, 12, tzinfo=UTC)]


def test_the_asynchronous_lookup_and_write_are_the_same(shop, store):
    """For applications, and Feast's own server, that await."""
    shop.materialize()
    service = store.get_feature_service("buying")
    frame = pl.DataFrame(
        {"customer": [7], "amount": [4.5], "coupon": ["X"]}, schema_overrides={"amount": pl.Float32}
    ).with_columns(
        event_timestamp=NOW - timedelta(hours=1), created_timestamp=NOW, ordered_at=NOW - timedelta(hours=1)
    )

    async def both():
        before = await store.get_online_features_async(features=service, entity_rows=ROWS)
        await store.write_to_online_store_async("last_order", df=frame.to_pandas())
        return before, await store.get_online_features_async(
            features=service, entity_rows=[{"customer": 7, "basket": 9.0}]
        )

    answer, pushed = asyncio.run(both())
    expected = store.get_online_features(features=service, entity_rows=ROWS)
    assert answer.proto == expected.proto
    assert pushed.to_dict()["amount"] == [4.5]


def test_online_features_are_ours(shop, store):
    """Feast's lookup gives our values and our four statuses."""
    shop.materialize()
    response = store.get_online_features(features=store.get_feature_service("buying"), entity_rows=ROWS)
    ours = shop.get_online(ROWS, "buying", statuses=True)
    theirs = response.to_dict()
    names = response.proto.metadata.feature_names.val
    statuses = {name: list(r.statuses) for name, r in zip(names, response.proto.results, strict=True)}
    for name in ("amount", "coupon", "ratio"):
        assert theirs[name] == ours[name].to_list()
    assert statuses["amount"] == ours["amount__status"].to_list() == [2, 1, 1, 3]
    assert statuses["coupon"] == ours["coupon__status"].to_list()


def test_what_feast_materializes_passes_the_audit(shop, store):
    """Late rows arrive at the time when they are known, through Feast too."""
    store.materialize(datetime(2023, 1, 1, tzinfo=UTC), NOW)
    record = shop.audit()
    assert record.mismatches == 0
    assert [(part.name, part.cells) for part in record.views] == [("last_order", 9)]


def test_apply_twice_changes_nothing(shop, store):
    """A second apply finds nothing to do."""
    changes = shop.apply()
    assert (changes.added, changes.changed, changes.removed) == ((), (), ())


def test_nothing_is_removed_unasked(shop, store):
    """What is no longer defined is named before it is removed from the registry."""
    path = shop.settings.root / "feature_repo/shop.py"
    text = path.read_text()
    path.write_text(
        text.replace('buying = feature_service("buying"', 'buying = feature_service("purchasing"')
    )
    done = run("apply", cwd=shop.settings.root)
    assert done.returncode == DefinitionError.exit_code
    assert "would be removed from the registry: service buying" in done.stderr
    assert [service.name for service in store.list_feature_services()] == ["buying"]


def test_the_feast_command_itself(shop):
    """`feast apply` and `feast feature-views` work in the project as they are."""
    code = "from feast.cli.cli import cli\nfor words in {}: cli([*words], standalone_mode=False)"
    # The commands run in one process, because Feast takes seconds to import.
    folder = str(shop.settings.feast_repo)
    words = [("-c", folder, *command.split()) for command in FEAST_COMMANDS]
    done = subprocess.run(
        [forks.python(), "-c", code.format(words)],
        cwd=shop.settings.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "A customer's last order." in done.stdout
    assert "owner: shop" in done.stdout


def test_a_timestamp_with_a_fraction_is_not_cut_in_silence(shop, store):
    """Feast's wire has whole seconds: a fraction is an error there, and exact in ours."""
    path = shop.settings.root / "data/raw/orders.csv"
    path.write_text(path.read_text().replace("2024-01-09T12:00:00Z", "2024-01-09T12:00:00.5Z"))
    shop.validate("orders")
    shop.build("last_order")
    shop.materialize()
    assert shop.get_online(ROWS[1:2], "buying")["ordered_at"].item().microsecond == 500_000
    with pytest.raises(Exception, match="whole seconds"):
        store.get_online_features(features=["last_order:ordered_at"], entity_rows=[{"customer": 2}])


def test_retrieval_without_entity_rows(shop, store):
    """A span of time in place of entity rows gives what ours gives."""
    start = datetime(2024, 1, 5, tzinfo=UTC)
    job = store.get_historical_features(features=["last_order:amount"], start_date=start, end_date=NOW)
    assert pl.DataFrame(job.to_arrow()).equals(
        shop.historical(features=["last_order:amount"], start=start, end=NOW)
    )


def test_a_lookup_before_materialization_names_the_command(store):
    """Nothing is served that was not written."""
    with pytest.raises(MissingDataError, match="run: featurestore materialize"):
        store.get_online_features(features=["last_order:amount"], entity_rows=[{"customer": 1}])


def test_feast_pushes_to_both_stores(shop, store):
    """What Feast writes offline and online, our reads and the audit see alike."""
    import pandas as pd  # noqa: PLC0415 - pandas is Feast's own

    shop.materialize(until="2024-01-09T23:00:00Z")
    event, created = datetime(2024, 1, 9, 22, tzinfo=UTC), datetime(2024, 1, 9, 23, 30, tzinfo=UTC)
    # As with project.push, the rows are known from now on, also if their created timestamp is earlier.
    row = {"customer": [1], "event_timestamp": [event], "created_timestamp": [created]}
    frame = pd.DataFrame({**row, "amount": [99.5], "coupon": ["NEW"], "ordered_at": [event]})
    store.write_to_offline_store("last_order", frame)
    store.write_to_online_store("last_order", frame)
    assert shop.get_online([{"customer": 1}], ["last_order:amount"])["amount"].to_list() == [99.5]
    entities = pl.DataFrame({"customer": [1, 1], "event_timestamp": [NOW - timedelta(minutes=1), NOW]})
    assert shop.historical(entities, ["last_order:coupon"])["coupon"].to_list() == [None, "NEW"]
    assert shop.audit().mismatches == 0
    with pytest.raises(Exception, match=r"customer.not_null|customer"):
        store.write_to_offline_store("last_order", frame.assign(customer=pd.array([None], dtype="Int64")))


def test_a_row_that_feast_writes_online_hides_no_other(shop, store):
    """A row that became known before it and was not materialized yet is readable too: the watermark promises it."""
    import pandas as pd  # noqa: PLC0415 - pandas is Feast's own

    shop.materialize(until="2024-01-08T12:00:00Z")
    assert shop.get_online([{"customer": 3}], ["last_order:amount"])["amount"].to_list() == [7.0]
    event = datetime(2024, 1, 9, 22, tzinfo=UTC)
    row = {"customer": [1], "event_timestamp": [event], "created_timestamp": [event]}
    frame = pd.DataFrame({**row, "amount": [99.5], "coupon": ["NEW"], "ordered_at": [event]})
    store.write_to_online_store("last_order", frame)
    shop.materialize()
    entity_rows = [{"customer": customer} for customer in (1, 2, 3)]
    assert shop.get_online(entity_rows, ["last_order:amount"])["amount"].to_list() == [99.5, -0.0, 8.0]


def test_saved_datasets(shop, store, tmp_path):
    """A retrieval can be kept and read again."""
    from feast.infra.offline_stores.file_source import SavedDatasetFileStorage  # noqa: PLC0415

    rows = entity_rows()
    job = store.get_historical_features(entity_df=rows.to_pandas(), features=["last_order:amount"])
    path = tmp_path / "saved.parquet"
    saved = store.create_saved_dataset(
        from_=job, name="saved", storage=SavedDatasetFileStorage(path=str(path))
    )
    assert saved.name == "saved"
    assert pl.read_parquet(path).equals(shop.historical(rows, ["last_order:amount"]))
    assert store.get_saved_dataset("saved").to_df().shape[0] == 4
    with pytest.raises(ConfigError, match="exists already"):
        job.persist(SavedDatasetFileStorage(path=str(path)))


def test_served_features_are_logged(store, tmp_path):
    """Each flush adds a file to the folder that the destination names."""
    from feast.feature_logging import LoggingConfig  # noqa: PLC0415
    from feast.infra.offline_stores.file_source import FileLoggingDestination  # noqa: PLC0415

    service = store.get_feature_service("buying")
    service.logging_config = LoggingConfig(destination=FileLoggingDestination(path=str(tmp_path / "log")))
    for amount in (1.0, 2.0):
        logged = pl.DataFrame({"customer": [1], "amount": [amount]}).to_arrow()
        store._get_provider().write_feature_service_logs(
            feature_service=service, logs=logged, config=store.config, registry=store.registry
        )
    assert sorted(pl.read_parquet(tmp_path / "log/*.parquet")["amount"]) == [1.0, 2.0]
