"""The shape of the package: its public names, what importing it costs, the pipeline in step with the definitions."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import featurestore

ROOT = Path(__file__).parents[1]


def test_the_public_names_are_sorted_and_real():
    """`__all__` says exactly what can be imported."""
    assert featurestore.__all__ == sorted(featurestore.__all__)
    assert set(featurestore._HOMES) == set(featurestore.__all__)
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
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_module_says_what_it_is_for():
    """Each module has a docstring, and none is longer than a person reads at once."""
    for path in (ROOT / "featurestore").rglob("*.py"):
        text = path.read_text()
        assert text.startswith('"""'), path
        assert text.count("\n") <= 360, path


def test_feast_is_touched_in_one_place_alone():
    """No module outside adapters/feast imports Feast or pandas."""
    for path in (ROOT / "featurestore").rglob("*.py"):
        if "adapters/feast" not in path.as_posix():
            assert not re.search(r"^\s*(import|from) (feast|pandas)\b", path.read_text(), re.MULTILINE), path


def test_the_pipeline_is_in_step_with_the_definitions():
    """dvc.yaml is what `featurestore pipeline` derives."""
    assert (ROOT / "dvc.yaml").read_text() == featurestore.open(ROOT).pipeline()


def test_the_reference_definitions_fit_together():
    """Every function of the reference project gives what its schema says, on no data at all."""
    assert featurestore.open(ROOT).check() == 15


def test_the_lock_names_no_registry():
    """Requirements are locked by version and hash, and say no index address."""
    text = (ROOT / "requirements.txt").read_text()
    assert not re.search(r"https?://|--index|--find-links", text)
    assert all(
        "--hash=sha256:" in block
        for block in re.findall(r"^[a-z].*?(?=^[a-z]|\Z)", text, re.MULTILINE | re.DOTALL)
    )


def test_errors_have_their_own_exit_codes():
    """Scripts can tell the branches of the error tree apart."""
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
