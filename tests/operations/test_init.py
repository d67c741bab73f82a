"""A first project: empty, with an example that runs, or beside what a folder holds already."""

import os
import shutil
import subprocess
from pathlib import Path

import forks
import pytest
import yaml
from runner import run as command

import featurestore
from featurestore.errors import ConfigError
from featurestore.operations.init.gitignore import show_records
from featurestore.operations.init.init import init

ROOT = Path(__file__).parents[2]
FEAST = {
    "feature_repo/feature_store.yaml": "project: theirs\nregistry: data/registry.db\nprovider: local\n",
    "feature_repo/example_repo.py": "raise ValueError('a module of Feast is not ours to import')\n",
    "dvc.yaml": "stages:\n  theirs:\n    cmd: make theirs\n",
    ".gitignore": "*.log\n",
    "pyproject.toml": '[project]\nname = "theirs"\n',
    "README.md": "# theirs\n",
}


def test_the_example_runs_from_raw_files_to_a_served_feature(tmp_path, monkeypatch):
    """Two commands, from where the person stands; its own tests pass; its data have versions."""
    monkeypatch.chdir(tmp_path)
    done = command("init", "shop", "--example")
    assert done.stdout.endswith("next: cd shop && featurestore run\n")
    root = tmp_path / "shop"
    assert command("check", cwd=root).stderr == ""
    printed = " ".join(command("run", cwd=root).stdout.split())
    assert "orders quarantined 12 11 1" in printed
    assert "training set purchases: 11 rows x 7 columns" in printed
    assert ", 0 mismatches" in printed
    vector = command("get-online", "buying", "customer=ada", cwd=root)
    assert "last_amount 18.4 PRESENT" in " ".join(vector.stdout.split())
    words = ["bash", "-ec", "python -m pytest -q tests"]
    done = subprocess.run(
        words,
        cwd=root,
        env={**os.environ, "PATH": forks.search_path()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_init_joins_a_feast_repository_and_a_pipeline(tmp_path):
    """No file of other people changes, but for the lines that are added; the definitions go beside theirs."""
    for name, text in FEAST.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    command("init", str(tmp_path))
    kept = {name: (tmp_path / name).read_text() for name in FEAST}
    assert kept == {
        **FEAST,
        ".gitignore": "*.log\n__pycache__/\n/data/?*\n!/data/raw/\n!/data/pushed.dvc\n!/data/served.dvc\n",
        "pyproject.toml": FEAST["pyproject.toml"] + '\n[tool.featurestore]\nschemas = "schemas"\n'
        'definitions = "features"\ndata = "data"\n',
    }
    project = featurestore.open(tmp_path)
    assert project.check() == 0
    project.pipeline(write=True)
    stages = yaml.safe_load((tmp_path / "dvc.yaml").read_text())["stages"]
    assert stages["theirs"] == {"cmd": "make theirs"}


def test_a_project_is_not_written_twice(tmp_path):
    """A second init, and an example over files of other people, are refused; nothing is written."""
    init(tmp_path)
    with pytest.raises(ConfigError, match="holds a project already"):
        init(tmp_path)
    taken = tmp_path / "other"
    taken.mkdir()
    (taken / "README.md").write_text("# mine\n")
    with pytest.raises(ConfigError, match=r"holds README\.md already"):
        init(taken, example=True)
    assert [path.name for path in taken.iterdir()] == ["README.md"]


@pytest.mark.parametrize("folder", ["orders.csv", "orders.csv/shop"])
def test_a_file_in_place_of_the_folder_is_named(tmp_path, folder):
    """The file stays as it is."""
    (tmp_path / "orders.csv").write_text("order\n1\n")
    with pytest.raises(ConfigError, match=r"orders\.csv is a file; expected a folder"):
        init(tmp_path / folder)
    assert (tmp_path / "orders.csv").read_text() == "order\n1\n"


@pytest.mark.parametrize("folder", ["1", "2026", "1_000", "true", "null", "on", "1e5"])
def test_the_name_of_a_project_is_text(tmp_path, folder):
    """Feast refuses a name that YAML reads as a number or a boolean."""
    init(tmp_path / folder)
    settings = yaml.safe_load((tmp_path / folder / "feature_repo/feature_store.yaml").read_text())
    assert settings["project"] == folder


def test_the_command_to_enter_a_folder_can_be_pasted(tmp_path, monkeypatch):
    """A name with characters of the shell is quoted."""
    monkeypatch.chdir(tmp_path)
    assert command("init", "my shop").stdout.endswith("next: cd 'my shop' && featurestore add FILE\n")


def test_the_reference_project_has_the_lines_that_init_writes(tmp_path):
    """Git sees DVC's records of its data, too; DVC keeps its raw files, which stages fetch, out of git."""
    for name in (".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, tmp_path)
    assert show_records(tmp_path) == ()
    sources = featurestore.open(ROOT).catalog.sources.values()
    ignored = (ROOT / "data/raw/.gitignore").read_text().splitlines()
    assert ignored == [f"/{Path(source.path).name}" for source in sources]
