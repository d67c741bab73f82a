"""Settings: an unknown one is refused with the nearest name, a wrong value with an example, a missing project with `init`."""

import pytest
from feast.repo_config import RegistryConfig, RepoConfig
from runner import run

from featurestore import config
from featurestore.adapters.feast import offline, online
from featurestore.config import load_settings
from featurestore.errors import ConfigError, UnknownSettingError


def change(path, before, after):
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


@pytest.mark.parametrize(
    ("name", "before", "after", "expected"),
    [
        ("pyproject.toml", "schemas =", "shemas =", ("[tool.featurestore]", "shemas", "schemas")),
        ("pyproject.toml", 'data = "data"', 'data = "data"\nMemory = 1', ("[tool.featurestore]", "Memory", "memory")),
        ("feature_repo/feature_store.yaml", "as_of:", "as_off:", ("online_store", "as_off", "as_of")),
        ("feature_repo/feature_store.yaml", "  path: ../data/online", "  pth: ../data/online", ("online_store", "pth", "path")),
        ("feature_repo/feature_store.yaml", "as_of:", "url: redis://localhost\n  as_of:", ("online_store", "url", None)),
        ("feature_repo/feature_store.yaml", "online_store:", "online_stores:", (None, "online_stores", "online_store")),
        ("feature_repo/feature_store.yaml", "project:", "as_of: 2024-01-10\nproject:", (None, "as_of", None)),
        ("feature_repo/feature_store.yaml", "online_store:", "onlin:", (None, "onlin", "online_store")),
        ("feature_repo/feature_store.yaml", "online_store:", "onlne:", (None, "onlne", "online_store")),
        ("feature_repo/feature_store.yaml", "offline_store:", "ofline:", (None, "ofline", "offline_store")),
        ("feature_repo/feature_store.yaml", "registry_type:", "registry_kind:", ("registry", "registry_kind", "registry_type")),
        ("feature_repo/feature_store.yaml", "Store\nonline", "Store\n  as_of: x\nonline", ("offline_store", "as_of", None)),
    ],
)  # fmt: skip
def test_an_unknown_setting_is_refused_and_the_nearest_is_named(shop_files, name, before, after, expected):
    """Otherwise a slip of the pen changes what is served, without a word."""
    change(shop_files / name, before, after)
    with pytest.raises(UnknownSettingError) as refused:
        load_settings(shop_files)
    error = refused.value
    section, wrong, nearest = expected
    assert (error.section, error.names, error.nearest) == (section, (wrong,), {wrong: nearest})
    assert error.path == str(shop_files / name)
    assert (f"{wrong!r} may be {nearest!r}" in error.hint) == (nearest is not None)
    assert run("check", cwd=shop_files).returncode == 7


def test_the_known_settings_are_those_that_feast_reads():
    """A setting of Feast is not refused, in the file as a whole and in the sections of its own."""
    fields = RepoConfig.model_fields
    assert {field.alias or name for name, field in fields.items()} == config.FEAST_SETTINGS
    assert set(RegistryConfig.model_fields) == config.FILE_REGISTRY_SETTINGS
    classes = (online.LmdbOnlineStoreConfig, online.RedisOnlineStoreConfig, online.PostgresOnlineStoreConfig)
    for kind, store in zip(("lmdb", "redis", "postgres"), classes, strict=True):
        assert set(store.model_fields) == config.ONLINE_STORE_SETTINGS[kind]
    assert offline.PolarsOfflineStoreConfig().type == config.OFFLINE_STORE


@pytest.mark.parametrize(
    ("name", "before", "after", "message"),
    [
        ("pyproject.toml", 'data = "data"', "data = 5", "data is 5; expected text"),
        ("pyproject.toml", 'data = "data"', 'data = ""', "data is ''; expected text"),
        ("pyproject.toml", 'schemas = "schemas"', "schemas = []", "schemas is []; expected text"),
        ("pyproject.toml", 'data = "data"', 'data = "data"\nmemory = true', "memory is True; expected a number of MiB"),
        ("feature_repo/feature_store.yaml", "path: ../data/online/store.lmdb", "path: 3", "path is 3; expected text"),
        ("feature_repo/feature_store.yaml", "project: ", "project: 1 #", "project is 1; expected text"),
        ("feature_repo/feature_store.yaml", '"2024-01-10T00:00:00Z"', "2024-01-10", "is not a timestamp"),
        ("feature_repo/feature_store.yaml", "type: featurestore.adapters.feast.online.LmdbOnlineStore", "type: [1]", "unknown type"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused(shop_files, name, before, after, message):
    """The error names the file, the value and what was expected."""
    change(shop_files / name, before, after)
    with pytest.raises(ConfigError) as refused:
        load_settings(shop_files)
    assert message in refused.value.message


def test_outside_a_project_the_message_names_init(tmp_path):
    """The first thing that a new user sees in an empty folder."""
    done = run("check", cwd=tmp_path)
    assert done.returncode == 7
    assert "run: featurestore init" in done.stderr


def test_a_pyproject_without_our_table_names_init(tmp_path):
    """A Python project is not yet a project of ours."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\n')
    assert "run: featurestore init" in run("check", cwd=tmp_path).stderr


def test_a_misspelt_table_is_named(tmp_path):
    """The nearest table may be ours."""
    (tmp_path / "pyproject.toml").write_text('[tool.feature-store]\ndata = "data"\n')
    assert "[tool.feature-store] may be it" in run("check", cwd=tmp_path).stderr


def test_below_a_project_the_message_names_its_folder(shop_files):
    """In a folder of the project, `init` would make a second project."""
    done = run("check", cwd=shop_files / "feature_repo")
    assert done.returncode == 7
    assert f"--project {shop_files}" in done.stderr
    assert "init" not in done.stderr
