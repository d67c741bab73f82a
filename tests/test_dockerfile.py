"""The Dockerfile takes files that are here, installs as `make serving` does, and starts a command that exists."""

import json
import re
from pathlib import Path

from typer.main import get_command

from featurestore.cli.app import app

ROOT = Path(__file__).parents[1]
TEXT = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())


def instructions(name: str) -> list[str]:
    """Return the arguments of the instructions with a name, in order."""
    return re.findall(rf"^{name} (.*)$", TEXT, re.MULTILINE)


def test_what_is_copied_is_here_and_not_ignored():
    """Docker sends what .dockerignore lets through; a path that is missing there ends the build."""
    sent = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"}
    copied = [path for line in instructions("COPY") for path in line.split()[:-1]]
    assert "requirements/serve.txt" in copied
    assert [path for path in copied if not (ROOT / path).exists()] == []
    assert [path for path in copied if path.split("/")[0] not in sent] == []


def test_a_wheel_needs_no_more_than_what_is_copied():
    """pyproject.toml names the files that the build reads."""
    stage = TEXT.split("FROM ")[1]
    project = (ROOT / "pyproject.toml").read_text()
    named = re.findall(r'^(?:readme|license-files) = (?:\[)?"([^"]+)"', project, re.MULTILINE)
    assert named == ["README.md", "LICENSE"]
    assert [path for path in (*named, "pyproject.toml", "featurestore") if path not in stage] == []


def test_the_packages_are_those_of_a_serving_machine():
    """Each is installed by its hash, and pip adds none."""
    runs = instructions("RUN")
    [locked] = [run for run in runs if "serve.txt" in run]
    assert {"--no-deps", "--require-hashes"} <= set(locked.split())
    assert all("--no-deps" in run for run in runs)
    makefile = (ROOT / "Makefile").read_text()
    assert "--no-deps --require-hashes -r requirements/serve.txt" in makefile


def test_the_server_that_starts_has_these_options():
    """The command line parses them, and the port is the one that the comment publishes."""
    [command] = map(json.loads, instructions("CMD"))
    assert command[0] == "featurestore"
    serve = get_command(app).commands[command[1]]
    values = serve.make_context("serve", command[2:]).params
    assert (values["host"], values["port"]) == ("0.0.0.0", 8080)  # noqa: S104 - in a container
    assert f"--publish {values['port']}:{values['port']}" in TEXT


def test_the_python_is_one_that_the_package_takes():
    """Both stages have the same one."""
    [version] = {image.split(" ")[0] for image in instructions("FROM")}
    assert re.fullmatch(r"python:3\.(11|12|13)-slim", version)
