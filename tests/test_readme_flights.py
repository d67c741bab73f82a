"""Every code block about the reference project runs where `make demo` ran, and prints what the page shows."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
from snippets import ELIDED, PAGES, README, ROOT, RUN_ALREADY, Shell, pages, section, shows

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def flights(tmp_path_factory):
    """Give a copy of the repository in which `make demo` has run, from an empty cache, and what it printed."""
    copy = tmp_path_factory.mktemp("clone") / "featurestore"
    left_out = shutil.ignore_patterns(
        ".venv*",
        ".serving",
        "data",
        "site",
        ".cache",
        "cache",
        "tmp",
        ".*_cache",
        ".hypothesis",
        "__pycache__",
    )
    shutil.copytree(ROOT, copy, ignore=left_out)
    venv = Path(sys.executable).parents[1]
    # The environment exists: made again here, it would hold this copy of the package.
    options = ["--no-print-directory", f"--old-file={venv}/.ready", f"VENV={venv}"]
    return copy, Shell(copy).execute(["make", *options, "demo"])


def test_make_demo_ends_with_a_summary(flights):
    """The demo prints rows, quarantine, features, training set, a vector, parity, and where the report is."""
    _, printed = flights
    [summary] = re.findall(r"^\$ featurestore summary\n(.*?)```", README, re.DOTALL | re.MULTILINE)
    assert shows(f"{ELIDED}\n{summary}", printed)
    assert printed.rstrip().endswith("data/report.html")


def test_the_pipeline_reproduces_every_hash_of_dvc_lock(flights):
    """From an empty cache, every dataset equals the committed one byte for byte."""
    copy, _ = flights
    assert (copy / "dvc.lock").read_text() == (ROOT / "dvc.lock").read_text()


def test_the_rules_are_documented_with_their_counts(flights):
    """docs/flights.md names every rule that a row of the real data broke, with its count."""
    copy, _ = flights
    table = section(PAGES["docs/flights.md"], "Rules, and what they count")
    documented = re.findall(r"^\| (\w+) \| [^|]+ \| ([\d,]+) \|", table, re.MULTILINE)
    verdicts = [json.loads(path.read_text()) for path in (copy / "data/verdicts").glob("*.json")]
    counted = [(v["dataset"], f"{rule['broken']:,}") for v in verdicts for rule in v["rules"]]
    assert sorted(documented) == sorted(counted)


def test_a_second_run_finds_nothing_to_do(flights):
    """`dvc repro` says that everything is up to date, also after other commands read the data."""
    copy, _ = flights
    assert "Data and pipelines are up to date." in Shell(copy).execute(["dvc", "repro"])


def test_the_readme_shows_the_flights(flights):
    """The commands of the README print what the README shows."""
    copy, _ = flights
    Shell(copy, ran=RUN_ALREADY).run(section(README, "Two commands"))


@pytest.mark.parametrize("page", pages("flights"))
def test_pages_about_flights(flights, page):
    """Each page about the reference project shows what its commands print."""
    copy, _ = flights
    Shell(copy).run(PAGES[page])
