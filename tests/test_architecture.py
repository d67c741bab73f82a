"""The shape of the package: public names, folders, imports, files derived from definitions."""

import ast
import importlib
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import featurestore

ROOT = Path(__file__).parents[1]
CODE = ("featurestore", "schemas", "feature_repo", "benchmarks", "tests")
MAX_LINES = 360
# Every folder of the package. A new one is a decision: docs/architecture.md draws it, too.
FOLDERS = {
    "adapters",
    "adapters/feast",
    "cli",
    "definitions",
    "definitions/fingerprint",
    "expressions",
    "labels",
    "operations",
    "operations/add",
    "operations/adopt",
    "operations/apply",
    "operations/audit",
    "operations/audit_set",
    "operations/build",
    "operations/card",
    "operations/check",
    "operations/check_leaks",
    "operations/init",
    "operations/pipeline",
    "operations/prove",
    "operations/push",
    "operations/read",
    "operations/rebuild",
    "operations/release",
    "operations/replay",
    "operations/training_set",
    "operations/validate",
    "operations/verdict",
    "preprocessing",
    "project",
    "quality",
    "quality/change",
    "quality/gate",
    "quality/profile",
    "quality/rules",
    "report",
    "report/templates",
    "service",
    "service/api",
    "service/lookup",
    "service/runtime",
    "service/telemetry",
    "splits",
    "storage",
    "testing",
    "timing",
    "values",
    "vectors",
    "windows",
}
# Names under which anything could be filed.
NAMELESS = {"base", "common", "core", "helpers", "manager", "misc", "tools", "util", "utils"}


def modules():
    """Return the paths of all modules."""
    return [path for folder in CODE for path in sorted((ROOT / folder).rglob("*.py"))]


def test_the_public_names_are_sorted_and_real():
    """`__all__` lists exactly the names that can be imported."""
    assert featurestore.__all__ == sorted(featurestore.__all__)
    assert {*featurestore._HOMES, "preprocessing", "windows"} == set(featurestore.__all__)
    for name in featurestore.__all__:
        assert getattr(featurestore, name) is not None


def test_importing_the_package_brings_in_nothing_heavy():
    """Definitions and the join need neither Feast nor DVC nor DuckDB nor pandas."""
    code = (
        "import sys, featurestore\n"
        "for name in featurestore.__all__: getattr(featurestore, name)\n"
        "heavy = {'feast', 'dvc', 'duckdb', 'pandas', 'lmdb'} & set(sys.modules)\n"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


def test_every_module_says_what_it_is_for():
    """Each module begins with a docstring whose first paragraph is a sentence."""
    for path in modules():
        docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
        summary = docstring.partition("\n\n")[0]
        assert re.match(r"[`A-Z]", summary), path
        assert summary.endswith("."), path
        assert len(summary.split()) >= 3, path


def test_no_file_is_longer_than_a_person_reads_at_once():
    """Each module, tests and benchmarks included, has at most 360 lines."""
    lines = {path.relative_to(ROOT).as_posix(): path.read_text().count("\n") for path in modules()}
    assert {path: count for path, count in lines.items() if count > MAX_LINES} == {}


def test_every_folder_is_known_and_every_file_is_named_for_what_it_holds():
    """A reader finds each room in the drawing of the layers, and no file for unsorted code."""
    package = ROOT / "featurestore"
    folders = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*")
        if path.is_dir() and path.name != "__pycache__"
    }
    assert folders == FOLDERS
    assert {path.stem for path in modules()} & NAMELESS == set()


def test_each_place_in_operations_is_an_operation_that_the_project_offers():
    """A reader of the folder sees verbs: the other files of an operation are in a folder of its name."""
    package = ROOT / "featurestore"
    places = {
        path.stem
        for path in (package / "operations").iterdir()
        if path.stem not in {"__init__", "__pycache__"}
    }
    source = "".join(path.read_text() for path in (package / "project").glob("*.py"))
    assert places == set(re.findall(r"featurestore\.operations\.(\w+)", source))


def test_feast_is_imported_in_one_place_only():
    """No module outside adapters/feast imports Feast or pandas."""
    for path in (ROOT / "featurestore").rglob("*.py"):
        if "adapters/feast" not in path.as_posix():
            assert not re.search(r"^\s*(import|from) (feast|pandas)\b", path.read_text(), re.MULTILINE), path


def test_the_pipeline_is_in_step_with_the_definitions():
    """dvc.yaml is what `featurestore pipeline` derives."""
    assert (ROOT / "dvc.yaml").read_text() == featurestore.open(ROOT).pipeline()


def test_the_reference_definitions_fit_together():
    """Every function of the reference project returns the columns of its schema."""
    assert featurestore.open(ROOT).check() == 17


def test_the_lock_names_no_registry():
    """Requirements are locked by version and hash, and do not name the address of an index."""
    text = (ROOT / "requirements.txt").read_text()
    assert not re.search(r"https?://|--index|--find-links", text)
    assert all(
        "--hash=sha256:" in block
        for block in re.findall(r"^[a-z].*?(?=^[a-z]|\Z)", text, re.MULTILINE | re.DOTALL)
    )


def test_errors_have_their_own_exit_codes():
    """Scripts can distinguish the branches of the error tree."""
    errors = importlib.import_module("featurestore.errors")
    codes = [
        getattr(errors, name).exit_code
        for name in (
            "DefinitionError",
            "ContractError",
            "SkewError",
            "MissingDataError",
            "ConfigError",
            "StoreError",
        )
    ]
    assert codes == [3, 4, 5, 6, 7, 8]


def test_each_test_file_has_a_name_of_its_own():
    """Pytest imports test files by their name alone: with two of one name, no test runs, but those of one folder do."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert [name for name, files in Counter(names).items() if files > 1] == []
