"""What Feast's readers accept and return: entity frames, time zones, Arrow types, saved datasets."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurestore.errors import ConfigError, ContractError
from featurestore.values.table import feast_type

pytestmark = [
    # Feast 0.67 and what it imports warn about themselves.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:(Saving|Retrieving) dataset:RuntimeWarning"),
]

NOW = datetime(2024, 1, 10, tzinfo=UTC)
AMOUNT = ["last_order:amount"]
ZONES = ("US/Pacific", "Europe/Berlin", "Asia/Kathmandu")


@pytest.fixture(scope="module")
def store(shared_shop):
    from feast import FeatureStore  # noqa: PLC0415 - after the filters above

    shared_shop.apply()
    return FeatureStore(repo_path=str(shared_shop.settings.feast_repo))


def entity_rows():
    timestamps = [datetime(2024, 1, day, tzinfo=UTC) for day in (4, 9)]
    return pl.DataFrame(
        {"customer": [1, 3], "event_timestamp": timestamps},
        schema_overrides={"event_timestamp": pl.Datetime("us", "UTC")},
    )


def joined(store, rows, **options):
    return store.get_historical_features(entity_df=rows, features=AMOUNT, **options).to_df()


@pytest.mark.parametrize("zone", ZONES)
def test_a_timestamp_in_a_named_zone_is_the_same_instant(shared_shop, store, zone):
    """Spans, materialization and entity rows take every zone, and give what the same instants in UTC give."""
    local = ZoneInfo(zone)
    start, end = datetime(2024, 1, 5, tzinfo=UTC), datetime(2024, 1, 9, tzinfo=UTC)
    span = {"start_date": start.astimezone(local), "end_date": end.astimezone(local)}
    job = store.get_historical_features(features=AMOUNT, **span)
    assert pl.DataFrame(job.to_arrow()).equals(shared_shop.historical(features=AMOUNT, start=start, end=end))
    store.materialize(start_date=datetime(2023, 1, 1, tzinfo=local), end_date=NOW.astimezone(local))
    store.materialize_incremental(end_date=NOW.astimezone(local))
    assert shared_shop.get_online([{"customer": 3}], AMOUNT)["amount"].to_list() == [8.0]
    rows = entity_rows().to_pandas()
    local_rows = rows.assign(event_timestamp=rows["event_timestamp"].dt.tz_convert(zone))
    assert joined(store, local_rows)["amount"].tolist() == joined(store, rows)["amount"].tolist()


@pytest.mark.parametrize("name", ["at", "ts", "when asked"])
def test_the_only_column_of_timestamps_is_the_time_of_the_rows(store, name):
    """As in Feast, and the column keeps its name."""
    rows = entity_rows()
    named = joined(store, rows.rename({"event_timestamp": name}).to_pandas())
    assert named.columns.tolist() == ["customer", name, "amount"]
    assert named["amount"].tolist() == joined(store, rows.to_pandas())["amount"].tolist()


def test_two_columns_of_timestamps_are_refused(store):
    """Nothing is guessed: the error names both columns and the name to use."""
    rows = entity_rows().with_columns(loaded=pl.col("event_timestamp")).rename({"event_timestamp": "at"})
    with pytest.raises(ContractError, match=r"'at', 'loaded' hold timestamps.*'event_timestamp'"):
        joined(store, rows.to_pandas())


def test_timestamps_of_sql_without_a_zone_are_in_utc(store):
    """As in Feast; the same instants with a zone give the same answer."""
    query = "SELECT 3 AS customer, {} AS event_timestamp"
    naive = joined(store, query.format("TIMESTAMP '2024-01-09 00:00:00'"))
    zoned = joined(store, query.format("TIMESTAMPTZ '2024-01-09 00:00:00+00'"))
    assert naive["amount"].tolist() == zoned["amount"].tolist() == [8.0]


def test_the_filter_by_created_timestamp_is_what_the_join_does(store):
    """With the flag and without it no row answers before it was known."""
    rows = pl.DataFrame(
        {"customer": [1, 1], "event_timestamp": [NOW - timedelta(days=5), NOW - timedelta(days=4)]}
    )
    plain = store.get_historical_features(entity_df=rows.to_pandas(), features=["last_order:coupon"]).to_df()
    flagged = store.get_historical_features(
        entity_df=rows.to_pandas(), features=["last_order:coupon"], filter_by_created_timestamp=True
    ).to_df()
    assert plain.equals(flagged)


SCALARS = [
    pl.Boolean(), pl.Int8(), pl.Int16(), pl.Int32(), pl.Int64(), pl.UInt8(), pl.UInt16(), pl.UInt32(),
    pl.Float32(), pl.Float64(), pl.String(), pl.Binary(), pl.Datetime("us", "UTC"),
    pl.Datetime("ms", "US/Pacific"),
]  # fmt: skip
DTYPES = [*SCALARS, *map(pl.List, SCALARS), *(pl.Array(dtype, 2) for dtype in SCALARS)]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_feasts_type_map_knows_our_arrow_types(dtype):
    """Each type of a result is the type that the registry declares. Feast's map has no dates and decimals."""
    from feast.type_map import pa_to_feast_value_type  # noqa: PLC0415 - after the filters above

    from featurestore.adapters.feast.arrow import arrow_table  # noqa: PLC0415

    [field] = arrow_table(pl.DataFrame(schema={"f": dtype})).schema
    assert pa_to_feast_value_type(str(field.type)).name == feast_type(dtype)


