"""Runs commands in the process of the test."""

from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from featurestore.cli.app import app
from featurestore.errors import FeatureStoreError


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


def run(*words: str, cwd: Path | None = None) -> Done:
    """Run a command of the project in `cwd`, as `featurestore.cli.app.main` does."""
    folder = [] if cwd is None else ["--project", str(cwd)]
    result = CliRunner().invoke(app, [*words, *folder])
    if isinstance(result.exception, FeatureStoreError):
        error = result.exception
        return Done(error.exit_code, result.stdout, f"{result.stderr}featurestore: {error}\n")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


def run_steps(cwd: Path, *steps: str) -> None:
    """Run commands without options, each of which must succeed."""
    for step in steps:
        done = run(step, cwd=cwd)
        assert done.returncode == 0, done.stderr
