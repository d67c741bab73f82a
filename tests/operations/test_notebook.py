"""In a notebook, a project, a verdict, a manifest and vectors show themselves as escaped tables."""

from html.parser import HTMLParser

import msgspec
import pytest

from featurestore.quality.gate.verdict import RuleCount, Verdict
from featurestore.quality.rules.rule_id import RuleId
from featurestore.values.html_table import html_table
from featurestore.values.wording import counted


class Cells(HTMLParser):
    """The texts of a page's cells, and its tags, each of which must be closed."""

    def __init__(self, page):
        super().__init__()
        self.open, self.texts = [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, _attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def shown(value):
    return Cells(value._repr_html_()).texts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (counted(1, "row"), "1 row"),
        (counted(0, "row"), "0 rows"),
        (counted(336_776, "row"), "336,776 rows"),
        (counted(2, "mismatch"), "2 mismatches"),
        (counted(2, "query"), "2 queries"),
        (counted(2, "key"), "2 keys"),
    ],
)
def test_counts_have_the_number_of_their_noun(text, expected):
    """One row is not "1 rows"; thousands have separators."""
    assert text == expected


def test_objects_show_themselves(shop):
    """What each is, in the words and numbers of the command line."""
    assert {"feature view", "last_order", "buying", "visits"} <= {*shown(shop)}
    [title, *_] = shown(shop.quality.verdict("orders"))
    assert title == "orders: quarantined; 6 of 7 rows passed, 1 in quarantine"
    manifest = shop.training_set("visits")
    assert manifest.digest in shown(manifest)[0]
    assert "PRESENT" in " ".join(shown(manifest)) or "NOT_FOUND" in " ".join(shown(manifest))
    shop.materialize()
    vectors = shop.reader("buying").read([{"customer": 3, "basket": 10.0}], as_of=shop.settings.now())
    assert shown(vectors)[0] == "1 vector"
    assert {"ratio", "1.25", "PRESENT"} <= {*shown(vectors)}


def test_values_are_escaped_and_limited():
    """A value of the data never becomes markup of the notebook."""
    verdict = Verdict(
        dataset="<b>",
        contract="C",
        decision="refused",
        rows_in=1_234,
        rows_passed=1_233,
        rows_quarantined=1,
        rules=(RuleCount(rule=RuleId("not_empty"), warning=False, broken=1, examples=("<script>",)),),
    )
    assert "<script>" not in verdict._repr_html_()
    assert {"<script>", "error"} <= {*shown(verdict)}
    assert "1,233 of 1,234 rows passed" in shown(verdict)[0]
    assert "… and 5 more" in html_table("t", ("n",), [(n,) for n in range(25)])
    assert msgspec.json.decode(msgspec.json.encode(verdict), type=Verdict) == verdict
