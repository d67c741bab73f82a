"""Every code block about the reference project runs where `make demo` ran, and prints what the page shows."""

import json
import re
import shutil
import subprocess

import forks
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
    return copy, make(copy, "demo")


@pytest.fixture(scope="module")
def example(flights):
    """Give what `make example` printed in that copy: it leaves a model there."""
    copy, _ = flights
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        return make(copy, "example")


def make(copy, target):
    """Make a target of a copy of the repository, and return what it prints."""
    venv = forks.environment()
    # The environment exists: made again here, it would hold the copy of the package.
    options = ["--no-print-directory", f"--old-file={venv}/.ready", f"VENV={venv}"]
    return Shell(copy).execute(["make", *options, target])


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


def test_the_example_trains_a_model_that_serving_feeds(flights, example):
    """The model beats both baselines; a leak promises more, and delivers less than the model without it."""
    copy, _ = flights
    folder = copy / "examples/departure_delay"
    test = json.loads((folder / "metrics.json").read_text())["test"]
    leak = json.loads((folder / "leak.json").read_text())["auc"]
    assert test["majority"]["auc"] < test["carrier"]["auc"] < test["model"]["auc"]
    assert leak["delivered"] < leak["without"] < leak["promised"]
    assert example.count("2013-12-30") == 5
    text = (folder / "README.md").read_text()
    documented = [float(value) for value in re.findall(r"^\|.*\| (0\.\d+) \|$", text, re.MULTILINE)]
    measured = [test["carrier"]["auc"], test["model"]["auc"], leak["promised"], leak["delivered"]]
    assert documented == pytest.approx(measured, abs=0.005)


@pytest.mark.usefixtures("example")
def test_a_model_of_other_features_is_refused(flights):
    """`predict.py` stops if a step was changed, and names what to run."""
    copy, _ = flights
    definitions = copy / "feature_repo/delay_model.py"
    text = definitions.read_text()
    definitions.write_text(text.replace("min_frequency=100", "min_frequency=50"))
    try:
        done = subprocess.run(
            [forks.python(), "predict.py"],
            cwd=copy / "examples/departure_delay",
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        definitions.write_text(text)
    assert done.returncode == 1
    assert "featurestore training-set late_departures" in done.stderr


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
