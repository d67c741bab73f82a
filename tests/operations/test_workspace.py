"""The workspace: made without work, shared by all operations, and set beside other data."""

import subprocess
import sys

import pytest

import featurestore
from featurestore.errors import MissingDataError
from featurestore.project import open_served


def test_opening_a_project_loads_no_definitions(shop_files):
    """Definitions, engine, registry and store are loaded when they are needed first."""
    (shop_files / "feature_repo/shop.py").write_text("raise SystemExit")
    project = featurestore.open(shop_files)
    assert project.layout.data == shop_files / "data"
    with pytest.raises(SystemExit):
        _ = project.catalog


def test_definitions_are_loaded_once(shop):
    """Every operation sees the same objects."""
    assert shop.catalog is shop.catalog
    assert shop.with_data(shop.layout.data).catalog is shop.catalog


def test_definitions_beside_other_data(shop, tmp_path):
    """The same definitions with the data of another folder; the project itself does not change."""
    beside = shop.with_data(tmp_path / "elsewhere")
    with pytest.raises(MissingDataError, match="elsewhere"):
        beside.quality.verdict("orders")
    beside.validate("orders")
    beside.build("last_order")
    assert beside.dataset("last_order").collect().equals(shop.dataset("last_order").collect())
    assert len(beside.quality.history("orders")) == len(shop.quality.history("orders")) == 1


def test_what_is_served_is_the_active_release(shop):
    """Without a release, the project itself."""
    project, release = open_served(shop.settings.root)
    assert (project.settings.root, release) == (shop.settings.root, None)
    shop.materialize()
    newest = shop.release()
    project, release = open_served(shop.settings.root)
    assert (project.settings.root, release) == (shop.layout.releases / newest.name, newest)


def test_opening_a_project_imports_neither_feast_nor_duckdb(shop_files):
    """Nor DVC, LMDB or Ray: only the verbs that need them import them."""
    code = (
        "import sys, featurestore\n"
        f"featurestore.open({str(shop_files)!r}).check()\n"
        "heavy = {'feast', 'dvc', 'duckdb', 'lmdb', 'ray'} & set(sys.modules)\n"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
