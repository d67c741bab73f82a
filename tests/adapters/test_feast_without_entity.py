"""A view without an entity through Feast's own API: Feast's placeholder entity is registered, and the values are ours."""

import shutil
from datetime import UTC, datetime

import polars as pl
import pytest
from rates import build_rates

import featurestore

pytestmark = [
    # Feast 0.67 and what it imports warn about themselves.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

NOW = datetime(2024, 1, 10, tzinfo=UTC)
TIMES = [datetime(2024, 1, day, 12, tzinfo=UTC) for day in (1, 4, 5, 7, 9)]


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A shop with exchange rates, materialized and registered once."""
    project = build_rates(tmp_path_factory.mktemp("rates"))
    project.apply()
    return project.settings.root


@pytest.fixture
def both(template, tmp_path):
    """A copy of the project, and Feast's store over it."""
    from feast import FeatureStore  # noqa: PLC0415 - after the filters above, and only where it is used

    project = featurestore.open(shutil.copytree(template, tmp_path / "copy"))
    project.apply()
    return project, FeatureStore(repo_path=str(project.settings.feast_repo))


def test_the_placeholder_of_feast_is_registered(both):
    """Feast lists a view without entities; a second apply changes nothing."""
    project, store = both
    assert store.get_feature_view("rates").entities == []
    assert store.registry.get_feature_view("rates", store.project).entities == ["__dummy"]
    assert [entity.name for entity in store.list_entities()] == ["customer"]
    changes = project.apply()
    assert (changes.added, changes.changed, changes.removed) == ((), (), ())


@pytest.mark.parametrize(
    ("service", "columns"),
    [("exchange", {}), ("abroad", {"customer": [1, 1, 2, 3, 9], "price": [1.0, 2.0, 3.0, 4.0, 5.0]})],
)
def test_historical_features_are_ours(both, service, columns):
    """Feast's retrieval gives our join, for rows with timestamps alone and for rows with keys."""
    project, store = both
    rows = pl.DataFrame({**columns, "event_timestamp": TIMES})
    joined = store.get_historical_features(
        entity_df=rows.to_pandas(), features=store.get_feature_service(service)
    )
    assert pl.DataFrame(joined.to_arrow()).equals(project.historical(rows, service))


def test_online_features_are_ours(both):
    """Empty rows, Feast's placeholder key and rows of other keys get the rate, with our statuses."""
    project, store = both
    rate = ["rates:usd"]
    assert store.get_online_features(rate, [{}, {}]).to_dict() == {"usd": [1.75, 1.75]}
    assert store.get_online_features(rate, {}).to_dict() == {"usd": [1.75]}
    assert store.get_online_features(rate, {"__dummy_id": ["", ""]}).to_dict() == {"usd": [1.75, 1.75]}
    rows = [{"customer": 1, "price": 2.0}, {"customer": 9, "price": 3.0}]
    ours = project.get_online(rows, "abroad", statuses=True)
    response = store.get_online_features(store.get_feature_service("abroad"), rows)
    theirs = response.to_dict()
    names = response.proto.metadata.feature_names.val
    statuses = {n: list(r.statuses) for n, r in zip(names, response.proto.results, strict=True)}
    for name in ("amount", "coupon", "usd"):
        assert theirs[name] == ours[name].to_list()
        assert statuses[name] == ours[f"{name}__status"].to_list()
    assert theirs["dollars"] == [3.5, 5.25]


def test_the_audit_reads_through_feast(both):
    """The serving path of Feast's SDK is compared for each service, also for the one without keys."""
    project, _ = both
    record = project.audit(feast=True)
    assert record.mismatches == 0
    through_feast = {part.name for part in record.paths if part.path == "Feast get_online_features"}
    assert through_feast == {"exchange", "abroad", "buying"}


def test_what_feast_materializes_and_pushes_passes_the_audit(both):
    """Feast fills an empty store from our rows, and pushes a row that training knows from then on."""
    project, store = both
    shutil.rmtree(project.settings.online)
    store.materialize(datetime(2023, 1, 1, tzinfo=UTC), NOW)
    assert store.get_online_features(["rates:usd"], [{}]).to_dict() == {"usd": [1.75]}
    event = datetime(2024, 1, 9, 5, tzinfo=UTC)
    pushed = pl.DataFrame(
        {"usd": [2.5], "day": [event.date()], "event_timestamp": [event], "created_timestamp": [event]}
    )
    store.push("rates", pushed.to_pandas())
    assert store.get_online_features(["rates:usd"], [{}]).to_dict() == {"usd": [2.5]}
    assert project.audit().mismatches == 0
