"""Feast is imported without the type checks that make its import slow."""

import subprocess
import sys

PROGRAM = """
import typeguard
typechecked = typeguard.typechecked
from featurestore.adapters.feast.library import load_feast
load_feast()
import feast
assert typeguard.typechecked is typechecked
print(type(feast.Entity(name=1).name).__name__)
"""


def test_feast_checks_no_arguments():
    """Feast takes what its own checks would refuse, and typeguard is as before for every other package."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.stdout == "int\n", done.stderr
