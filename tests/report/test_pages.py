"""A page shows the verdict first, loads nothing from elsewhere, and shows nothing personal."""

import re
from itertools import pairwise

import polars as pl
import pytest
from markup import Markup
from shop import build_shop

import featurestore
from featurestore.errors import ContractError, MissingDataError
from featurestore.report.formatting import NO_VALUE
from featurestore.report.pages import STYLE, dataset_page
from featurestore.report.records import records_of

MAX_BYTES = 300_000
BAD = {"-0.0": "-5", ",10.5,": ",-1,", "8,\n": "-8,\n", ",20.1,": ",-2,"}


def change(path, changes):
    """Replace text in a file; returns the earlier content."""
    before = text = path.read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return before


def orders_of(project):
    return project.settings.root / "data/raw/orders.csv"


def page(project, name="orders"):
    project.report([name])
    return Markup(project.layout.page(name).read_text())


def index(project):
    return Markup(project.report().read_text())


def pages(project):
    project.report()
    return [project.layout.report, *sorted(project.layout.report.parent.glob("reports/*.html"))]


def test_the_verdict_comes_first(shop):
    """Broken rules, example rows, distributions, quarantine and history follow in this order."""
    markup = page(shop)
    assert "Quarantined 1 of 7 rows (14.3%) broke contract RawOrders and is in quarantine" in markup.words
    places = [
        markup.words.index(words)
        for words in (
            "Quarantined",
            "What failed Rule",
            "customer.greater_than_or_equal_to(1)",
            "Example rows",
            "Distributions before and now",
            "Correlated columns" if "Correlated columns" in markup.words else "Distributions before and now",
            "Quarantine 1 row is in data/quarantine/orders.parquet",
            "featurestore quarantine orders",
            "featurestore resubmit orders FILE",
            "History 1 run recorded",
        )
    ]
    assert places == sorted(places)


def test_rows_that_broke_the_contract_are_shown_with_their_original_values(shop):
    """Each has its file, its row number and its broken rules, and the value at fault is marked."""
    markup = page(shop)
    assert (
        "customer.greater_than_or_equal_to(1) 0 orders.csv 7 7 2024-01-08T00:00:00Z null 7 null"
        in markup.words
    )
    assert sum("fault" in a.get("class", "") for a in markup.all("td")) == 1


