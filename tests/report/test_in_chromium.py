"""The pages in a real browser: by keyboard, on a phone, light and dark."""

import re
from html import unescape

import pytest
from chromium import chromium
from markup import Markup
from wide import build_wide

from featurestore.service.api.openapi import docs_page, openapi
from featurestore.service.api.routes import DOCUMENTED
from featurestore.service.lookup.active_release import ActiveRelease
from featurestore.service.runtime.options import Options

FOCUSED = "document.activeElement.textContent.trim()"
MAX_BYTES = 300_000
SIZES = [(390, 844), (1280, 900)]


@pytest.fixture(scope="module")
def projects(shared_shop, tmp_path_factory):
    """The shop with two deliveries, and a dataset of three hundred columns."""
    orders = shared_shop.settings.root / "data/raw/orders.csv"
    orders.write_text(orders.read_text().replace("20.1", "30.5"))
    shared_shop.validate("orders")
    shared_shop.training_set("visits")
    shared_shop.report()
    return shared_shop, build_wide(tmp_path_factory.mktemp("wide"))


@pytest.fixture(scope="module")
def docs(projects, tmp_path_factory):
    """The page of the server's docs, with all operations open."""
    shop, _ = projects
    shop.materialize()
    release = ActiveRelease(Options(root=str(shop.settings.root)))
    path = tmp_path_factory.mktemp("docs") / "docs.html"
    page = docs_page(openapi(release, DOCUMENTED, keys_required=True))
    path.write_text(page.replace("<details", "<details open"))
    return path


@pytest.fixture(scope="module")
def files(projects, docs):
    """All pages of both projects, and the server's docs."""
    return [*(path for project in projects for path in sorted(project.layout.data.rglob("*.html"))), docs]


@pytest.fixture(scope="module")
def page():
    """A tab of a browser."""
    with chromium() as tab:
        yield tab


def test_three_hundred_columns_are_a_small_page(projects):
    """Some columns are plotted, first those that broke a rule.

    The others have their figures, before and now.
    """
    _, wide = projects
    text = wide.layout.page("wide").read_text()
    assert len(text.encode()) < MAX_BYTES
    markup = Markup(text)
    assert [name for name in re.findall(r"sensor_number_\d+", unescape(text)) if name == "sensor_number_299"]
    assert len([a for a in markup.all("svg") if a.get("class") == "plot"]) == 30
    assert "distribution of the values of sensor_number_250: first bar" in text
    assert "sensor_number_299 Float64 missing 0%;" in markup.words
    assert "min 0 → 3" in markup.words


@pytest.mark.parametrize("dark", [False, True])
def test_a_page_loads_nothing_but_itself(page, files, dark):
    """A page makes one request, for its file, and prints nothing on the console."""
    for path in files:
        page.requests.clear()
        page.show(path, dark=dark)
        assert page.requests == [path.as_uri()]
        assert page.complaints == []


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_page_fits_its_window(page, files, width, height):
    """A page scrolls down, never to the side; wide tables scroll in a box of their own."""
    for path in files:
        page.show(path, width=width, height=height)
        assert page.run("document.documentElement.scrollWidth") == width
        cut = page.run(
            "[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll, svg, details:not([open])')"
            " && e.getBoundingClientRect().right > innerWidth).map(e => e.outerHTML.slice(0, 80))"
        )
        assert cut == []


@pytest.mark.parametrize("width", [390, 1280])
def test_status_bars_survive_a_narrow_screen(page, projects, width):
    """Each feature of a training set has a visible bar with its parts, and its four numbers below or beside it."""
    page.show(projects[0].layout.report, width=width, height=800)
    bars = page.run(
        "[...document.querySelectorAll('.statuses tbody tr')].map(row => [row.querySelector('svg.bar').getBoundingClientRect().width,"
        " ...[...row.querySelectorAll('td.n')].map(cell => cell.getBoundingClientRect().right)])"
    )
    assert len(bars) == 4
    assert all(bar[0] > 100 and len(bar) == 5 and max(bar) <= width for bar in bars)