@given(
    st.lists(
        st.one_of(st.none(), st.lists(st.one_of(st.none(), st.text(max_size=3)), max_size=3)), max_size=5
    )
)
def test_the_values_of_lists_stay_what_they_are(values):
    """Shorter offsets change the type of a column and no value, in frames of several chunks too."""
    from featurestore.adapters.feast.arrow import arrow_table  # noqa: PLC0415

    frame = pl.DataFrame({"f": values}, schema={"f": pl.List(pl.String)})
    table = arrow_table(pl.concat([frame, frame], rechunk=False))
    assert table.column("f").to_pylist() == values * 2
    assert len(table.to_batches()) <= 1


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        (pl.Date(), date(2024, 1, 1)),
        (pl.Datetime("us", "US/Pacific"), NOW),
        (pl.Decimal(10, 2), Decimal("1.50")),
        (pl.UInt64(), 2**64 - 1),
        (pl.Int64(), 2**63 - 1),
        (pl.Float32(), 1.5),
        (pl.String(), "a"),
        (pl.Binary(), b"a"),
        (pl.Boolean(), True),
    ],
    ids=str,
)
def test_feast_can_materialize_each_dtype(dtype, value):
    """Feast turns the columns of a materialization into messages: scalars, lists, missing values and elements."""
    from feast.type_map import python_values_to_proto_values  # noqa: PLC0415 - after the filters above
    from feast.value_type import ValueType  # noqa: PLC0415

    from featurestore.adapters.feast.arrow import arrow_table, wire_columns  # noqa: PLC0415

    schema = {"scalar": dtype, "list": pl.List(dtype), "array": pl.Array(dtype, 2)}
    frame = pl.DataFrame(
        {"scalar": [value, None], "list": [[value, None], None], "array": [[value, None], None]},
        schema=schema,
    )
    [batch] = arrow_table(frame.select(wire_columns(schema))).to_batches()
    for name, declared in schema.items():
        values = batch.column(name).to_numpy(zero_copy_only=False)
        messages = python_values_to_proto_values(values, ValueType[feast_type(declared)])
        assert len(messages) == 2


def save(store, path, **options):
    from feast.infra.offline_stores.file_source import SavedDatasetFileStorage  # noqa: PLC0415

    job = store.get_historical_features(entity_df=entity_rows().to_pandas(), features=AMOUNT)
    storage = SavedDatasetFileStorage(path=str(path), **options)
    return store.create_saved_dataset(from_=job, name="saved", storage=storage, allow_overwrite=True)


@pytest.mark.parametrize("path", ["{}", "{}/new/"])
def test_a_saved_dataset_is_not_written_over_a_folder(store, tmp_path, path):
    """The error says that the path is a folder, and shows the path of a file; allow_overwrite cannot help."""
    with pytest.raises(ConfigError, match="is a folder") as caught:
        save(store, path.format(tmp_path))
    assert "saved.parquet" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["s3://bucket/saved.parquet", "gs://bucket/saved.parquet"])
def test_a_saved_dataset_on_another_machine_is_refused(store, path):
    """No folder named "s3:" appears on this machine."""
    with pytest.raises(ConfigError, match="not on this machine"):
        save(store, path)


def test_a_relative_path_of_a_saved_dataset_starts_at_the_repository(shared_shop, store):
    """The same file is written and read, wherever the process runs."""
    saved = save(store, "../data/saved/rows.parquet")
    assert (shared_shop.settings.data / "saved/rows.parquet").is_file()
    assert saved.to_df()["amount"].tolist() == joined(store, entity_rows().to_pandas())["amount"].tolist()
    assert store.retrieve_dataset_data("saved").shape[0] == 2
