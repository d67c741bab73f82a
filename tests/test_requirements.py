"""What featurestore imports is what its package asks for."""

import ast
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
# Packages that Feast's interface consists of.
OF_FEAST = {"google", "pandas", "pydantic"}
LOCKS = (
    "requirements.txt",
    "requirements/serve.txt",
    "requirements/s3.txt",
    "requirements/croissant.txt",
    "benchmarks/requirements.txt",
    "benchmarks/leaks.txt",
    "benchmarks/preprocessing.txt",
    "docs/requirements.txt",
)


def imported(tree: ast.AST) -> Iterator[str]:
    """List the top-level modules that run-time imports of a module name."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]
        else:
            yield from imported(node)


def test_every_import_is_of_a_declared_package():
    """A package that only another package asks for may go with the next version of that one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    lines = [*project["dependencies"], *(line for extra in extras for line in extra)]
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    modules = {
        name: path.name
        for path in (ROOT / "featurestore").rglob("*.py")
        for name in imported(ast.parse(path.read_text()))
    }
    foreign = modules.keys() - sys.stdlib_module_names - {"featurestore"} - OF_FEAST
    assert {"duckdb", "feast", "lmdb", "numpy", "polars", "yaml"} <= foreign
    installed = packages_distributions()
    undeclared = {
        name: modules[name]
        for name in foreign
        if not {canonicalize_name(distribution) for distribution in installed.get(name, [name])} & declared
    }
    assert undeclared == {}


def requirements(lock: str) -> dict[str, set[str]]:
    """Return the versions of each package that a lock names; every line of it must be a version or a hash."""
    versions: dict[str, set[str]] = {}
    hashed = True
    for line in (ROOT / lock).read_text().splitlines():
        words = line.partition("#")[0].rstrip(" \\")
        if words.startswith("    --hash=sha256:"):
            hashed = True
        elif words.strip():
            pinned = re.fullmatch(r"([a-z0-9-]+)(?:\[[a-z0-9,-]+\])?==([\w.]+)(?: ; .+)?", words)
            assert pinned, f"{lock}: {line}"
            assert hashed, f"{lock}: a requirement above {line!r} has no hash"
            versions.setdefault(pinned[1], set()).add(pinned[2])
            hashed = False
    return versions


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_versions_and_hashes_and_no_machine(lock):
    """It installs the same files everywhere, from any index; locks agree about a package."""
    ours, versions = requirements("requirements.txt"), requirements(lock)
    assert {name: locked for name, locked in versions.items() if not locked <= ours.get(name, locked)} == {}


def test_the_packages_of_the_reference_project_have_one_version_for_every_python():
    """`make demo` takes the newest Python: with another version of a package that counts, it would find other hashes."""
    pinned = (ROOT / "requirements.txt").read_text()
    versions = json.loads((ROOT / "packages.json").read_text())
    del versions["featurestore semantics"]
    assert {name: re.findall(rf"^{name}==(\S+)", pinned, re.MULTILINE) for name in versions} == {
        name: [version] for name, version in versions.items()
    }
