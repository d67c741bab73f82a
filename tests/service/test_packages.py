"""What each command needs beyond a serving machine: the table of the reference, run on such a machine."""

import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest
from logged import log_answers
from packaging.requirements import Requirement
from serving_machine import ROOT, serving_machine
from typer.main import get_command

import featurestore
from featurestore.cli.app import app

PAGE = ROOT / "docs/reference/packages.md"
# Each command on a shop that is built, materialized and released; and calls that need more than their command.
CALLS = {
    "init": "init {}/new",
    "add": "add {}/more.csv --owner shop",
    "adopt": "adopt feature_repo",
    "check": "check",
    "run": "run",
    "validate": "validate orders",
    "build": "build last_order",
    "apply": "apply",
    "training-set": "training-set visits",
    "rebuild": "rebuild visits",
    "card": "card visits",
    "scorecard": "scorecard visits",
    "materialize": "materialize",
    "get-online": "get-online buying customer=3 basket=16",
    "explain": "explain buying customer=3 basket=16 --at 2024-01-09T00:00:00Z",
    "join": "join {0}/rows.csv --service buying --out {0}/joined.csv",
    "check-leaks": "check-leaks last_order",
    "audit-set": "audit-set {}/set.csv --service buying",
    "audit": "audit",
    "prove": "prove --cases 1",
    "replay": "replay buying",
    "report": "report",
    "pipeline": "pipeline",
    "profile": "profile orders",
    "assess": "assess last_order",
    "compare": "compare orders orders",
    "suggest": "suggest {}/more.csv",
    "quarantine": "quarantine orders",
    "drift": "drift orders orders",
    "anomalies": "anomalies",
    "push": "push last_order {}/pushed.csv",
    "delete": "delete last_order customer=1",
    "release": "release",
    "prune": "prune",
    "releases": "releases",
    "key": "key list",
    "ingest": "ingest orders",
    "summary": "summary",
    "resubmit": "resubmit orders {}/more.csv",
    "rollback": "rollback",
}
# More that a call can need than its command.
VARIANTS = {
    "compare": ["compare", "orders@HEAD", "orders"],
    "add": ["add", "SELECT 1 AS one", "--name", "one"],
    "scorecard": ["scorecard", "visits", "--cost"],
}
# Commands that end for another reason on this shop.
OTHER_ENDS = {
    "ingest": "source 'orders' has no origin",
    "summary": "audit.json: does not exist yet",
    "resubmit": "lacks",
    "rollback": "there is no former release",
    "rebuild": "was built outside of a git repository",
    "card": "that only a person can write are empty",
}
PUSHED = """customer,event_timestamp,created_timestamp,amount,coupon,ordered_at
9,2024-01-09T00:00:00Z,,4.0,,2024-01-09T00:00:00Z
"""
ROWS = """customer,event_timestamp,basket
1,2024-01-09T00:00:00Z,4.0
"""
SET = """customer,event_timestamp,basket,amount
1,2024-01-09T00:00:00Z,4.0,4.0
"""
SCRIPT = """
import json, sys
from typer.main import get_command
from featurestore.cli.app import app
from featurestore.errors import FeatureStoreError, MissingPackageError

command, ends = get_command(app), {}
for name, words in json.loads(sys.argv[1]).items():
    project = [] if words[0] in ("init", "adopt") else ["--project", sys.argv[2]]
    try:
        code = command.main([*words, *project], prog_name="featurestore", standalone_mode=False)
    except MissingPackageError as error:
        code = error.package
    except FeatureStoreError as error:
        code = str(error)
    ends[name] = code
print()
print(json.dumps(ends))
"""


def table() -> dict[str, list[str]]:
    """Return the commands that the page lists for each package."""
    rows = re.findall(r"^\| `(\w+)` \| \d.*? \| (.*?) \| .* \|$", PAGE.read_text(), re.MULTILINE)
    return {package: re.findall(r"`([\w-]+)`", commands) for package, commands in rows}


@pytest.fixture(scope="module")
def ends(tmp_path_factory, template_shop):
    """Return how each command ends on a serving machine: the package that is missing, an exit code or a message."""
    folder = tmp_path_factory.mktemp("packages")
    machine = serving_machine(folder / "machine")
    root = Path(shutil.copytree(template_shop, folder / "shop"))
    project = featurestore.open(root)
    project.materialize()
    project.training_set("visits")
    project.pipeline(write=True)
    project.release()
    log_answers(root, 3)
    (folder / "more.csv").write_text((root / "data/raw/orders.csv").read_text())
    (folder / "pushed.csv").write_text(PUSHED)
    (folder / "rows.csv").write_text(ROWS)
    (folder / "set.csv").write_text(SET)
    calls = {name: call.format(folder).split() for name, call in CALLS.items()}
    variants = {f"{name} variant": words for name, words in VARIANTS.items()}
    before = set(folder.rglob("*"))
    done = machine.run("-c", SCRIPT, json.dumps({**calls, **variants}), root)
    assert done.returncode == 0, done.stderr
    written = {path.relative_to(folder).as_posix() for path in set(folder.rglob("*")) - before}
    return json.loads(done.stdout.splitlines()[-1]), written


def test_each_command_is_called():
    """The table of the page is about all commands; a server is tested beside this file."""
    assert CALLS.keys() | {"serve"} == get_command(app).commands.keys()


@pytest.mark.parametrize("command", CALLS)
def test_a_command_names_the_package_that_the_page_says(ends, command):
    """One that the page does not list ends as on any other machine."""
    needed = {package for package, commands in table().items() if command in commands}
    end = ends[0][command]
    if needed:
        assert end in needed
    else:
        assert OTHER_ENDS[command] in end if command in OTHER_ENDS else end in (None, 0)


def test_a_revision_needs_dvc(ends):
    """The command itself needs nothing more; one of its arguments does."""
    assert (ends[0]["compare"], ends[0]["compare variant"]) == (None, "dvc")


def test_the_cost_of_a_join_needs_pyarrow(ends):
    """The scorecard reads the training set; its costs are those of a join."""
    assert (ends[0]["scorecard"], ends[0]["scorecard variant"]) == (None, "pyarrow")


def test_a_query_needs_duckdb(ends):
    """It is run once, before anything is versioned."""
    assert ends[0]["add variant"] == "duckdb"


def test_a_command_whose_package_is_missing_writes_nothing(ends):
    """No half project and no copied file is left behind: the same command works after the installation."""
    assert {path for path in ends[1] if path.startswith("new/")} == set()
    assert "shop/data/raw/more.csv" not in ends[1]


def test_the_extras_are_those_of_the_package():
    """The table of extras names each, and what it installs."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    rows = re.findall(r"^\| `(\w+)` \| (`.*?`) \| \w", PAGE.read_text(), re.MULTILINE)
    installed = {name: re.findall(r"`([\w-]+)`", packages) for name, packages in rows}
    assert installed == {name: [Requirement(line).name for line in lines] for name, lines in extras.items()}