def test_an_example_table_shows_that_it_scrolls(page, projects):
    """On a narrow screen the side with more columns has a shadow, and a sentence says it; a wide screen has neither."""
    shop, _ = projects
    hint = "getComputedStyle(document.querySelector('.sideways')).display"
    for width, display, scrolls in ((390, "inline", True), (1280, "none", False)):
        page.show(shop.layout.page("orders"), width=width, height=800)
        assert page.run(hint) == display
        box = "document.querySelector('[aria-label=\"Example rows\"]')"
        assert page.run(f"{box}.scrollWidth > {box}.clientWidth") is scrolls
        assert (
            page.run(f"getComputedStyle({box}).backgroundAttachment")
            == "local, local, scroll, scroll, scroll"
        )


def test_words_are_large_enough_for_a_phone(page, files):
    """No text is smaller than 12 pixels."""
    for path in files:
        page.show(path, width=380, height=800)
        small = page.run(
            "[...document.querySelectorAll('body *')].filter(e => e.textContent.trim() && !e.closest('svg')"
            " && parseFloat(getComputedStyle(e).fontSize) < 12).map(e => e.outerHTML.slice(0, 80))"
        )
        assert small == []


def test_a_page_can_be_read_by_keyboard(page, projects):
    """The first key skips to the verdict.

    The next ones reach links, scrolling tables and details in order, visibly.
    """
    shop, _ = projects
    page.show(shop.layout.page("orders"))
    page.press("Tab")
    assert page.run(FOCUSED) == "Skip to the verdict"
    assert page.run("document.activeElement.getBoundingClientRect().left") == 0
    page.press("Enter")
    assert page.run("document.activeElement.id") == "main"
    page.press("Tab")
    assert page.run(FOCUSED) == "What failed"
    assert page.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    reached = []
    for _ in range(60):
        page.press("Tab")
        reached.append(
            page.run("document.activeElement.tagName + ' ' + (document.activeElement.ariaLabel ?? '')")
        )
        if reached[-1].startswith("SUMMARY"):
            break
    assert "DIV Example rows" in reached
    assert page.run("document.activeElement.parentElement.open") is False
    page.press("Enter")
    assert page.run("document.activeElement.parentElement.open") is True
    assert page.run("document.activeElement.nextElementSibling.checkVisibility()") is True


def test_a_dataset_is_reached_from_the_index_page(page, projects):
    """The index page links to a dataset, and its page links back."""
    shop, _ = projects
    page.show(shop.layout.report)
    page.follow("a[href='reports/orders.html']")
    assert page.run("document.title") == "orders: quarantined"
    page.follow("header a")
    assert page.run("document.title") == "featurestore: report"


def test_a_screen_reader_can_read_a_plot(page, projects):
    """Each plot is an image with a name, and has a table of the same bars."""
    shop, _ = projects
    page.show(shop.layout.page("orders"))
    images = [
        n["name"]["value"] for n in page.send("Accessibility.getFullAXTree")["nodes"] if role(n) == "image"
    ]
    [amounts] = [name for name in images if name.startswith("distribution of the values of amount")]
    assert (
        amounts
        == "distribution of the values of amount: first bar 0 to 2, last 30 to 32, highest 0 to 2 (20.0%)"
    )
    assert all(images)
    assert page.run("document.querySelectorAll('svg.plot').length") == page.run(
        "[...document.querySelectorAll('svg.plot')].filter(e => e.closest('.card').querySelector('details table')).length"
    )


def test_the_docs_show_a_sample_in_each_format(page, docs):
    """Another format changes the body and its media type."""
    page.show(docs)
    shown = (
        "(() => { const area = document.querySelector('select').form.querySelector('textarea');"
        " return [area.dataset.media, area.value.slice(0, 7), area.labels[0].textContent.split('\\n')[0]].join('|') })()"
    )
    assert page.run(shown).startswith("text/csv|order,c|Body, as text/csv")
    page.run(
        "(() => { const s = document.querySelector('select'); s.selectedIndex = 1; s.dispatchEvent(new Event('change')) })()"
    )
    assert page.run(shown).startswith('application/x-ndjson|{"order|Body, as application/x-ndjson')
    assert page.run("[...document.querySelectorAll('textarea')].every(area => area.value.trim())")


def role(node):
    return node.get("role", {}).get("value")
