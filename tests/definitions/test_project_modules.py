"""Two projects with the same package names are open in one process, and neither changes the other or the process."""

import inspect
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from shop import FILES, write_files

import featurestore
from featurestore.definitions.catalog import load_catalog
from featurestore.definitions.project_modules import import_module, package_of
from featurestore.errors import DefinitionError


@pytest.fixture
def projects(tmp_path):
    """Two shops whose only difference is the time-to-live of a view."""
    first, second = write_files(tmp_path / "v1.0"), write_files(tmp_path / "100%")
    edit(second / "feature_repo/shop.py", "days=5", "days=6")
    return first, second


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def own_modules():
    """All loaded modules except those of projects."""
    marker = "featurestore.definitions.project_modules."
    return {name: id(module) for name, module in sys.modules.items() if not name.startswith(marker)}


def test_each_project_has_its_own_classes(projects):
    """Both catalogs stay usable in either order of loading."""
    first, second = (load_catalog(root, "feature_repo") for root in projects)
    assert [c.views["last_order"].timing.ttl.days for c in (first, second)] == [5, 6]
    models = [catalog.views["last_order"].contract.model for catalog in (first, second)]
    assert models[0] is not models[1]
    assert [inspect.getsourcefile(model) for model in models] == [
        str(root / "schemas/shop.py") for root in projects
    ]


def test_loading_leaves_the_modules_and_paths_of_the_process_alone(projects):
    """A user's own `schemas` stays what it is, and no folder joins `sys.path`."""
    featurestore.open(projects[0]).catalog  # noqa: B018 - loads what definitions import
    mine = type(sys)("schemas")
    before = sys.modules.get("schemas")
    sys.modules["schemas"] = mine
    try:
        modules, path = own_modules(), list(sys.path)
        for root in projects:
            load_catalog(root, "feature_repo")
        assert (own_modules(), sys.path) == (modules, path)
        assert sys.modules["schemas"] is mine
    finally:
        del sys.modules["schemas"]
        if before is not None:
            sys.modules["schemas"] = before


def test_every_load_reads_the_files_again(projects):
    """A notebook that opens a project after an edit sees the edit; what it loaded before still works."""
    [root, _] = projects
    before = load_catalog(root, "feature_repo").views["last_order"]
    edit(root / "feature_repo/shop.py", "days=5", "days=1_000")
    after = load_catalog(root, "feature_repo").views["last_order"]
    assert (before.timing.ttl.days, after.timing.ttl.days) == (5, 1_000)


@pytest.mark.parametrize(
    "statement",
    [
        "from schemas.terms import NAME",
        "import schemas.terms\nNAME = schemas.terms.NAME",
        "import schemas.terms as terms\nNAME = terms.NAME",
        "from schemas import terms\nNAME = terms.NAME",
        "from . import terms\nNAME = terms.NAME",
        "from .terms import *",
        "from words import NAME",
        "def name():\n    from schemas.terms import NAME\n    return NAME\nNAME = name()",
        "import importlib\nNAME = importlib.import_module('.terms', __package__).NAME",
    ],
)
def test_modules_of_a_project_import_each_other_in_every_way(projects, statement):
    """Absolute and relative, at the top and inside functions, packages and modules of the root folder."""
    for number, root in enumerate(projects):
        for path in ("schemas/terms.py", "words.py"):
            (root / path).write_text(f"NAME = 'project {number}'\n")
        (root / "schemas/asks.py").write_text(f"{statement}\n")
    assert [import_module(root, "schemas.asks").NAME for root in projects] == ["project 0", "project 1"]
    assert "words" not in sys.modules


def test_a_folder_of_the_project_does_not_replace_featurestore(projects):
    """A project may hold the source of featurestore, or a module named as one of Python's."""
    [root, _] = projects
    (root / "featurestore").mkdir()
    (root / "featurestore/__init__.py").write_text("raise RuntimeError\n")
    (root / "datetime.py").write_text("raise RuntimeError\n")
    assert load_catalog(root, "feature_repo").views["last_order"].name == "last_order"


def test_a_broken_import_is_reported_in_the_words_of_the_author(projects):
    """The message names the module as it is written, and the hint has the file and the line."""
    [root, _] = projects
    edit(
        root / "feature_repo/shop.py", "from schemas.shop import Basket,", "from schemas.shop import Baskett,"
    )
    with pytest.raises(DefinitionError) as caught:
        load_catalog(root, "feature_repo")
    assert "cannot import name 'Baskett' from 'schemas.shop'" in caught.value.message
    assert caught.value.hint == f"see {root}/feature_repo/shop.py, line 9"
    (root / "feature_repo/shop.py").write_text("import schemas.nope\n")
    with pytest.raises(DefinitionError, match=r"No module named 'schemas\.nope'"):
        load_catalog(root, "feature_repo")


def test_a_package_that_fails_is_named(projects):
    """A package below the definitions fails as a module does."""
    [root, _] = projects
    (root / "feature_repo/more").mkdir()
    (root / "feature_repo/more/__init__.py").write_text("1 / 0\n")
    with pytest.raises(
        DefinitionError, match=r"module feature_repo\.more cannot be imported: ZeroDivisionError"
    ):
        load_catalog(root, "feature_repo")


def test_the_source_of_a_definition_can_be_read(projects):
    """Tracebacks, debuggers and fingerprints read the user's file."""
    view = load_catalog(projects[1], "feature_repo").views["last_order"]
    assert inspect.getsource(view.function) in FILES["feature_repo/shop.py"].replace("days=5", "days=6")
    assert inspect.getsource(view.contract.model) in FILES["schemas/shop.py"]


def test_another_process_unpickles_what_a_project_defines(projects):
    """Ray and other pools send functions and classes by name; the worker finds the project by its folder."""
    [root, _] = projects
    (root / "schemas/terms.py").write_text(
        "from dataclasses import dataclass\n\n\n@dataclass\nclass Term:\n    name: str\n\n\n"
        "def name_of(term: Term) -> str:\n    return term.name\n"
    )
    terms = import_module(root, "schemas.terms")
    package = pickle.dumps((terms.name_of, terms.Term("gate")))
    assert pickle.loads(package)[1] == terms.Term("gate")  # noqa: S301 - our own bytes
    code = "import pickle, sys; f, x = pickle.load(sys.stdin.buffer); print(f(x))"
    done = subprocess.run([sys.executable, "-c", code], input=package, capture_output=True, check=True)
    assert done.stdout == b"gate\n"


def test_threads_load_projects_at_the_same_time(projects):
    """A server loads a release while requests open the working copy."""
    loaded = []

    def load(root: Path) -> None:
        loaded.append((root, load_catalog(root, "feature_repo").views["last_order"].timing.ttl.days))

    threads = [threading.Thread(target=load, args=(root,)) for root in projects * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(loaded) == sorted([(projects[0], 5), (projects[1], 6)] * 4)


def test_the_package_of_a_project_is_named_by_its_folder(tmp_path):
    """Dots and percent signs of the folder's name do not break the name of the module."""
    assert package_of(tmp_path / "v1.0 100%").endswith("/v1%2E0 100%25")
