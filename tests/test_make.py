"""`make` takes the newest Python that runs, and says which requirement it waits for."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RUNS = f'#!/bin/sh\nexec {sys.executable} "$@"\n'
# As the shims of pyenv for a version that is not chosen: the file exists, and does not run.
FAILS = "#!/bin/sh\nexit 127\n"
TOO_NEW = "#!/bin/sh\nexit 1\n"


def make(folder: Path, *words: str, **programs: str) -> subprocess.CompletedProcess[str]:
    """Run `make` where only these programs are on the path."""
    programs = {"bash": f'#!/bin/sh\nexec {shutil.which("bash")} "$@"\n'} | programs
    for name, text in programs.items():
        path = folder / name.replace("_", ".")
        path.write_text(text)
        path.chmod(0o755)
    command = [shutil.which("make"), "--no-print-directory", f"VENV={folder}/none", *words]
    # `make test` may run these tests, and hands its own choices on.
    handed = {"MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "PYTHON", "VENV"}
    env = {name: value for name, value in os.environ.items() if name not in handed} | {"PATH": str(folder)}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("programs", "chosen"),
    [
        ({"python3_11": RUNS, "python3_12": RUNS, "python3": RUNS}, "python3.12"),
        ({"python3_11": RUNS, "python3_13": FAILS, "python3": RUNS}, "python3.11"),
        ({"python3_13": FAILS, "python3": RUNS}, "python3"),
        ({"python3_11": RUNS, "python3_13": RUNS}, "python3.13"),
    ],
)
def test_the_newest_python_that_runs_is_taken(tmp_path, programs, chosen):
    """A program that exists and does not run is left out; without a numbered one, `python3` serves if it is new enough."""
    done = make(tmp_path, "python", **programs)
    assert (done.returncode, done.stdout) == (0, f"{chosen}\n")


def test_without_a_python_the_message_says_which_is_needed(tmp_path):
    """It names the versions, and how to give a path."""
    done = make(tmp_path, "python", python3=TOO_NEW)
    assert done.returncode == 2
    assert "found no Python of 3.11 to 3.13" in done.stderr
    assert "make PYTHON=/path/to/python3.13" in done.stderr


def test_the_demo_says_what_it_waits_for(tmp_path):
    """It announces the environment, each requirement that pip comes to, and the number of stages."""
    done = make(tmp_path, "--dry-run", "demo", python3_12=RUNS)
    assert "Making the environment" in done.stdout
    assert "with python3.12" in done.stdout
    assert "Installing requirements.txt" in done.stdout
    assert "stages; DVC runs those that are out of date" in done.stdout
