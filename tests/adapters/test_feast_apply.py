"""What Feast's registry may hold: the project's definitions, wherever the project is."""

import shutil
import subprocess
from datetime import UTC, datetime

import forks
import pytest

import featurestore
from featurestore.errors import ConfigError, DefinitionError

pytestmark = [
    # Feast 0.67 and what it imports warn about themselves.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:(Saving|Retrieving) dataset:RuntimeWarning"),
]

START, NOW = datetime(2023, 1, 1, tzinfo=UTC), datetime(2024, 1, 10, tzinfo=UTC)


def feast_store(project):
    from feast import FeatureStore  # noqa: PLC0415 - after the filters above

    return FeatureStore(repo_path=str(project.settings.feast_repo))


def test_a_moved_project_reads_its_own_folder(shop, tmp_path):
    """A copy with other rows and another on-demand function is materialized and computed from the copy."""
    shop.apply()
    root = shop.settings.root
    moved = tmp_path / "moved/shop"
    shutil.copytree(root, moved, ignore=shutil.ignore_patterns("moved"))
    orders, views = moved / "data/raw/orders.csv", moved / "feature_repo/shop.py"
    orders.write_text(orders.read_text().replace("2024-01-09T00:00:00Z,8,", "2024-01-09T00:00:00Z,80,"))
    views.write_text(views.read_text().replace('pl.col("basket") / ', 'pl.lit(2.0) * pl.col("basket") / '))
    copy = featurestore.open(moved)
    copy.validate("orders")
    copy.build("last_order")
    store = feast_store(copy)
    store.materialize(START, NOW)
    answer = store.get_online_features(
        features=["last_order:amount", "compared:ratio"], entity_rows=[{"customer": 3, "basket": 20.0}]
    ).to_dict()
    assert (answer["amount"], answer["ratio"]) == ([80.0], [0.5])


def test_a_registry_with_the_paths_of_another_folder_is_refused(shop, tmp_path):
    """Feast would materialize the other folder; the error names both folders and the command."""
    shop.apply()
    store = feast_store(shop)
    view = store.get_feature_view("last_order")
    elsewhere = tmp_path / "other/part-0.parquet"
    view.batch_source.file_options.uri = str(elsewhere)
    store.registry.apply_feature_view(view, store.project, commit=True)
    with pytest.raises(ConfigError, match="applied in another folder") as caught:
        store.materialize(START, NOW)
    assert str(elsewhere) in caught.value.message
    assert caught.value.hint == "run: featurestore apply"
    shop.apply()
    feast_store(shop).materialize(START, NOW)
    assert shop.audit().mismatches == 0


def test_a_feast_view_that_is_not_ours_is_refused(shop):
    """Neither a new view nor one with the name of a defined view is applied, and the registry stays as it was."""
    from feast import Entity, FeatureView, FileSource  # noqa: PLC0415 - after the filters above

    shop.apply()
    source = FileSource(path=str(shop.layout.features("last_order")), timestamp_field="event_timestamp")
    for name in ("plain", "last_order"):
        plain = FeatureView(name=name, entities=[Entity(name="customer")], source=source)
        with pytest.raises(DefinitionError, match=f"Feast view '{name}' was not compiled"):
            feast_store(shop).apply([plain])
        [view] = feast_store(shop).list_feature_views()
        assert view.name == "last_order"
        assert "featurestore.definition" in view.tags


def test_our_own_view_can_be_applied_again(shop):
    """What the registry returns is accepted, as Feast's tools do it."""
    shop.apply()
    store = feast_store(shop)
    store.apply([store.get_feature_view("last_order"), store.get_feature_service("buying")])
    assert [view.name for view in store.list_feature_views()] == ["last_order"]


def test_feast_apply_without_our_definitions_says_what_is_missing(shop):
    """The command fails and names the views and the file that shows them to Feast."""
    objects = shop.settings.feast_repo / "feast_objects.py"
    objects.unlink()
    run = subprocess.run(
        [forks.environment() / "bin/feast", "-c", "feature_repo", "apply"],
        cwd=shop.settings.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode != 0
    assert "defines 'last_order', which Feast did not find" in run.stderr
    assert "feast_objects.py" in run.stderr
