"""Runs commands in the process of the test."""

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from typer.main import get_command
from typer.testing import CliRunner

from featurestore.cli.app import app
from featurestore.errors import FeatureStoreError
from featurestore.values.escapes import escaped


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


def run(*words: str, cwd: Path | None = None) -> Done:
    """Run a command of the project in `cwd`, as `featurestore.cli.app.main` does."""
    folder = [] if cwd is None else ["--project", str(cwd)]
    code, error_text = 0, ""
    with CliRunner().isolation() as (stdout, stderr, _):
        try:
            _command().main(args=[*words, *folder], prog_name="featurestore")
        except SystemExit as ended:
            code = int(ended.code or 0)
        except FeatureStoreError as error:
            code, error_text = error.exit_code, escaped(f"featurestore: {error}\n")
        sys.stdout.flush()
        sys.stderr.flush()
        printed, complained = (stream.getvalue().decode() for stream in (stdout, stderr))
    return Done(code, printed, complained + error_text)


@cache
def _command():
    # Typer takes longer to make the commands of all options than most commands take.
    return get_command(app)


def run_steps(cwd: Path, *steps: str) -> None:
    """Run commands without options, each of which must succeed."""
    for step in steps:
        done = run(step, cwd=cwd)
        assert done.returncode == 0, done.stderr
