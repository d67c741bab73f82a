"""Every write of Feast's API goes the way of project.push: gate, log, stamp, both stores."""

import asyncio
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from shop import build_shop, write_files

from featurestore.errors import ContractError, DefinitionError
from featurestore.timing.join import Status

pytestmark = [
    # Feast 0.67 and what it imports warn about themselves.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:(Saving|Retrieving) dataset:RuntimeWarning"),
]

NOW = datetime(2024, 1, 10, tzinfo=UTC)
FEATURES = ["last_order:amount", "last_order:coupon"]
MODES = ("ONLINE", "OFFLINE", "ONLINE_AND_OFFLINE")


def _push(mode):
    def write(store, frame):
        from feast.data_source import PushMode  # noqa: PLC0415 - after the filters above

        store.push("last_order", frame, to=PushMode[mode])

    return write


def _push_async(store, frame):
    asyncio.run(store.push_async("last_order", frame))


def _write_online(store, frame):
    store.write_to_online_store("last_order", df=frame)


def _write_online_async(store, frame):
    asyncio.run(store.write_to_online_store_async("last_order", df=frame))


def _write_offline(store, frame):
    store.write_to_offline_store("last_order", frame)


WRITES = [
    *(pytest.param(_push(mode), id=f"push {mode}") for mode in MODES),
    pytest.param(_push_async, id="push_async"),
    pytest.param(_write_online, id="write_to_online_store"),
    pytest.param(_write_online_async, id="write_to_online_store_async"),
    pytest.param(_write_offline, id="write_to_offline_store"),
]


@pytest.fixture(scope="module")
def limited(tmp_path_factory):
    """The shop, materialized, with a limit for amounts and a delay of 15 minutes."""
    folder = write_files(tmp_path_factory.mktemp("limited"))
    schema = folder / "schemas/shop.py"
    schema.write_text(
        schema.read_text().replace("amount: pl.Float32 = pa.Field(", "amount: pl.Float32 = pa.Field(le=100, ")
    )
    views = folder / "feature_repo/shop.py"
    views.write_text(views.read_text().replace("minutes=1)", "minutes=15)"))
    project = build_shop(folder)
    project.apply()
    project.materialize()
    return project


@pytest.fixture(scope="module")
def store(limited):
    from feast import FeatureStore  # noqa: PLC0415 - after the filters above

    return FeatureStore(repo_path=str(limited.settings.feast_repo))


def rows(customer, amount, event):
    """One row as Feast's users have it. Its created timestamp is long ago."""
    import pandas as pd  # noqa: PLC0415 - pandas is Feast's own

    times = {"event_timestamp": [event], "created_timestamp": [event], "ordered_at": [event]}
    return pd.DataFrame({"customer": [customer], "amount": [amount], "coupon": ["NEW"], **times})


def log_of(project):
    return sorted(project.layout.pushed("last_order").glob("*.parquet"))


@pytest.mark.parametrize("write", WRITES)
def test_a_row_that_breaks_its_contract_is_refused(limited, store, write):
    """The gate of the view checks what Feast writes; nothing reaches the log or the online store."""
    before = log_of(limited)
    with pytest.raises(ContractError, match="amount"):
        write(store, rows(77, 750.0, NOW - timedelta(hours=1)))
    assert log_of(limited) == before
    answer = limited.get_online([{"customer": 77}], FEATURES, statuses=True)
    assert answer["amount__status"].to_list() == [Status.NOT_FOUND]


@pytest.mark.parametrize(("write", "customer"), [(p.values[0], 100 + i) for i, p in enumerate(WRITES)])
def test_a_row_is_known_from_now_on_in_training_and_serving(limited, store, write, customer):
    """Training does not see the row before it could be served, and the audit agrees."""
    write(store, rows(customer, 42.0, NOW - timedelta(hours=1)))
    assert limited.get_online([{"customer": customer}], FEATURES)["amount"].to_list() == [42.0]
    entity_rows = pl.DataFrame(
        {"customer": [customer] * 2, "event_timestamp": [NOW - timedelta(seconds=1), NOW]}
    )
    assert limited.historical(entity_rows, FEATURES)["amount"].to_list() == [None, 42.0]
    assert limited.audit().mismatches == 0


@pytest.mark.parametrize(("write", "customer"), [(p.values[0], 200 + i) for i, p in enumerate(WRITES)])
def test_a_row_that_is_not_known_yet_takes_no_view_off_line(limited, store, write, customer):
    """A delayed row waits; the other keys of its view are answered as before."""
    write(store, rows(customer, 42.0, NOW))
    response = store.get_online_features(
        features=FEATURES, entity_rows=[{"customer": customer}, {"customer": 3}]
    )
    assert response.to_dict()["amount"] == [None, 8.0]
    late = pl.DataFrame({"customer": [customer], "event_timestamp": [NOW + timedelta(minutes=15)]})
    assert limited.historical(late, FEATURES)["amount"].to_list() == [42.0]


def test_a_missing_timestamp_stays_missing(limited, store):
    """Feast writes a missing timestamp as the smallest integer, which the gate must not take for a value."""
    frame = rows(301, 1.0, NOW - timedelta(hours=1))
    frame["ordered_at"] = frame["ordered_at"].mask(frame["customer"] == 301)
    with pytest.raises(ContractError, match="ordered_at"):
        store.write_to_online_store("last_order", df=frame)


def test_feast_materializes_no_row_that_is_not_known_yet(limited, store):
    """An end in the future brings the view to the current time, where it answers."""
    store.materialize(datetime(2023, 1, 1, tzinfo=UTC), NOW + timedelta(days=3))
    assert limited.get_online([{"customer": 3}], FEATURES)["amount"].to_list() == [8.0]
    assert limited.audit().mismatches == 0


def test_a_view_without_created_timestamp_takes_no_rows(shop_files):
    """Training would take the rows as known since their events: the refusal names the column to declare."""
    from feast import FeatureStore  # noqa: PLC0415 - after the filters above

    schema = shop_files / "schemas/shop.py"
    lines = [
        line for line in schema.read_text().splitlines() if not line.strip().startswith("created_timestamp:")
    ]
    schema.write_text("\n".join(lines))
    views = shop_files / "feature_repo/shop.py"
    text = views.read_text().replace(', created_timestamp="loaded_at"', "")
    views.write_text(
        text.replace(
            'return orders.select(\n        "customer", "amount"',
            'return orders.filter(pl.col("order") != 5).select(\n        "customer", "amount"',
        )
    )
    project = build_shop(shop_files)
    project.apply()
    project.materialize()
    store = FeatureStore(repo_path=str(project.settings.feast_repo))
    frame = rows(1, 1.0, NOW).drop(columns="created_timestamp")
    for write in (_push("ONLINE"), _write_online, _write_offline):
        with pytest.raises(DefinitionError, match="created_timestamp"):
            write(store, frame)
