"""Every public method of Feast's FeatureStore that touches data works like ours, or is refused with a reason."""

import asyncio
import inspect
import re
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from featurestore.errors import DefinitionError, MissingDataError

pytestmark = [
    # Feast 0.67 and what it imports warn about themselves.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:On demand feature view is:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:(Saving|Retrieving) dataset:RuntimeWarning"),
]

PAGE = Path(__file__).parents[2] / "docs/how-to/use-feast-tools.md"
NOW = datetime(2024, 1, 10, tzinfo=UTC)
# Methods that read or change the registry alone.
REGISTRY = re.compile(
    r"list_.*|get_(?!historical|online|saved).*|delete_.*|(enable|disable)_feature_view|set_feature_view_state"
    r"|refresh_registry|(set|reset)_current_project|initialize|close"
)


@pytest.fixture(scope="module")
def store(shared_shop):
    from feast import FeatureStore  # noqa: PLC0415 - after the filters above

    shared_shop.apply()
    shared_shop.materialize()
    return FeatureStore(repo_path=str(shared_shop.settings.feast_repo))


def test_the_page_says_what_each_method_does():
    """A method that a new release of Feast adds must be looked at."""
    from feast import FeatureStore  # noqa: PLC0415 - after the filters above

    methods = {
        name
        for name, _ in inspect.getmembers(FeatureStore, inspect.isfunction)
        if not name.startswith("_") and not REGISTRY.fullmatch(name)
    }
    table = re.findall(r"^\| (`.*?) \|", PAGE.read_text(), flags=re.MULTILINE)
    assert {name for row in table for name in re.findall(r"`(\w+)`", row)} == methods


DOCUMENTS = {"features": ["last_order:amount"], "top_k": 1, "query": [1.0]}


@pytest.mark.parametrize("method", ["retrieve_online_documents", "retrieve_online_documents_v2"])
def test_a_search_for_documents_is_refused(store, method):
    """Feast's own error names the online store and what it does not do."""
    with pytest.raises(NotImplementedError, match="LmdbOnlineStore does not support online retrieval"):
        getattr(store, method)(**DOCUMENTS)


def test_an_update_of_parts_of_a_row_is_refused(store):
    """It would pass neither gate nor log."""
    rows = pl.DataFrame({"customer": [1], "amount": [1.0]}).to_pandas()
    update = store.update_online_store("last_order", rows, {"amount": "list_append(amount, :v)"})
    with pytest.raises(NotImplementedError, match="LmdbOnlineStore does not support"):
        asyncio.run(update)


def test_precomputing_writes_nothing(shared_shop, store, caplog):
    """Feast says in its log that the store is not scanned, and the answers stay as they are."""
    before = shared_shop.get_online([{"customer": 3}], ["last_order:amount"])
    assert store.precompute_feature_service("buying") == 0
    assert "Entity scanning not supported" in caplog.text
    assert shared_shop.get_online([{"customer": 3}], ["last_order:amount"]).equals(before)


def test_a_dataset_from_a_retrieval_is_ours(shared_shop, store, tmp_path):
    """One call joins and saves; the file holds what our join gives."""
    from feast.infra.offline_stores.file_source import SavedDatasetFileStorage  # noqa: PLC0415

    rows = pl.DataFrame({"customer": [3], "event_timestamp": [NOW]})
    path = tmp_path / "rows.parquet"
    store.create_dataset_from_retrieval(
        name="rows",
        entity_df=rows.to_pandas(),
        features=["last_order:amount"],
        storage=SavedDatasetFileStorage(path=str(path)),
    )
    assert pl.read_parquet(path)["amount"].to_list() == [8.0]
    assert store.retrieve_dataset_data("rows")["amount"].tolist() == [8.0]
    assert store.get_saved_dataset("rows").to_df()["amount"].tolist() == [8.0]


def test_an_on_demand_view_of_feast_alone_is_refused(shop):
    """Feast could compute it online, and nothing could train on it: both reads are refused."""
    from feast import FeatureStore, Field  # noqa: PLC0415 - after the filters above
    from feast.on_demand_feature_view import on_demand_feature_view  # noqa: PLC0415
    from feast.types import Float64  # noqa: PLC0415

    shop.apply()
    shop.materialize()
    store = FeatureStore(repo_path=str(shop.settings.feast_repo))
    view = store.get_feature_view("last_order")

    @on_demand_feature_view(sources=[view], schema=[Field(name="twice", dtype=Float64)], mode="python")
    def doubled(inputs):
        return {"twice": [None if amount is None else 2.0 * amount for amount in inputs["amount"]]}

    store.apply([doubled])
    with pytest.raises(DefinitionError, match="'doubled' has no definition in this project"):
        store.get_online_features(features=["doubled:twice"], entity_rows=[{"customer": 3}])
    rows = pl.DataFrame({"customer": [3], "event_timestamp": [NOW]}).to_pandas()
    with pytest.raises(DefinitionError, match="doubled"):
        store.get_historical_features(entity_df=rows, features=["doubled:twice"])


def test_a_teardown_is_undone_by_our_commands(shop):
    """Feast removes the online rows and its registry, and no data of training."""
    from feast import FeatureStore  # noqa: PLC0415 - after the filters above

    shop.apply()
    shop.materialize()
    FeatureStore(repo_path=str(shop.settings.feast_repo)).teardown()
    with pytest.raises(MissingDataError, match="materialize"):
        shop.get_online([{"customer": 3}], ["last_order:amount"])
    shop.apply()
    shop.materialize()
    store = FeatureStore(repo_path=str(shop.settings.feast_repo))
    answer = store.get_online_features(features=["last_order:amount"], entity_rows=[{"customer": 3}])
    assert answer.to_dict()["amount"] == [8.0]
