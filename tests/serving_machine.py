"""A serving machine for the tests: a Python that finds the packages of requirements/serve.txt, and no others."""

import os
import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).parents[1]
SERVE = ROOT / "requirements/serve.txt"
# Without `site`, Python finds the packages of this environment only through PYTHONPATH.
PYTHON = (sys.executable, "-S")
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+?)(?: ;.*)? \\$", re.MULTILINE)


def pins(path: Path) -> dict[str, set[str]]:
    """Return the locked versions of each package of a file of requirements; some have one for each Python."""
    versions: dict[str, set[str]] = {}
    for name, version in PIN.findall(path.read_text()):
        versions.setdefault(name, set()).add(version)
    return versions


def link_packages(folder: Path) -> Path:
    """Link the packages of requirements/serve.txt and featurestore into a folder, from this environment."""
    folder.mkdir()
    for name in pins(SERVE):
        installed = distribution(name)
        for top in {file.parts[0] for file in installed.files or ()} - {"..", "__pycache__"}:
            (folder / top).symlink_to(Path(str(installed.locate_file(top))).resolve())
    (folder / "featurestore").symlink_to(ROOT / "featurestore")
    return folder


def environment(packages: Path) -> dict[str, str]:
    """Return the environment variables of a process on the serving machine."""
    return {**os.environ, "PYTHONPATH": str(packages), "PYTHONSAFEPATH": "1"}


def run(packages: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Run ``python WORDS`` on the serving machine."""
    command = [*PYTHON, *map(str, words)]
    return subprocess.run(
        command, env=environment(packages), capture_output=True, text=True, check=False, timeout=120
    )
