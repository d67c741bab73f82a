"""Python and its programs for the tests, as forks of one process that has imported the libraries.

A new Python takes two seconds of a processor to import Polars, Pandera, Feast and DVC, and a fork none. A test whose
subject is the start of a process takes `sys.executable`.
"""

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from fork_client import STARTS
from fork_server import CHILDREN

__all__ = ["CHILDREN", "environment", "python", "search_path"]

TESTS = Path(__file__).parent
PROGRAMS = ("python", "featurestore", "dvc", "feast")


@cache
def environment() -> Path:
    """Return the folder of an environment, as `python -m venv` makes it; its programs are forks of one process."""
    folder = Path(tempfile.mkdtemp(prefix="forks-"))
    variables = {name: value for name, value in os.environ.items() if name.startswith(STARTS)}
    (folder / "server.json").write_text(json.dumps([sys.executable, variables]))
    (folder / "bin").mkdir()
    # The Makefile finds it installed.
    (folder / ".ready").touch()
    client = f"#!{sys.executable} -ISE\n{(TESTS / 'fork_client.py').read_text()}"
    for name in PROGRAMS:
        program = folder / "bin" / name
        program.write_text(client)
        program.chmod(0o755)
    server = subprocess.Popen(
        [sys.executable, TESTS / "fork_server.py", folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(_end, server, folder)
    assert server.stdout.readline() == "ready\n", "the fork server did not start"
    return folder


def search_path() -> str:
    """Return a PATH that finds the programs of the environment first."""
    folders = environment() / "bin", Path(sys.executable).parent, os.environ["PATH"]
    return os.pathsep.join(map(str, folders))


def python() -> str:
    """Return the path of a Python that begins as a fork."""
    return str(environment() / "bin/python")


def _end(server: subprocess.Popen, folder: Path) -> None:
    server.stdin.close()
    server.wait(30)
    server.stdout.close()
    shutil.rmtree(folder)
