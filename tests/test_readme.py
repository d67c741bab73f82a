"""Every command and every example of the README, run as a new user would, compared with what the README shows."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from servers import free_port

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(
    r"(?:^`(?P<path>[\w./]+)`:\n\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
ELIDED = "…"
# The environment of these tests is the one that the README activates; the fixture runs the demo; this is the test.
RUN_ALREADY = {"source .venv/bin/activate", "make demo", "make test"}


@dataclass
class Shell:
    """Runs the blocks of a section in order; `cd` is remembered."""

    cwd: Path
    server: subprocess.Popen | None = None
    port: int = field(default_factory=free_port)

    def run(self, section: str) -> None:
        """Write the files, run the commands, compare what they print."""
        text = re.split(r"^## ", README, flags=re.MULTILINE)
        [body] = [part for part in text if part.startswith(section)]
        for block in BLOCK.finditer(body):
            if block["path"]:
                path = self.cwd / block["path"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block["text"])
            elif block["kind"] == "python":
                self.execute([sys.executable, "-W", "error::SyntaxWarning", "-c", block["text"]])
            else:
                self.console(block["text"])

    def console(self, text: str) -> None:
        """Run a console block: lines that begin with $, each followed by what it prints."""
        for command, expected in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE):
            if command.startswith("cd "):
                self.cwd /= command.removeprefix("cd ")
            elif command.startswith("featurestore serve"):
                assert self.serve(command) == expected.replace("6566", str(self.port))
            elif command not in RUN_ALREADY:
                if command.startswith("featurestore replay"):
                    self.stop()
                printed = self.execute(["bash", "-c", command.replace("6566", str(self.port))])
                assert shows(expected, printed), f"$ {command}\nexpected:\n{expected}\nprinted:\n{printed}"

    def serve(self, command: str) -> str:
        """Start the server, on a port that is free; gives its first line."""
        words = [sys.executable, "-m", "featurestore.cli", *command.split()[1:], "--port", str(self.port)]
        self.server = subprocess.Popen(
            words, cwd=self.cwd, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": ""}
        )
        line = self.server.stderr.readline()
        self.execute(
            ["curl", "--silent", "--retry", "20", "--retry-connrefused", f"localhost:{self.port}/health"]
        )
        return line

    def stop(self) -> None:
        """Stop the server, if it runs, as Ctrl-C does."""
        if self.server is not None:
            self.server.send_signal(signal.SIGINT)
            self.server.communicate()
            self.server = None

    def execute(self, command: list[str]) -> str:
        """Run a command in the environment of these tests."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            command,
            cwd=self.cwd,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def shows(expected: str, printed: str) -> bool:
    """Say whether a text is what was printed, but for the lines elided."""
    at = 0
    printed += "" if printed.endswith("\n") or not printed else "\n"
    first, *later = expected.split(f"{ELIDED}\n")
    if not printed.startswith(first):
        return False
    for chunk in later:
        at = printed.find(chunk, at)
        if at < 0:
            return False
    return not expected or expected.endswith(f"{ELIDED}\n") or printed.endswith((later or [first])[-1])


@pytest.fixture(scope="module")
def flights(tmp_path_factory):
    """A copy of the repository in which `make demo` has run, from an empty cache."""
    copy = tmp_path_factory.mktemp("clone") / "featurestore"
    left_out = shutil.ignore_patterns(
        ".venv", "data", "cache", "tmp", ".*_cache", ".hypothesis", "__pycache__"
    )
    shutil.copytree(ROOT, copy, ignore=left_out)
    venv = Path(sys.executable).parents[1]
    # The environment stands already: were it made anew here, it would hold this copy of the package.
    options = ["--no-print-directory", f"--old-file={venv}/.ready", f"VENV={venv}"]
    return copy, Shell(copy).execute(["make", *options, "demo"])


@pytest.mark.pipeline
def test_make_demo_ends_by_saying_what_it_made(flights):
    """Rows, quarantine, features, training set, a vector, parity, the report."""
    _, printed = flights
    [summary] = re.findall(r"^\$ featurestore summary\n(.*?)```", README, re.DOTALL | re.MULTILINE)
    assert shows(f"{ELIDED}\n{summary}", printed)
    assert printed.rstrip().endswith("data/report.html")


@pytest.mark.pipeline
def test_the_pipeline_reproduces_every_hash_of_dvc_lock(flights):
    """From an empty cache, on this machine, not one byte of any dataset differs from those committed."""
    copy, _ = flights
    assert (copy / "dvc.lock").read_text() == (ROOT / "dvc.lock").read_text()


@pytest.mark.pipeline
def test_the_rules_are_documented_with_their_counts(flights):
    """docs/flights.md names every rule that a row of the real data broke, and how many did."""
    copy, _ = flights
    table = (ROOT / "docs/flights.md").read_text().partition("## Rules")[2].partition("## ")[0]
    documented = re.findall(r"^\| (\w+) \| [^|]+ \| ([\d,]+) \|", table, re.MULTILINE)
    verdicts = [json.loads(path.read_text()) for path in (copy / "data/verdicts").glob("*.json")]
    counted = [(v["dataset"], f"{rule['broken']:,}") for v in verdicts for rule in v["rules"]]
    assert sorted(documented) == sorted(counted)


@pytest.mark.pipeline
def test_a_second_run_does_nothing_and_says_so(flights):
    """Whatever was looked at in between."""
    copy, _ = flights
    assert "Data and pipelines are up to date." in Shell(copy).execute(["dvc", "repro"])


@pytest.mark.pipeline
@pytest.mark.parametrize("section", ["Two commands", "Ask for features", "Know your data"])
def test_examples_on_flights(flights, section):
    """What the README shows of the reference project is what one sees."""
    copy, _ = flights
    shell = Shell(copy)
    try:
        shell.run(section)
    finally:
        shell.stop()


def test_own_data(tmp_path):
    """The shortest path to one's own data works as written, from an empty folder."""
    Shell(tmp_path).run("Your own data")
