"""A serving machine for the tests: a Python that finds the packages of requirements/serve.txt, and no others."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).parents[1]
SERVE = ROOT / "requirements/serve.txt"
# `make serving` installs the file into a new environment, and names its Python here.
INSTALLED = "FEATURESTORE_SERVING_PYTHON"
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+?)(?: ;.*)? \\$", re.MULTILINE)


@dataclass(frozen=True)
class Machine:
    """A Python and the variables of its environment.

    Attributes
    ----------
    packages
        The folder of its packages.
    """

    python: tuple[str, ...]
    env: dict[str, str]
    packages: Path

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        """Run ``python WORDS``."""
        command = [*self.python, *map(str, words)]
        return subprocess.run(command, env=self.env, capture_output=True, text=True, check=False, timeout=120)


def pins(path: Path) -> dict[str, set[str]]:
    """Return the locked versions of each package of a file of requirements; some have one for each Python."""
    versions: dict[str, set[str]] = {}
    for name, version in PIN.findall(path.read_text()):
        versions.setdefault(name, set()).add(version)
    return versions


def serving_machine(folder: Path) -> Machine:
    """Return the machine that `make serving` installed, or else one whose packages are links into this environment."""
    # Python would find this repository's package in the working folder.
    variables = {**os.environ, "PYTHONSAFEPATH": "1"}
    variables.pop("PYTHONPATH", None)
    if python := os.environ.get(INSTALLED):
        code = "import sysconfig; print(sysconfig.get_path('purelib'))"
        packages = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout
        return Machine((python,), variables, Path(packages.strip()))
    return linked_machine(link_packages(folder), variables)


def linked_machine(packages: Path, variables: dict[str, str]) -> Machine:
    """Return a machine with the packages of a folder. Without `site`, Python finds no others."""
    return Machine((sys.executable, "-S"), {**variables, "PYTHONPATH": str(packages)}, packages)


def link_packages(folder: Path) -> Path:
    """Link the packages of requirements/serve.txt, and featurestore, into a folder."""
    folder.mkdir()
    for name in pins(SERVE):
        installed = distribution(name)
        for top in {file.parts[0] for file in installed.files or ()} - {"..", "__pycache__"}:
            (folder / top).symlink_to(Path(str(installed.locate_file(top))).resolve())
    (folder / "featurestore").symlink_to(ROOT / "featurestore")
    return folder
