"""One view read twice in one request: by who buys, and by who referred the buyer."""

from datetime import UTC, datetime

import polars as pl
import pytest
from serving import running

import featurestore
from featurestore.errors import DefinitionError, UnknownNameError

NOW = datetime(2024, 1, 10, tzinfo=UTC)
ROWS = pl.DataFrame({"customer": [3, 1, 9], "referred_by": [1, None, 3]})
COLUMNS = ["amount", "referrer_amount", "referrer_coupon"]
FOUND = [(8.0, None, None), (None, None, None), (None, 8.0, None)]


@pytest.fixture
def project(shop_files):
    """The shop with a service that reads customers under two names."""
    path = shop_files / "feature_repo/shop.py"
    path.write_text(
        path.read_text()
        + """
referrer = last_order["amount", "coupon"].aliased("referrer", keys={"customer": "referred_by"})
referred = feature_service("referred", (last_order["amount"], referrer), owner="shop")
"""
    )
    opened = featurestore.open(shop_files)
    opened.validate("orders")
    opened.build("last_order")
    opened.materialize()
    return opened


def test_each_name_is_read_by_its_own_column(project):
    """The historical join and the online lookup read the same values under each name."""
    joined = project.historical(ROWS.with_columns(event_timestamp=NOW), "referred")
    assert joined.select(COLUMNS).rows() == FOUND
    served = project.get_online(ROWS, "referred", statuses=True)
    assert served.select(COLUMNS).rows() == FOUND
    assert served["referrer_amount__status"].to_list() == [2, 3, 1]
    full = project.historical(ROWS.with_columns(event_timestamp=NOW), "referred", full_names=True, times=True)
    assert full.columns[3:6] == ["last_order__amount", "referrer__amount", "referrer__coupon"]
    assert "referrer__amount__age" in full.columns
    explained = project.explain(ROWS.head(1).with_columns(event_timestamp=NOW), "referred")
    assert explained["last_order"].height == 2
    assert explained["referrer"]["verdict"].to_list() == ["older", "older", "answer"]


@pytest.mark.filterwarnings("ignore")
def test_feast_reads_it_under_both_names(project):
    """Feast sees each name as a projection: a name and a map of join keys."""
    from feast import FeatureStore  # noqa: PLC0415 - after the filters above

    project.apply()
    store = FeatureStore(repo_path=str(project.settings.feast_repo))
    service = store.get_feature_service("referred")
    entity_rows = ROWS.with_columns(event_timestamp=NOW)
    job = store.get_historical_features(entity_rows.to_pandas(), service, full_feature_names=True)
    full = ["last_order__amount", "referrer__amount", "referrer__coupon"]
    assert pl.DataFrame(job.to_arrow()).select(full).rows() == FOUND
    online = store.get_online_features(
        service, ROWS.fill_null(0).to_dicts(), full_feature_names=True
    ).to_dict()
    assert list(zip(*(online[name] for name in full), strict=True)) == FOUND


def test_two_reads_of_one_name_are_refused(project):
    """A service that reads one view twice under one name is refused: its keys are ambiguous."""
    view = project.catalog.view("last_order")
    coupon = view["coupon"].aliased("last_order", keys={"customer": "referred_by"})
    with pytest.raises(DefinitionError, match="'last_order' names two reads"):
        featurestore.feature_service("twice", (view["amount"], coupon), owner="test")
    with pytest.raises(UnknownNameError, match="did you mean 'customer'"):
        view.aliased("x", keys={"custmer": "referred_by"})


@pytest.fixture
def twins(shop_files):
    """The shop with two views that have features of the same names."""
    path = shop_files / "feature_repo/shop.py"
    text = path.read_text()
    view = text[text.index("@feature_view") : text.index("@on_demand")].replace("last_order", "doubled")
    view = view.replace('"amount",', 'pl.col("amount") * 2,').replace("LastOrder", "DoubledOrder")
    path.write_text(f'{text}\n\nclass DoubledOrder(LastOrder):\n    """Doubled."""\n\n\n{view}')
    opened = featurestore.open(shop_files)
    opened.validate("orders")
    opened.build("last_order")
    opened.build("doubled")
    opened.apply()
    opened.materialize()
    return opened


@pytest.mark.filterwarnings("ignore")
def test_features_of_one_name_in_two_views_are_told_apart_by_full_names(twins):
    """Historical and online, through Python, HTTP and Feast's own interface; without full names all refuse."""
    from feast import FeatureStore  # noqa: PLC0415 - after the filters above

    rows = pl.DataFrame({"customer": [3, 1, 9], "event_timestamp": NOW})
    references = ["last_order:amount", "doubled:amount", "doubled:coupon"]
    full = ["last_order__amount", "doubled__amount", "doubled__coupon"]
    expected = [(8.0, 16.0, None), (None, None, None), (None, None, None)]
    joined = twins.historical(rows, references, full_names=True, statuses=True, times=True)
    assert joined.select(full).rows() == expected
    assert joined.select(f"{name}__status" for name in full).rows() == [(1, 1, 2), (2, 2, 2), (3, 3, 3)]
    assert f"{full[1]}__age" in joined.columns
    store = FeatureStore(repo_path=str(twins.settings.feast_repo))
    job = store.get_historical_features(rows.to_pandas(), references, full_feature_names=True)
    assert pl.DataFrame(job.to_arrow()).select(full).rows() == expected
    keys = rows.select("customer").to_dicts()
    online = store.get_online_features(references, keys, full_feature_names=True).to_dict()
    assert list(zip(*(online[name] for name in full), strict=True)) == expected
    body = {"features": references, "entities": {"customer": [3, 1, 9]}}
    with running(twins.settings.root) as client:
        answer = client.post("/get-online-features", {**body, "full_feature_names": True}).json()
        assert answer["metadata"]["feature_names"][1:] == full
        values = [column["values"] for column in answer["results"][1:]]
        assert list(zip(*values, strict=True)) == expected
        refused = client.post("/get-online-features", body)
        assert (refused.status_code, "'amount' is in 'last_order' and in 'doubled'" in refused.text) == (
            422,
            True,
        )
    with pytest.raises(DefinitionError, match="'amount' is in 'last_order' and in 'doubled'"):
        twins.historical(rows, references)
    with pytest.raises(DefinitionError, match="'amount' is in 'last_order' and in 'doubled'"):
        twins.get_online(rows.select("customer"), references)
