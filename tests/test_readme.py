"""Every code block of the README and of docs/ runs as a new user would run it, and prints what the page shows.

`test_readme_flights` has the blocks about the reference project.
"""

import re
import shutil

import pytest
from snippets import (
    PAGES,
    PARSERS,
    PROJECT,
    README,
    ROOT,
    RUN_ALREADY,
    Shell,
    commands,
    pages,
    section,
    snippets,
)

# The commands that make the shop of the quickstart: they cannot run in it again.
FIRST_COMMANDS = frozenset(
    {"featurestore init shop", "cd shop", "featurestore add ../orders.csv --owner shop"}
)
QUICKSTART = (ROOT / "docs/quickstart.md").read_text()


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


def test_the_readme_shows_the_shop_of_the_quickstart(shop):
    """The README has the quickstart's commands and files, and its commands print what it shows."""
    readme = section(README, "Your own data")
    quickstart = {command for command, _ in commands(QUICKSTART)}
    assert {command for command, _ in commands(readme)} <= quickstart
    Shell(shop, files_exist=True, ran=quickstart & FIRST_COMMANDS).run(readme)


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


def test_a_block_after_a_name_is_no_file():
    """Only a name with an ending is a file: a block after the name of an option or a column runs."""
    block = "```console\n$ ls\n```"

    assert [s.path for s in snippets(f"With `--all`:\n\n{block}\n\n`a/b.py`:\n\n{block}")] == [None, "a/b.py"]


def test_every_fence_belongs_to_a_block():
    """No fence is left over, so that no block escapes these tests."""
    for page, text in {**PAGES, "README.md": README}.items():
        fences = len(re.findall(r"^ *```", text, re.MULTILINE))
        assert fences == 2 * len(list(snippets(text))), page


def test_every_project_of_a_page_is_known():
    """A page runs in the flights, in the shop, or in an empty folder."""
    assert {match[1] for text in PAGES.values() if (match := PROJECT.search(text))} == {"flights", "shop"}
