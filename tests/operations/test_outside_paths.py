"""A path outside the project is refused where it is written, and DVC's links are no such paths."""

import pytest
from runner import run

import featurestore
from featurestore.errors import ConfigError, DefinitionError
from featurestore.storage.inside import inside


def pointed_at(folder, path):
    """Let the source of the shop name another path."""
    [file] = [f for f in (folder / "feature_repo").glob("*.py") if "data/raw/orders.csv" in f.read_text()]
    file.write_text(file.read_text().replace("data/raw/orders.csv", path))


@pytest.mark.parametrize("path", ["../orders.csv", "data/../../orders/*.csv", "/orders.csv"])
def test_a_source_outside_the_project_is_refused(shop_files, path):
    """By each command that loads the definitions, with what to do."""
    pointed_at(shop_files, path)
    with pytest.raises(DefinitionError, match=r"source 'orders'.*is outside the project") as refused:
        _ = featurestore.open(shop_files).catalog
    assert "data/raw" in refused.value.hint
    for words in (("check",), ("validate", "orders"), ("run",)):
        done = run(*words, cwd=shop_files)
        assert done.returncode == DefinitionError.exit_code
        assert "is outside the project" in done.stderr


def test_a_folder_that_is_a_link_to_outside_is_refused(shop_files, tmp_path_factory):
    """Its files are not in the project, although their path looks so. The definitions load: a machine that serves has no DVC."""
    raw = shop_files / "data/raw"
    elsewhere = tmp_path_factory.mktemp("disk") / "raw"
    raw.rename(elsewhere)
    raw.symlink_to(elsewhere)
    assert featurestore.open(shop_files).catalog.sources
    with pytest.raises(ConfigError, match="is outside the project"):
        _ = featurestore.open(shop_files).unversioned()


def test_a_file_that_is_a_link_is_inside(tmp_path):
    """DVC with `cache.type symlink` links files to its cache; the name in dvc.yaml is that of the link."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "rows.csv").symlink_to(tmp_path / "cache")
    assert inside(root, root / "rows.csv") == "rows.csv"
    with pytest.raises(ConfigError, match="is outside the project"):
        inside(root, tmp_path / "cache")
