"""The cases of Feast's own tests for the stores of third parties, on the shop. docs/how-to/use-feast-tools.md lists them."""

import pickle
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from featurestore.errors import ConfigError, ContractError

pytestmark = [
    # Feast 0.67 and what it imports warn about themselves.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:(Saving|Retrieving) dataset:RuntimeWarning"),
]

NOW = datetime(2024, 1, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
AMOUNT = ["last_order:amount"]


@pytest.fixture(scope="module")
def store(shared_shop):
    """Feast's store over a shop that is applied and materialized."""
    from feast import FeatureStore  # noqa: PLC0415 - after the filters above

    shared_shop.apply()
    shared_shop.materialize()
    return FeatureStore(repo_path=str(shared_shop.settings.feast_repo))


def orders(customer, *amounts, event=NOW):
    """Return rows of last_order, an hour after each other, the last one at `event`."""
    events = [event - HOUR * number for number in reversed(range(len(amounts)))]
    return pl.DataFrame(
        {
            "customer": [customer] * len(amounts),
            "event_timestamp": events,
            "created_timestamp": events,
            "amount": pl.Series(amounts, dtype=pl.Float32),
            "coupon": pl.Series([None] * len(amounts), dtype=pl.String),
            "ordered_at": events,
        }
    ).to_pandas()


def amounts_at(store, customer, *timestamps, **options):
    """Return the amount of a customer's last order at some timestamps, as a training set has it."""
    rows = pl.DataFrame({"customer": [customer] * len(timestamps), "event_timestamp": timestamps})
    joined = store.get_historical_features(entity_df=rows.to_pandas(), features=AMOUNT, **options)
    return pl.DataFrame(joined.to_arrow())["amount"].to_list()


def amount_now(store, customer):
    """Return the amount of a customer's last order, as an application reads it."""
    answer = store.get_online_features(features=AMOUNT, entity_rows=[{"customer": customer}])
    return answer.to_dict()["amount"][0]


def test_a_feature_that_another_view_has_is_not_found(store):
    """A view has its own features alone, also where another view reads the same rows."""
    rows = pl.DataFrame({"customer": [1], "event_timestamp": [NOW]}).to_pandas()
    with pytest.raises(KeyError, match="ratio"):
        store.get_historical_features(entity_df=rows, features=["last_order:ratio"]).to_df()


def test_a_join_without_request_values_is_refused_with_feasts_error(store):
    """Feast's error names the value and its view; nothing is computed of a missing value."""
    from feast.errors import RequestDataNotFoundInEntityDfException  # noqa: PLC0415

    rows = pl.DataFrame({"customer": [1], "event_timestamp": [NOW]}).to_pandas()
    with pytest.raises(RequestDataNotFoundInEntityDfException, match=r"basket.*compared"):
        store.get_historical_features(entity_df=rows, features=["compared:ratio"]).to_df()


def test_a_lookup_without_request_values_is_refused_with_feasts_error(store):
    """As in a join."""
    from feast.errors import RequestDataNotFoundInEntityRowsException  # noqa: PLC0415

    with pytest.raises(RequestDataNotFoundInEntityRowsException, match="basket"):
        store.get_online_features(features=["compared:ratio"], entity_rows=[{"customer": 1}])


def test_an_on_demand_feature_is_computed_from_features_that_are_not_asked_for(store):
    """Feast asks the offline store for the inputs too, so a training set has them; an online answer has not."""
    rows = pl.DataFrame({"customer": [3], "basket": [16.0], "event_timestamp": [NOW - HOUR]})
    joined = store.get_historical_features(entity_df=rows.to_pandas(), features=["compared:ratio"]).to_df()
    assert joined.to_dict("list").items() >= {"amount": [8.0], "ratio": [2.0]}.items()
    answer = store.get_online_features(["compared:ratio"], [{"customer": 3, "basket": 16.0}])
    assert answer.to_dict() == {"customer": [3], "ratio": [2.0]}


def test_a_saved_dataset_is_not_written_over_a_file(store, tmp_path):
    """The error is Feast's and ours: both sides catch it. With allow_overwrite the file is replaced."""
    from feast.errors import SavedDatasetLocationAlreadyExists  # noqa: PLC0415
    from feast.infra.offline_stores.file_source import SavedDatasetFileStorage  # noqa: PLC0415

    path = tmp_path / "rows.parquet"
    path.write_text("kept")
    rows = pl.DataFrame({"customer": [3], "event_timestamp": [NOW - HOUR]}).to_pandas()
    job = store.get_historical_features(entity_df=rows, features=AMOUNT)
    storage = SavedDatasetFileStorage(path=str(path))
    with pytest.raises(SavedDatasetLocationAlreadyExists) as caught:
        store.create_saved_dataset(from_=job, name="rows", storage=storage)
    assert isinstance(caught.value, ConfigError)
    assert str(caught.value) == f"{path} exists already\n  hint: pass allow_overwrite=True"
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301 - our own bytes
    assert path.read_text() == "kept"
    store.create_saved_dataset(from_=job, name="rows", storage=storage, allow_overwrite=True)
    assert pl.read_parquet(path)["amount"].to_list() == [8.0]


def test_columns_are_written_by_name(store):
    """Their order does not matter."""
    rows = orders(20, 4.0)
    store.write_to_offline_store("last_order", rows[rows.columns[::-1]])
    assert amounts_at(store, 20, NOW) == [None]  # known a minute later
    assert amounts_at(store, 20, NOW + HOUR) == [4.0]


def test_rows_with_other_columns_are_refused(store):
    """The error names the columns that are missing and those that are not expected; nothing is written."""
    rows = orders(21, 4.0).drop(columns="amount").assign(worth=4.0)
    with pytest.raises(ValueError, match=r"missing_expected_columns: \['amount'\].*unexpected.*\['worth'\]"):
        store.write_to_offline_store("last_order", rows)
    assert amounts_at(store, 21, NOW + HOUR) == [None]


def test_consecutive_writes_keep_each_other(store):
    """A second write keeps the rows of the first: each row answers from its time on."""
    for amounts, event in (((1.0, 2.0), NOW + 2 * HOUR), ((3.0, 4.0), NOW + 4 * HOUR)):
        rows = orders(22, *amounts, event=event)
        # Events may be ahead of the clock; the time of writing may not.
        rows["created_timestamp"] = NOW
        store.write_to_offline_store("last_order", rows)
    times = [NOW + HOUR * hours + timedelta(minutes=1) for hours in (0, 1, 2, 3, 4)]
    assert amounts_at(store, 22, *times) == [None, 1.0, 2.0, 3.0, 4.0]


def test_two_rows_of_one_event_are_refused(store):
    """Feast keeps one of them by luck; here it is a violation of the contract, and nothing is written."""
    rows = orders(23, 4.0, 5.0)
    rows["event_timestamp"] = rows["created_timestamp"] = rows["event_timestamp"].iloc[0]
    with pytest.raises(ContractError, match="2 of 2 rows"):
        store.write_to_offline_store("last_order", rows)
    assert amounts_at(store, 23, NOW + HOUR) == [None]


def test_an_older_row_that_is_written_later_does_not_answer(store):
    """The newer event stays, and a newer one replaces it, in the order of events and not of writes."""
    for amount, event in ((5.0, NOW - HOUR), (4.0, NOW - 2 * HOUR)):
        store.write_to_online_store("last_order", orders(24, amount, event=event))
        assert amount_now(store, 24) == 5.0
    store.write_to_online_store("last_order", orders(24, 6.0, event=NOW - HOUR / 2))
    assert amount_now(store, 24) == 6.0


def test_an_answer_has_the_times_of_its_rows(store):
    """With event timestamps, each feature has a column of seconds since 1970; a row that is not found has 0."""
    rows = [{"customer": 3}, {"customer": 99}]
    frame = store.get_online_features(features=AMOUNT, entity_rows=rows).to_df(include_event_timestamps=True)
    assert frame["amount__ts"].tolist() == [int(datetime(2024, 1, 8, tzinfo=UTC).timestamp()), 0]


def test_a_join_without_entity_rows_has_the_newest_row(store):
    """The rows that became known between two times, each within them; the last one is among them."""
    job = store.get_historical_features(
        features=AMOUNT,
        start_date=datetime(2024, 1, 5, tzinfo=UTC),
        end_date=datetime(2024, 1, 9, 1, tzinfo=UTC),
    )
    frame = pl.DataFrame(job.to_arrow()).filter(pl.col("customer") == 3)
    assert frame["amount"].to_list() == [7.0, 8.0]


def test_a_late_version_answers_once_it_is_known(store):
    """Feast's join shows it at its event's time, and not with `filter_by_created_timestamp`; here both hide it."""
    times = [datetime(2024, 1, 8, 12, tzinfo=UTC), datetime(2024, 1, 9, 12, tzinfo=UTC)]
    for options in ({}, {"filter_by_created_timestamp": True}):
        assert amounts_at(store, 3, *times, **options) == [7.0, 8.0]


def test_an_incremental_materialization_goes_on_where_the_last_one_ended(shop):
    """Between the two the online store has the older row, as training has; the registry lists both intervals."""
    from feast import FeatureStore  # noqa: PLC0415 - after the filters above

    shop.apply()
    store = FeatureStore(repo_path=str(shop.settings.feast_repo))
    start, split = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 8, 12, tzinfo=UTC)
    store.materialize(start, split, ["last_order"])
    assert amount_now(store, 3) == amounts_at(store, 3, split)[0] == 7.0
    store.materialize_incremental(NOW, ["last_order"])
    assert amount_now(store, 3) == amounts_at(store, 3, NOW)[0] == 8.0
    intervals = store.get_feature_view("last_order").materialization_intervals
    assert [end for _, end in intervals] == [split, NOW]
    assert intervals[1][0] == split
