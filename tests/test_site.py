"""The documentation is built as a site: every link is right, and no page needs another host."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("**/*.md"))
GENERATOR = "zensical"
OTHER_HOST = re.compile(
    r"<(?:script|img|iframe|source)[^>]+src=[\"']?https?:|<link[^>]+stylesheet[^>]+https?:"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Give the folder of the site, built with every warning as an error."""
    if importlib.util.find_spec(GENERATOR) is None:
        pytest.skip("Zensical is not installed; `make docs` installs it")
    folder = tmp_path_factory.mktemp("documentation")
    shutil.copytree(ROOT / "docs", folder / "docs")
    shutil.copy(ROOT / "zensical.toml", folder)
    command = [sys.executable, "-m", GENERATOR, "build", "--strict"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


def test_every_page_is_in_the_site_and_in_the_search(site):
    """Each page has its HTML file, and the search knows it."""
    search = (site / "search.json").read_text()
    for page in PAGES:
        name = page.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
        assert (site / name).is_file()
        assert name in search


def test_no_page_loads_anything_from_another_host(site):
    """Scripts, styles, fonts and images are part of the site."""
    html = [path for path in site.rglob("*.html") if OTHER_HOST.search(path.read_text())]
    css = [path for path in site.rglob("*.css") if re.search(r"url\([\"']?https?:", path.read_text())]
    assert html + css == []


def test_every_page_is_in_the_navigation():
    """No page is reachable by the search alone."""
    listed = re.findall(r'"([\w/-]+\.md)"', (ROOT / "zensical.toml").read_text())
    assert sorted(listed) == sorted(page.relative_to(ROOT / "docs").as_posix() for page in PAGES)


def test_the_glossary_has_each_word_once():
    """Each row has a word, the field's word and one sentence."""
    lines = re.findall(
        r"^\| (.+?) \| (.+?) \| (.+?) \|$", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE
    )
    rows = [line for line in lines if line[0] != "word" and not line[0].startswith("-")]
    assert len({word for word, *_ in rows}) == len(rows) >= 60
    assert all(sentence.endswith(".") for *_, sentence in rows)