@pytest.mark.parametrize("name", ["orders", "last_order", None])
def test_pages_are_well_formed(shop, name):
    """Headings are nested, table headers have a scope, ids are unique, and links have targets."""
    markup = index(shop) if name is None else page(shop, name)
    levels = [int(tag[1]) for tag, _ in markup.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(a.get("scope") in ("col", "row") for a in markup.all("th"))
    ids = [attributes["id"] for _, attributes in markup.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    folder = (shop.layout.report if name is None else shop.layout.page(name)).parent
    for link in markup.all("a"):
        path, _, anchor = link["href"].partition("#")
        assert (folder / path).exists()
        assert not anchor or anchor in ids
    assert all(a.get("role") == "img" or a.get("aria-hidden") == "true" for a in markup.all("svg"))


def test_nothing_comes_from_elsewhere(shop):
    """A page is one file: it has no script, no image, no font and no address."""
    for path in pages(shop):
        text = path.read_text()
        assert not re.search(
            r"https?:|[\"'(]//|url\(|@import|@font-face|<script|<link|<img|<iframe|\bsrc=", text
        )
        assert len(text.encode()) < MAX_BYTES


def test_before_and_now(shop):
    """Changed figures are marked, and both profiles are drawn over the same bars."""
    assert "There is no earlier profile" in page(shop).words
    change(orders_of(shop), {"20.1": "30.5"})
    shop.validate("orders")
    markup = page(shop)
    assert "Before: the previous data, 6 rows." in markup.words
    assert "max 20.1 30.5" in markup.words
    assert [a for a in markup.all("path") if a.get("class") == "before"]


def test_a_refused_dataset_is_shown_as_refused(shop):
    """The page describes the last good data, and its example rows are those that were refused."""
    orders = change(orders_of(shop), BAD)
    with pytest.raises(ContractError):
        shop.validate("orders")
    good = shop.layout.history("orders").read_text().splitlines()[0][7:17]
    for words in (page(shop).words, index(shop).words):
        assert re.search(rf"(?i)refused.*The last good data, of {good} \d\d:\d\d UTC, stay in place\.", words)
    markup = page(shop)
    assert "5 of 7 rows (71.4%) break contract RawOrders." in markup.words
    assert "data/refused/orders/rows.parquet" in markup.words
    assert "Now: the last good data, 6 rows." in markup.words
    orders_of(shop).write_text(orders)
    shop.validate("orders")
    words = index(shop).words
    assert "Quarantined, was refused" in words
    assert "All 2 datasets accepted" in words


def test_a_dataset_refused_at_once_has_nothing_in_place(shop_files):
    """The page says that there are no earlier data, and describes none."""
    project = featurestore.open(shop_files)
    change(orders_of(project), BAD)
    with pytest.raises(ContractError):
        project.validate("orders")
    markup = page(project)
    assert "There are no earlier data." in markup.words
    assert "There are no data to describe." in markup.words


def test_accepted_datasets_have_no_warning(shop):
    """Rows in quarantine are counted below a verdict that is good; one refused dataset makes it bad."""
    words = index(shop).words
    assert "All 2 datasets accepted 1 with rows in quarantine, 1 passed." in words
    assert '<section class="verdict passed" aria-labelledby="data">' in shop.layout.report.read_text()
    change(orders_of(shop), BAD)
    with pytest.raises(ContractError):
        shop.validate("orders")
    assert "1 of 2 datasets refused" in index(shop).words
    assert '<section class="verdict refused" aria-labelledby="data">' in shop.layout.report.read_text()


def test_a_dataset_that_could_not_be_read_is_not_accepted(shop):
    """Its last verdict is of an earlier run, so index and page show the fault first."""
    orders_of(shop).write_text("order\n1\n")
    with pytest.raises(ContractError):
        shop.validate("orders")
    words = index(shop).words
    assert "1 of 2 datasets could not be read" in words
    assert "orders could not be read" in words
    markup = page(shop)
    assert "Could not be read The last run could not read its rows (orders: breaks schema" in markup.words
    assert "Now: the last good data" in markup.words


def test_a_first_run_draws_no_line(shop):
    """A line needs two numbers: plots of the history begin with the second run."""
    for path in pages(shop):
        assert 'class="spark"' not in path.read_text()
    shop.validate("orders")
    assert "Rows over runs" in index(shop).words
    assert page(shop).words.count("Runs, oldest first") == 1
    assert 'class="spark"' in shop.layout.page("orders").read_text()


def test_drift_is_on_the_index_page(shop):
    """Each dataset that has an earlier profile has its severity and the number of columns that have it."""
    assert f"quarantined 7 6 1 {NO_VALUE}" in index(shop).words
    change(orders_of(shop), {"SPRING": "AUTUMN"})
    shop.validate("orders")
    assert "quarantined 7 6 1 none" in index(shop).words
    row = "".join(f"{n},{n},2024-01-08T00:00:00Z,,900.5,WINTER\n" for n in range(100, 400))
    orders_of(shop).write_text(orders_of(shop).read_text() + row)
    shop.validate("orders")
    assert re.search(r"quarantined 307 306 1 major in \d columns", index(shop).words)


def test_what_has_not_run_yet_is_said(shop):
    """The index page exists from the first verdict on, and names the steps that are missing."""
    words = index(shop).words
    assert "Training and serving have not been compared yet" in words
    assert "run featurestore materialize" in words.lower()


def test_no_verdict_is_no_report(shop_files):
    """The hint names the command to run first."""
    project = featurestore.open(shop_files)
    with pytest.raises(MissingDataError, match="run: featurestore validate orders"):
        project.report()
    project.validate("orders")
    with pytest.raises(MissingDataError, match="run: featurestore build last_order"):
        project.report(["last_order"])


def test_personal_values_are_not_shown(shop_files):
    """Examples, plots, figures and history have only counts of a personal column."""
    personal = '"personal": True'
    fields = {
        'description="coupon")': f'description="coupon", metadata={{{personal}}})',
        'metadata={"unit": "EUR"}': f'metadata={{"unit": "EUR", {personal}}}',
    }
    change(shop_files / "schemas/shop.py", fields)
    change(shop_files / "data/raw/orders.csv", {",7,\n": ",7654.25,CONFIDENTIAL\n", "SPRING": "CONFIDENTIAL"})
    project = build_shop(shop_files)
    assert pl.read_parquet(project.layout.quarantine("orders"))["coupon"].to_list() == ["CONFIDENTIAL"]
    for path in pages(project):
        assert not re.search("CONFIDENTIAL|7654|7,654|20[.]1", path.read_text())
    assert "(personal, not shown)" in page(project).words
    assert "personal: values are not shown Figure Now missing" in page(project).words


def test_values_are_escaped(shop_files):
    """Data cannot become markup."""
    change(
        shop_files / "data/raw/orders.csv", {"SPRING": "<script>alert(1)</script>", "7,0,2024": "x<b>,0,2024"}
    )
    markup = page(build_shop(shop_files))
    assert not markup.all("script")
    assert not markup.all("b")
    assert "<script>alert(1)</script>" in markup.words


def test_changes_have_a_section(shop):
    """Sentences on drift and anomalies stand below the broken rules."""
    node = shop.catalog.node("orders")
    records = records_of(node, shop.layout, made_by="featurestore validate orders")
    words = Markup(dataset_page(records, notes=["amount drifted by 0.3"])).words
    assert words.index("What failed Rule") < words.index("Changes amount drifted by 0.3")
    assert words.index("amount drifted by 0.3") < words.index("Distributions before and now")


def colours(dark):
    """Return the colours that the style declares."""
    light, _, rest = STYLE.read_text().partition("@media (prefers-color-scheme: dark)")
    declared = re.findall(r"--([\w-]+): (#\w{6})", light)
    return dict(declared) | (
        dict(re.findall(r"--([\w-]+): (#\w{6})", rest.partition("\n}\n")[0])) if dark else {}
    )


def brightness(colour):
    """Relative luminance, as WCAG 2 defines it."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(colour, background):
    lighter, darker = sorted((brightness(colour), brightness(background)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_words_and_plots_stand_out_from_what_is_behind_them(dark):
    """Contrast is at least 4.5 for text, and 3 for the parts of plots."""
    c = colours(dark)
    words = {(word, back) for word in ("ink", "soft", "link") for back in ("page", "surface")}
    states = ("good", "warn", "bad", "idle")
    words |= {(state, back) for state in states for back in ("page", "surface", f"{state}-back")}
    words |= {("ink", f"{state}-back") for state in states}
    low = {(word, back): contrast(c[word], c[back]) for word, back in words}
    assert {pair: ratio for pair, ratio in low.items() if ratio < 4.5} == {}
    drawn = ("now", "before", "p1", "p2", "p3", "p4", "bad", "soft", "ink")
    assert {name for name in drawn if contrast(c[name], c["surface"]) < 3} == set()
