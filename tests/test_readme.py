"""Every code block of the README and of docs/ runs as a new user would run it, and prints what the page shows."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
from snippets import ELIDED, PARSERS, Shell, commands, section, shows, snippets

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
QUICKSTART = (ROOT / "docs/quickstart.md").read_text()
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted(ROOT.glob("docs/**/*.md"))}
PROJECT = re.compile(r"^<!-- project: (\w+) -->$", re.MULTILINE)
# The tests run in the environment that `make demo` makes; its fixture runs the demo; these are the tests.
RUN_ALREADY = frozenset({"source .venv/bin/activate", "make demo", "make test", "make check", "make docs"})

# Tests that share a project run in one process, so that each project is built once.
in_flights = pytest.mark.xdist_group("documented flights")
in_shop = pytest.mark.xdist_group("documented shop")


def pages(project: str | None) -> list[str]:
    """List the pages that run in a project; None: in an empty folder."""
    matches = {name: PROJECT.search(text) for name, text in PAGES.items() if name != "docs/quickstart.md"}
    return [name for name, match in matches.items() if (match[1] if match else None) == project]


@pytest.fixture(scope="module")
def flights(tmp_path_factory):
    """Give a copy of the repository in which `make demo` has run, from an empty cache, and what it printed."""
    copy = tmp_path_factory.mktemp("clone") / "featurestore"
    left_out = shutil.ignore_patterns(
        ".venv", "data", "site", ".cache", "cache", "tmp", ".*_cache", ".hypothesis", "__pycache__"
    )
    shutil.copytree(ROOT, copy, ignore=left_out)
    venv = Path(sys.executable).parents[1]
    # The environment exists: made again here, it would hold this copy of the package.
    options = ["--no-print-directory", f"--old-file={venv}/.ready", f"VENV={venv}"]
    return copy, Shell(copy).execute(["make", *options, "demo"])


@pytest.fixture(scope="module")
def built_shop(tmp_path_factory):
    """Give the folder of the shop, as the quickstart leaves it."""
    folder = tmp_path_factory.mktemp("quickstart")
    Shell(folder).run(QUICKSTART)
    return folder / "shop"


@pytest.fixture
def shop(built_shop, tmp_path):
    """Give a copy of the shop that a test may change."""
    return shutil.copytree(built_shop, tmp_path / "shop", symlinks=True)


@in_flights
@pytest.mark.pipeline
def test_make_demo_ends_with_a_summary(flights):
    """The demo prints rows, quarantine, features, training set, a vector, parity, and where the report is."""
    _, printed = flights
    [summary] = re.findall(r"^\$ featurestore summary\n(.*?)```", README, re.DOTALL | re.MULTILINE)
    assert shows(f"{ELIDED}\n{summary}", printed)
    assert printed.rstrip().endswith("data/report.html")


@in_flights
@pytest.mark.pipeline
def test_the_pipeline_reproduces_every_hash_of_dvc_lock(flights):
    """From an empty cache, every dataset equals the committed one byte for byte."""
    copy, _ = flights
    assert (copy / "dvc.lock").read_text() == (ROOT / "dvc.lock").read_text()


@in_flights
@pytest.mark.pipeline
def test_the_rules_are_documented_with_their_counts(flights):
    """docs/flights.md names every rule that a row of the real data broke, with its count."""
    copy, _ = flights
    table = section(PAGES["docs/flights.md"], "Rules, and what they count")
    documented = re.findall(r"^\| (\w+) \| [^|]+ \| ([\d,]+) \|", table, re.MULTILINE)
    verdicts = [json.loads(path.read_text()) for path in (copy / "data/verdicts").glob("*.json")]
    counted = [(v["dataset"], f"{rule['broken']:,}") for v in verdicts for rule in v["rules"]]
    assert sorted(documented) == sorted(counted)


@in_flights
@pytest.mark.pipeline
def test_a_second_run_finds_nothing_to_do(flights):
    """`dvc repro` says that everything is up to date, also after other commands read the data."""
    copy, _ = flights
    assert "Data and pipelines are up to date." in Shell(copy).execute(["dvc", "repro"])


@in_flights
@pytest.mark.pipeline
def test_the_readme_shows_the_flights(flights):
    """The commands of the README print what the README shows."""
    copy, _ = flights
    Shell(copy, ran=RUN_ALREADY).run(section(README, "Two commands"))


@in_flights
@pytest.mark.pipeline
@pytest.mark.parametrize("page", pages("flights"))
def test_pages_about_flights(flights, page):
    """Each page about the reference project shows what its commands print."""
    copy, _ = flights
    Shell(copy).run(PAGES[page])


@in_shop
def test_the_readme_shows_the_shop_of_the_quickstart(shop):
    """The README has the quickstart's files, and its commands print what it shows."""
    Shell(shop, files_exist=True).run(section(README, "Your own data"))


@in_shop
@pytest.mark.parametrize("page", pages("shop"))
def test_pages_about_the_shop(shop, page):
    """Each page about the quickstart's shop shows what its commands print."""
    Shell(shop).run(PAGES[page])


@pytest.mark.parametrize("page", [*pages(None), "CONTRIBUTING.md"])
def test_pages_without_a_project(tmp_path, page):
    """Each page without a project has code that runs, and data that can be read."""
    Shell(tmp_path, ran=RUN_ALREADY).run((ROOT / page).read_text())


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", *PAGES])
def test_every_block_is_of_a_kind_that_is_run(page):
    """A block is a file, a console, Python, readable data, or a drawing; a console starts with a command."""
    for snippet in snippets((ROOT / page).read_text()):
        assert snippet.path or snippet.kind in {"console", "python", "text", *PARSERS}, snippet
        if snippet.kind == "console":
            assert snippet.text.startswith("$ "), snippet
            assert list(commands(snippet.text))


def test_every_fence_belongs_to_a_block():
    """No fence is left over, so that no block escapes these tests."""
    for page, text in {**PAGES, "README.md": README}.items():
        fences = len(re.findall(r"^ *```", text, re.MULTILINE))
        assert fences == 2 * len(list(snippets(text))), page


def test_every_project_of_a_page_is_known():
    """A page runs in the flights, in the shop, or in an empty folder."""
    assert {match[1] for text in PAGES.values() if (match := PROJECT.search(text))} == {"flights", "shop"}
