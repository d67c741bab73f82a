"""Runs the code blocks of the documentation as a new user would, and compares what they print with the page."""

import json
import os
import re
import signal
import subprocess
import textwrap
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import forks
import yaml
from servers import free_port

BLOCK = re.compile(
    r"(?:`(?P<path>[\w./-]+\.\w+)`:\n\n)?^(?P<indent> *)```(?P<kind>\w*)\n(?P<text>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)
ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted(ROOT.glob("docs/**/*.md"))}
PROJECT = re.compile(r"^<!-- project: (\w+) -->$", re.MULTILINE)
# The tests run in the environment that `make demo` makes; its fixture runs the demo; these are the tests.
RUN_ALREADY = frozenset({"source .venv/bin/activate", "make demo", "make test", "make check", "make docs"})
ELIDED = "…"
PORT = "8566"
# A block without a path that holds data must be readable.
PARSERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "toml": tomllib.loads,
    "yaml": yaml.safe_load,
    # Commands of another machine, such as a serving machine, are not run here.
    "sh": lambda text: subprocess.run(["bash", "-n", "-c", text], check=True),
}


def pages(project: str | None) -> list[str]:
    """List the pages that run in a project; None: in an empty folder."""
    matches = {name: PROJECT.search(text) for name, text in PAGES.items() if name != "docs/quickstart.md"}
    return [name for name, match in matches.items() if (match[1] if match else None) == project]


@dataclass(frozen=True)
class Snippet:
    """One code block. `path` is the file that the page names just before the block."""

    kind: str
    text: str
    path: str | None


def snippets(text: str) -> Iterator[Snippet]:
    """List the code blocks of a page, those inside lists included."""
    for block in BLOCK.finditer(text):
        yield Snippet(block["kind"], textwrap.dedent(block["text"]), block["path"])


def section(text: str, title: str) -> str:
    """Return the section of a page that begins with a title."""
    [body] = [part for part in re.split(r"^## ", text, flags=re.MULTILINE) if part.startswith(f"{title}\n")]
    return body


def commands(text: str) -> Iterator[tuple[str, str]]:
    """List the commands of a console block, each with the output that the page shows."""
    yield from re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE)


@dataclass
class Shell:
    """Runs blocks in order, in one folder. `cd` changes the folder for the blocks that follow."""

    cwd: Path
    # Commands that ran before, and files that exist before, in the project of the page.
    ran: frozenset[str] = frozenset()
    files_exist: bool = False
    server: subprocess.Popen | None = None
    port: int = field(default_factory=free_port)

    def run(self, text: str) -> None:
        """Write the files of a page, run its commands, and compare what they print."""
        try:
            for snippet in snippets(text):
                self._run(snippet)
        finally:
            self.stop()

    def _run(self, snippet: Snippet) -> None:
        if snippet.path is not None:
            path = self.cwd / snippet.path
            if self.files_exist:
                assert path.read_text() == snippet.text, f"{snippet.path} differs from the project's file"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(snippet.text)
        elif snippet.kind == "python":
            # A warning of the syntax is an error here.
            compile(snippet.text, "<snippet>", "exec", dont_inherit=True)
            self.execute([forks.python(), "-c", snippet.text])
        elif snippet.kind == "console":
            for command, expected in commands(snippet.text):
                self._command(command, expected)
        elif snippet.kind != "text":
            PARSERS[snippet.kind](snippet.text)

    def _command(self, command: str, expected: str) -> None:
        if command in self.ran:
            return
        if command.startswith("cd "):
            self.cwd /= command.removeprefix("cd ")
            return
        if command.startswith("featurestore serve"):
            assert self.serve(command) == expected.replace(PORT, str(self.port))
            return
        if command.startswith("featurestore replay"):
            # The server writes its log when it stops.
            self.stop()
        printed = self.execute(["bash", "-c", command.replace(PORT, str(self.port))])
        assert shows(expected, printed), f"$ {command}\nexpected:\n{expected}\nprinted:\n{printed}"

    def serve(self, command: str) -> str:
        """Start the server on a free port and return its first line."""
        self.stop()
        words = [forks.python(), "-m", "featurestore.cli", *command.split()[1:], "--port", str(self.port)]
        self.server = subprocess.Popen(words, cwd=self.cwd, stderr=subprocess.PIPE, text=True)
        line = self.server.stderr.readline()
        self.execute(
            ["curl", "--silent", "--retry", "20", "--retry-connrefused", f"localhost:{self.port}/health"]
        )
        return line

    def stop(self) -> None:
        """Stop the server, if it runs, as Ctrl-C does."""
        if self.server is not None:
            self.server.send_signal(signal.SIGINT)
            self.server.communicate(timeout=30)
            self.server = None

    def execute(self, command: list[str]) -> str:
        """Run a command in the environment of these tests and return what it prints."""
        done = subprocess.run(
            command,
            cwd=self.cwd,
            env=os.environ | {"PATH": forks.search_path()},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def shows(expected: str, printed: str) -> bool:
    """Return whether a page shows what was printed, except for the lines that it elides."""
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
